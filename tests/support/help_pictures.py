"""The pictures of the help: our own pages as a real Chromium shows them, on mail that came by SMTP.

`PYTHONPATH=. python -m tests.support.help_pictures` makes them all anew, in each language, and `pictures.json` beside
them, which has a digest of the template that each shows. `stale()` compares it with what is there now. What differs
from one run to the next (times, ids, ports) is written over, so that the same pages give the same pictures.
"""

import io
import json
import os
import re
import smtplib
import tempfile
from collections.abc import Callable
from email.message import EmailMessage
from hashlib import sha256
from typing import Any

import segno
from PIL import Image

from emailgency.servers.web.console import assets
from emailgency.servers.web.console.languages import LANGUAGES
from tests.support.browser import Browser
from tests.support.chromium import ARGUMENTS
from tests.support.dns_thread import DnsThread
from tests.support.server import Server
from tests.support.sink import Sink

FOLDER = os.path.join(assets.folder("help"), "pictures")
LIST = os.path.join(FOLDER, "pictures.json")
DOMAIN, SERVICE = "mydomain.zz", "emailgency.example"
ALTERNATE = f"mydomainzz.{SERVICE}"
STRANGER = "yourdomain.zz"  # whose DNS knows nothing of us yet
PASSWORD = "Correct-horse1"
WIDTH = 1000
MOST = 720  # pixels of height: what is below tells nothing new
COLOURS = 48
_SHOWS = re.compile(r"<(button|dt|fieldset|figure|form|h[1-3]|img|input|select|table|textarea|th)\b|_\(\"(.*?)\"")
PORTS = {"imap": 143, "imaps": 993, "pop3": 110, "pop3s": 995, "submission": 587, "submissions": 465}

# What differs each time gives way to what always stands there.
_SAME = """() => {
  const moment = /\\b20\\d\\d-\\d\\d-\\d\\d(?: \\d\\d:\\d\\d)?(:\\d\\d)?/g;
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walk.nextNode(); node; node = walk.nextNode()) {
    node.data = node.data
      .replace(moment, found => "2026-03-02 09:15:26".slice(0, found.length))
      .replace(/\\b[0-9a-f]{20}\\b/g, "5f1c07a96b2e40d8a3b7")
      .replace(/127\\.0\\.0\\.1\\[127\\.0\\.0\\.1\\]:\\d+/g, "mail.mydomain.zz[203.0.113.5]:25")
      .replace(/127\\.0\\.0\\.1:\\d+/g, "203.0.113.5:25").replace(/127\\.0\\.0\\.1/g, "203.0.113.5");
  }
  for (const field of document.querySelectorAll("input")) field.blur();
}"""
_LAST = "Math.max(...[...document.querySelector('main').children].map(one => one.getBoundingClientRect().bottom))"
# A number beside what the text speaks of.
_MARK = """(element, number) => {
  const place = element.getBoundingClientRect(), mark = document.createElement("span");
  mark.textContent = number;
  Object.assign(mark.style, {
    position: "absolute", left: `${place.right + scrollX - 11}px`, top: `${place.top + scrollY - 13}px`, zIndex: 9,
    width: "24px", height: "24px", borderRadius: "50%", background: "#e0a030", color: "#14233a",
    font: "700 14px/24px sans-serif", textAlign: "center", boxShadow: "0 0 0 2px #fff",
  });
  document.body.append(mark);
}"""


class Pictures:
    """One browser's window, in one language; `sizes` of what was taken, and of which template it is."""

    def __init__(self, browser: Any, root: str, language: str) -> None:
        self._context = browser.new_context(
            ignore_https_errors=True,
            viewport={"width": WIDTH, "height": 700},
            color_scheme="light",
            reduced_motion="reduce",
            locale=language,
            timezone_id="UTC",
        )
        self.page = self._context.new_page()
        self.sizes: dict[str, tuple[int, int]] = {}
        self._root, self._language = root, language

    def go(self, path: str) -> None:
        self.page.goto(self._root + path)

    def log_in(self, name: str) -> None:
        self.go("/login")
        self.page.locator("#name").fill(name)
        self.page.locator("#password").fill(PASSWORD)
        self.page.locator("form[action$='/login'] .btn-primary").first.click()

    def log_out(self) -> None:
        self._context.clear_cookies()

    def take(self, name: str, *marks: str, most: int = MOST) -> None:
        """What is between header and footer; a number at the first element of each selector of `marks`."""
        self.page.evaluate("scrollTo(0, 0)")
        self.page.evaluate(_SAME)
        for number, selector in enumerate(marks, 1):
            self.page.locator(selector).first.evaluate(_MARK, number)
        main = self.page.locator("main").bounding_box()
        last = self.page.evaluate(_LAST)
        height = min(int(last - main["y"] + 28), most)
        clip = {"x": 0, "y": main["y"], "width": WIDTH, "height": height}
        octets = self.page.screenshot(clip=clip, full_page=True, animations="disabled", caret="hide")
        image = Image.open(io.BytesIO(octets)).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
        image.save(os.path.join(FOLDER, f"{name}.{self._language}.webp"), lossless=True, quality=100, method=4)
        self.sizes[name] = image.size


def make() -> None:
    """All of them, in every language."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        arguments = [*ARGUMENTS, f"--host-resolver-rules=MAP *.{SERVICE} 127.0.0.1", "--font-render-hinting=none"]
        browser = driver.chromium.launch(executable_path="/usr/bin/chromium", args=arguments)
        taken = {language: _in(browser, language) for language in LANGUAGES}
        browser.close()
    listed = {
        name: {
            "template": TEMPLATES[name],
            "digest": digest(TEMPLATES[name]),
            "sizes": {language: list(taken[language][name]) for language in LANGUAGES},
        }
        for name in sorted(TEMPLATES)
    }
    with open(LIST, "w", encoding="utf-8") as file:
        json.dump(listed, file, indent=1)
        file.write("\n")


def stale() -> list[str]:
    """Pictures of pages that are written otherwise now."""
    with open(LIST, encoding="utf-8") as file:
        listed = json.load(file)
    assert listed.keys() == TEMPLATES.keys()
    return [name for name, one in listed.items() if one["digest"] != digest(one["template"])]


def digest(template: str) -> str:
    """Of what it shows: its words and what it is made of, in their order; attributes make no other page."""
    with open(os.path.join(assets.folder("templates"), template), encoding="utf-8") as file:
        text = re.sub(r"\{#.*?#\}", "", file.read(), flags=re.DOTALL)
    return sha256(repr(_SHOWS.findall(text)).encode()).hexdigest()[:16]


# ---- what is in them ---------------------------------------------------------------------------------------------

TEMPLATES = {
    "candidates": "candidates.html",
    "banish": "candidates.html",
    "alias": "candidates.html",
    "invite": "mailboxes.html",
    "password": "password.html",
    "mailbox": "mailbox.html",
    "aliases": "aliases.html",
    "overview": "overview.html",
    "pending": "pending.html",
    "where": "where.html",
    "story": "story.html",
    "program": "assistant_mail.html",
    "dns": "assistant_dns.html",
}
_PEOPLE = (
    ("paul", 2, "Anna Weber <anna@customers.example>", "Order 4711"),
    ("ringo", 1, "Stuart <stuart@office.example>", "The new drum kit"),
    ("george", 3, "Billing <billing@supplier.example>", "Invoice 118"),
    ("john", 1, "Tony <tony@songs.example>", "Are you still there?"),
    ("i.am.spam", 4, "Winner <winner@lottery.example>", "YOU WON"),
)


def _in(browser: Any, language: str) -> dict[str, tuple[int, int]]:
    with tempfile.TemporaryDirectory() as folder, DnsThread() as names, Sink() as home:
        names.zone |= {
            (f"mx.{SERVICE}", "A"): ["198.51.100.7"],
            (ALTERNATE, "A"): ["198.51.100.7"],
            (f"mail.{DOMAIN}", "A"): ["203.0.113.5"],
            (DOMAIN, "MX"): [f"10 mail.{DOMAIN}.", f"20 {ALTERNATE}."],
            (DOMAIN, "TXT"): [f'"v=spf1 mx a:mx.{SERVICE} -all"'],
            (STRANGER, "MX"): [f"10 mail.{DOMAIN}."],
            (STRANGER, "TXT"): ['"v=spf1 mx -all"'],
        }
        settings = {
            "host_name": f"mx.{SERVICE}",
            "service_domain": SERVICE,
            "credentials": {"memory": 64, "passes": 1},
            "access": PORTS,
            "dns": {"addresses": [names.address], "ipv6": False},
            "egress": {"networks": ["198.51.100.0/24", "203.0.113.0/24", "127.0.0.1/32"], "ports": [25, home.port]},
            "retry": {"probe_first": 0.2, "probe_longest": 0.5, "message_first": 0.2},
        }
        with Server(folder, settings).start() as server:
            return _taken(browser, language, server, home)


def _taken(browser: Any, language: str, server: Server, home: Sink) -> dict[str, tuple[int, int]]:
    """The customer's own server answers at first, and is down for the last ones."""
    home.up()
    server.command("customer add", domain=DOMAIN, smtp_transport=f"127.0.0.1:{home.port}")
    server.command("password", address=f"postmaster@{DOMAIN}", password=PASSWORD)
    for name, count, sender, subject in _PEOPLE:
        for _ in range(count):
            _bring(server, sender, f"{name}@{DOMAIN}", subject)
    asking = Browser(server.ports["https"], ALTERNATE).log_in(f"postmaster@{DOMAIN}", PASSWORD)
    _until(server, asking, lambda page: all(f"{name}@{DOMAIN}" in page for name, *_ in _PEOPLE))
    shots = Pictures(browser, f"https://{ALTERNATE}:{server.ports['https']}/eg", language)
    shots.log_in(f"postmaster@{DOMAIN}")
    _of_addresses(shots, asking)
    server.wait(lambda: len(home.messages) == sum(count for _, count, *_ in _PEOPLE))
    before = len(home.messages)
    shots.go("/mailboxes")
    shots.page.locator(f"input[value='paul@{DOMAIN}']").check()
    shots.take("invite", f"input[value='paul@{DOMAIN}']", "select[name=deed]", "select[name=deed] + button")
    shots.page.locator("select[name=deed] + button").click()
    server.wait(lambda: len(home.messages) > before)
    mail = home.messages[-1].octets.replace(b"=\r\n", b"").replace(b"=3D", b"=")
    link = re.search(rb"/eg(/password\?token=[\w=\-]+)", mail)
    assert link is not None
    _of_strangers(shots, link[1].decode())
    server.command("password", address=f"paul@{DOMAIN}", password=PASSWORD)
    home.down()
    for name, _, sender, subject in _PEOPLE[:4]:
        _bring(server, sender, f"{name}@{DOMAIN}", subject)
    _of_an_outage(shots, server)
    return shots.sizes


def _of_addresses(shots: Pictures, asking: Browser) -> None:
    page = shots.page
    shots.go("/candidates")
    shots.take("candidates")
    spam, george = f"input[value='i.am.spam@{DOMAIN}']", f"input[value='george@{DOMAIN}']"
    page.locator(spam).check()
    shots.take("banish", spam, "button[value=banish]")
    asking.post("/candidates", {"address": f"i.am.spam@{DOMAIN}", "deed": "banish", "sure": "yes"})
    asking.post("/candidates", {"address": [f"{name}@{DOMAIN}" for name in ("paul", "ringo")], "deed": "mailbox"})
    shots.go("/candidates")
    page.locator(george).check()
    page.locator("input[name=mailbox]").fill("paul")
    shots.take("alias", george, "input[name=mailbox]", "button[value=alias]")
    for name, mailbox in (("george", "paul"), ("john", "ringo")):
        asking.post("/candidates", {"address": f"{name}@{DOMAIN}", "deed": "alias", "mailbox": mailbox})
    shots.go("/aliases")
    shots.take("aliases")
    shots.go(f"/mailboxes/paul@{DOMAIN}")
    shots.take("mailbox", most=560)


def _of_strangers(shots: Pictures, link: str) -> None:
    shots.log_out()
    shots.go(link)
    shots.take("password")
    shots.go(f"/assistant/mail?address=paul@{DOMAIN}")
    code = segno.make(f"https://{ALTERNATE}/eg/assistant/mail", error="m")
    picture = code.svg_inline(scale=4, border=3, light="#fff", dark="#14233a", omitsize=True)
    shots.page.locator(".eg-code").evaluate("(element, picture) => element.innerHTML = picture", picture)
    shots.take("program")
    shots.go("/assistant/dns")
    shots.page.locator("#domain").fill(STRANGER)
    shots.page.locator("form.eg-card .btn-primary").click()
    shots.page.locator(".eg-record").first.wait_for()
    shots.take("dns", most=900)


def _of_an_outage(shots: Pictures, server: Server) -> None:
    shots.log_in(f"postmaster@{DOMAIN}")

    def down() -> bool:
        shots.go("/overview")
        return bool(shots.page.locator(".eg-figure .eg-bad").count())

    server.wait(down)
    shots.take("overview")
    shots.go("/pending")
    shots.take("pending")

    def found() -> bool:
        shots.go("/where")
        return shots.page.locator("tbody tr").count() >= 10

    server.wait(found)
    shots.take("where")
    shots.page.locator("tbody tr", has_text="4711").last.locator("a").click()
    shots.take("story")


def _bring(server: Server, sender: str, to: str, subject: str) -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, to, subject
    message.set_content("Hello,\n\nplease call me back.\n")
    with smtplib.SMTP("127.0.0.1", server.ports["smtp"], local_hostname="mail.sender.example", timeout=30) as client:
        client.send_message(message)


def _until(server: Server, browser: Browser, shown: Callable[[str], bool]) -> None:
    server.wait(lambda: browser.post("/candidates/tidy").status == 303 and shown(browser.get("/candidates").text))


if __name__ == "__main__":
    make()
