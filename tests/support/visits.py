"""Looks at pages of a console in a real Chromium, each once however many tests ask: how it is laid out in every look,
what axe-core says, what the browser complains about, how much came over the line, and what stands there in French.

Width and colours are changed on the page that is there, as a person turns a phone: only JavaScript needs another load.
"""

import os
import re
from collections.abc import Sequence
from functools import cache
from itertools import product
from typing import Any

import axe_playwright_python
from msgspec import Struct

from tests.support.chromium import PATIENCE
from tests.support.console_pages import Shown
from tests.support.premises import Premises

SIZES = {"desk": (1200, 860), "phone": (390, 780)}
SCHEMES = ("light", "dark")
HOST = "mydomainzz.emailgency.zz"
ARGUMENT = "--host-resolver-rules=MAP * 127.0.0.1"  # whoever a page asks for is here, and is noticed
_LOCALES = {"en": "en-GB", "fr": "fr-FR"}
_HERE = os.path.dirname(__file__)
_AXE = os.path.join(os.path.dirname(axe_playwright_python.__file__), "axe.min.js")
_BY_LOOKS = ("color-contrast", "scrollable-region-focusable", "target-size")
_TEXTS = """() => {
  const found = [], walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; node = walk.nextNode();) {
    if (node.parentElement.closest("pre, code, [lang]:not(html)") || !node.data.trim()) continue;
    found.push(node.data.trim().replace(/\\s+/g, " "));
  }
  for (const name of ["aria-label", "placeholder", "alt", "title"]) {
    for (const one of document.querySelectorAll(`[${name}]`)) found.push(one.getAttribute(name));
  }
  return [document.title, ...found];
}"""


class Visit(Struct):
    """`troubles`: whatever nobody may find, each in words. `weight`: octets that came, of all that the page is made of.

    `texts` are those of the service itself, `everything` has also what others have written.
    """

    troubles: list[str]
    status: int = 0
    weight: int = 0
    texts: list[str] = []
    everything: str = ""


class Visits:
    """`whole`: each page in each of the eight looks; else in four, by turns with JavaScript and without."""

    def __init__(self, browser: Any, premises: Premises, folder: object, whole: bool) -> None:
        self._browser = browser
        self._premises = premises
        self._folder = str(folder)
        self._whole = whole
        self._root = f"https://{HOST}:{premises.server.ports['https']}/eg"
        self._cookies: dict[str, list[dict[str, object]]] = {}
        self.page = cache(self._page)
        self.visit = cache(self._visit)
        with open(os.path.join(_HERE, "faults.js"), encoding="utf-8") as file:
            self._faults = file.read()
        with open(_AXE, encoding="utf-8") as file:
            self._axe = file.read()
        print(f"pictures: {folder}")

    def looks(self, script: bool) -> list[tuple[str, str]]:
        """(size, scheme) that are looked at with JavaScript, or without."""
        return [
            (size, scheme)
            for size, scheme in product(SIZES, SCHEMES)
            if self._whole or script == ((size == "desk") == (scheme == "light"))
        ]

    def _visit(self, name: str, shown: Shown, script: bool = True, language: str = "en") -> Visit:
        page, visit = self.page(shown.who, script, language)
        visit.troubles, visit.weight, visit.status = [], 0, 0
        _resize(page, "desk")
        page.goto(self._root + shown.path.format_map(self._premises.names))
        if shown.deed:
            shown.deed(page)
            page.wait_for_load_state("load")
        if visit.status != shown.status:
            visit.troubles.append(f"it was answered with {visit.status}")
        if planted := page.locator("[data-attacked]").count():
            visit.troubles.append(f"{planted} elements that a stranger has written")
        for size, scheme in self.looks(script) if language == "en" else [("phone", "light")]:
            _resize(page, size)
            page.emulate_media(color_scheme=scheme)
            look = f"{size}-{scheme}-{'script' if script else 'plain'}-{language}"
            visit.troubles += [f"{look}: {fault}" for fault in page.evaluate(self._faults, size == "phone")]
            if script and language == "en":
                rules = () if size == "desk" else _BY_LOOKS
                visit.troubles += [f"{look}: {fault}" for fault in self._violations(page, rules)]
            if self._whole or (script and language == "en"):
                page.screenshot(path=self._place(name, look), full_page=True, type="jpeg", quality=90)
        return Visit(visit.troubles, visit.status, visit.weight, page.evaluate(_TEXTS), page.content())

    def _place(self, name: str, look: str) -> str:
        """Of a picture."""
        return os.path.join(self._folder, f"{re.sub('[^a-z0-9]+', '-', name)}.{look}.jpg")

    def _violations(self, page: Any, rules: Sequence[str] = ()) -> list[str]:
        """Of all rules, or of some. The policy forbids scripts of others: the browser's own door lets axe in."""
        page.evaluate(self._axe)
        only = {"runOnly": list(rules)} if rules else {}
        found = page.evaluate("only => axe.run(document, {resultTypes: ['violations'], ...only})", only)
        return [
            f"axe: {one['id']}: {one['help']}: {node['html'][:160]} {node.get('failureSummary', '')[:200]}"
            for one in found["violations"]
            for node in one["nodes"]
        ]

    def _page(self, who: str, script: bool, language: str) -> tuple[Any, Visit]:
        """A window of one person, and what is being found in it."""
        context = self._browser.new_context(
            ignore_https_errors=True,
            java_script_enabled=script,
            reduced_motion="reduce",
            locale=_LOCALES[language],
        )
        context.set_default_timeout(PATIENCE)
        if who != "anonymous":
            context.add_cookies(self._session(who))
        page, visit = context.new_page(), Visit([])
        line = context.new_cdp_session(page)
        line.send("Network.enable")
        line.send("Network.setCacheDisabled", {"cacheDisabled": script and language == "en"})  # those are weighed
        line.on("Network.loadingFinished", lambda told: _weigh(visit, told["encodedDataLength"]))
        page.on("dialog", lambda dialog: (visit.troubles.append("a dialog"), dialog.dismiss()))
        page.on("pageerror", lambda error: visit.troubles.append(f"script: {error}"))
        page.on("console", lambda message: _complain(visit, message))
        page.on("response", lambda response: _answered(visit, response))
        page.on("request", lambda request: _asked(visit, request, self._root))
        return page, visit

    def _session(self, who: str) -> list[dict[str, object]]:
        if who not in self._cookies:
            self._cookies[who] = [
                {"name": name, "value": value, "url": self._root, "secure": True, "httpOnly": True}
                for name, value in self._premises.browser(who).cookies.items()
            ]
        return self._cookies[who]


def _resize(page: Any, size: str) -> None:
    width, height = SIZES[size]
    page.set_viewport_size({"width": width, "height": height})


def _weigh(visit: Visit, octets: float) -> None:
    visit.weight += int(octets)


def _answered(visit: Visit, response: Any) -> None:
    if response.request.is_navigation_request() and response.status != 303:
        visit.status = response.status
        visit.weight = 0  # of the last page that a deed leads to


def _asked(visit: Visit, request: Any, root: str) -> None:
    strange = not request.url.startswith((root, "data:"))
    if strange or ("attack" in request.url and not request.is_navigation_request()):
        visit.troubles.append(f"it asks for {request.url}")


def _complain(visit: Visit, message: Any) -> None:
    """What a page is answered with is looked at by itself; errors and breaches of the policy are told here."""
    if message.type in ("error", "warning") and "the server responded with a status of" not in message.text:
        visit.troubles.append(f"console: {message.text}")
