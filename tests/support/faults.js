// What is wrong with how a page is laid out, as words; run in the page by tests/support/visits.py.
(phone) => {
  const faults = [];
  const shown = (element) => {
    const box = element.getBoundingClientRect();
    return element.checkVisibility({visibilityProperty: true}) && box.width > 1 && box.height > 1 && !element.closest(".visually-hidden, .visually-hidden-focusable");
  };
  const all = (selector) => [...document.querySelectorAll(selector)].filter(shown);
  const called = (element) => `${element.tagName.toLowerCase()} “${(element.innerText || element.placeholder || element.name || "").trim().slice(0, 50)}”`;
  const wide = document.documentElement.scrollWidth - innerWidth;
  if (wide > 0) faults.push(`the page is ${wide} px wider than the window`);
  for (const element of all("button, .btn, label, th, td, dt, dd, h1, h2, h3, li, p, legend, summary, .eg-state, .eg-mark, figcaption, caption")) {
    if (element.clientWidth && element.scrollWidth > element.clientWidth + 1) faults.push(`cut or sticking out: ${called(element)}`);
  }
  if (phone) for (const element of all(".eg-list, .eg-snippet, .eg-letter, .eg-numbers")) {
    if (element.scrollWidth > element.clientWidth + 1 && !element.matches(".eg-snippet")) faults.push(`scrolls sideways: ${element.className}`);
  }
  const piece = document.createRange();
  for (const element of all("button, .btn, .eg-mark, th, label, legend, h1, h2, h3, dt")) {
    for (const node of element.childNodes) for (const found of node.nodeType === Node.TEXT_NODE ? node.data.matchAll(/[\p{L}]{2,}/gu) : []) {
      piece.setStart(node, found.index);
      piece.setEnd(node, found.index + found[0].length);
      if (new Set([...piece.getClientRects()].map((box) => box.top)).size > 1) faults.push(`broken in the middle of a word: ${called(element)}`);
    }
  }
  const pen = document.createElement("canvas").getContext("2d");
  const room = (element, words, what) => {
    const style = getComputedStyle(element);
    pen.font = `${style.fontWeight} ${style.fontSize} ${style.fontFamily}`;
    const free = element.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
    if (pen.measureText(words).width > free + 1) faults.push(`no room for ${what} “${words}”`);
  };
  for (const element of all("input[placeholder], textarea[placeholder]")) if (!element.value) room(element, element.placeholder, "the placeholder");
  for (const element of all("select")) if (element.selectedOptions[0]) room(element, element.selectedOptions[0].text, "the choice");
  for (const element of all(".eg-card *, .eg-figure *")) {
    const card = element.closest(".eg-card, .eg-figure").getBoundingClientRect(), box = element.getBoundingClientRect();
    const scrolls = element.parentElement.closest(".eg-letter, .eg-snippet, .eg-numbers, .eg-list");
    if (!scrolls && box.right > card.right + 1) faults.push(`leaves its card: ${called(element)}`);
  }
  const boxes = all("a, button, input, select, textarea, label, h1, h2, th, .eg-state").flatMap((element) => [...element.getClientRects()].map((box) => [element, box]));
  boxes.forEach(([one, box], index) => {
    for (const [other, rival] of boxes.slice(index + 1)) {
      if (one === other || one.contains(other) || other.contains(one)) continue;
      const across = Math.min(box.right, rival.right) - Math.max(box.left, rival.left);
      const down = Math.min(box.bottom, rival.bottom) - Math.max(box.top, rival.top);
      if (across > 2 && down > 4) faults.push(`${called(one)} lies over ${called(other)}`);
    }
  });
  return [...new Set(faults)];
}
