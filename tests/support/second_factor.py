"""Two-factor login as people do it: in the browser, and with their mail programs."""

import imaplib
import poplib
import re
import smtplib
import ssl

from tests.support.browser import Browser
from tests.support.phone import Phone
from tests.support.server import Server

PASSWORD = "Correct-horse1"
UNCHECKED = ssl._create_unverified_context()


def stranger(server: Server, host: str = "mydomainzz.emailgency.zz") -> Browser:
    return Browser(server.ports["https"], host)


def switch_on(browser: Browser) -> tuple[Phone, list[str]]:
    """On the page Security of who has logged in."""
    browser.get("/security")
    assert browser.post("/security/phone/new", {"password": PASSWORD}).away == "/eg/security/phone"
    page = browser.get("/security/phone").text
    assert "<svg" in page
    found = re.search(r'<code class="text-reset">([A-Z2-7 ]+)</code>', page)
    assert found
    phone = Phone(found[1])
    wrong = browser.post("/security/phone", {"code": "nothing"})
    assert (wrong.status, "not the code your phone shows" in wrong.text) == (400, True)
    page = browser.post("/security/phone", {"code": phone.code()}).text
    codes = re.findall(r"<li><code[^>]*>([a-z2-9-]{19})</code>", page)
    assert len(codes) == 10
    return phone, codes


def half(server: Server, name: str) -> Browser:
    """Whose password was right."""
    browser = stranger(server)
    answer = browser.post("/login", {"name": name, "password": PASSWORD})
    assert answer.away == "/eg/login/code", answer.text
    assert "__Host-emailgency" not in browser.cookies
    assert browser.get("/login/code").status == 200
    return browser


def opens(server: Server, name: str, password: str) -> dict[str, bool]:
    """Which mail programs get in."""

    def pop() -> None:
        client = poplib.POP3_SSL("127.0.0.1", server.ports["pop3s"], timeout=20, context=UNCHECKED)
        client.user(name)
        client.pass_(password)
        client.quit()

    def imap() -> None:
        client = imaplib.IMAP4_SSL("127.0.0.1", server.ports["imaps"], timeout=20, ssl_context=UNCHECKED)
        client.login(name, password)
        client.logout()

    def smtp() -> None:
        with smtplib.SMTP_SSL("127.0.0.1", server.ports["submissions"], timeout=20, context=UNCHECKED) as client:
            client.login(name, password)

    found = {}
    refusals = (poplib.error_proto, imaplib.IMAP4.error, smtplib.SMTPAuthenticationError)
    for kind, work in (("pop3", pop), ("imap", imap), ("smtp", smtp)):
        try:
            work()
            found[kind] = True
        except refusals:
            found[kind] = False
    return found


def app_password(browser: Browser, address: str, name: str = "Thunderbird") -> str:
    browser.get(f"/mailboxes/{address}/app-passwords")
    page = browser.post(f"/mailboxes/{address}/app-passwords", {"name": name}).text
    found = re.search(r"([a-z2-9]{4}(-[a-z2-9]{4}){4})</code>", page)
    assert found
    return found[1]


def is_cut(client: imaplib.IMAP4) -> bool:
    """Whether the server ends the session within some commands."""
    try:
        for _ in range(1000):
            client.noop()
    except (imaplib.IMAP4.error, OSError):
        return True
    return False
