"""Contact addresses: proven by a link in a mail, told what they want to know, and no weapon (row E4, attack row 19)."""

import email
import email.policy
import glob
import re
import smtplib
from email.message import EmailMessage
from functools import cache
from urllib.parse import quote

import pytest

from tests.support.browser import Browser
from tests.support.server import Server

PASSWORD = "Correct-horse1"
FRIEND = "friend@other.zz"  # outside of mydomain.zz, and yet within reach of a test


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    settings = {
        "credentials": {"memory": 64, "passes": 1},
        "web": {"connections": {"per_network": 200}, "captcha": {"after": 1000}},
    }
    with Server(tmp_path_factory.mktemp("server"), settings).start() as server:
        for domain in ("mydomain.zz", "other.zz"):
            server.command("customer add", domain=domain, relay="none")
            server.command("password", address=f"postmaster@{domain}", password=PASSWORD)
        for address in (FRIEND, "paul@mydomain.zz", "second@other.zz", "third@other.zz"):
            server.command("mailbox add", address=address)
        yield server


@pytest.fixture
def browser(server: Server) -> Browser:
    return Browser(server.ports["https"]).log_in("postmaster@mydomain.zz", PASSWORD)


@pytest.fixture
def stranger(server: Server) -> Browser:
    return Browser(server.ports["https"])


@cache
def mailbox(server: Server, address: str) -> str:
    """Its id."""
    return str(server.command("mailbox show", address=address)["id"])


def letters(server: Server, address: str) -> list[EmailMessage]:
    """What lies in a mailbox, the oldest first."""
    id = mailbox(server, address)
    found = []
    for path in sorted(glob.glob(f"{server.data}/customers/*/mailboxes/{id}/new/*")):
        with open(path, "rb") as file:
            found.append(email.message_from_binary_file(file, policy=email.policy.default))
    return found


def text(letter: EmailMessage) -> str:
    plain = letter.get_body(("plain",))
    assert plain is not None
    return str(plain.get_content())


def token(server: Server, address: str, count: int = 1) -> str:
    """Of the link in the newest of `count` letters."""
    server.wait(lambda: len(letters(server, address)) == count)
    letter = letters(server, address)[-1]
    found = re.search(r"https://(\S+?)/eg/contact\?token=(\S+)", text(letter))
    assert found
    assert found[1] == f"mydomainzz.emailgency.zz:{server.ports['https']}"
    assert found[0] in letter.get_body(("html",)).get_content()
    return found[2]


def test_an_address_is_a_contact_when_somebody_there_has_used_the_link(
    server: Server, browser: Browser, stranger: Browser
) -> None:
    assert "Nobody would hear that your server is down" in browser.get("/contacts").text
    assert browser.post("/contacts/add", {"address": "paul@mydomain.zz"}).status == 303
    assert browser.post("/contacts/add", {"address": FRIEND}).status == 303
    assert browser.post("/contacts/add", {"address": FRIEND.upper()}).status == 400
    assert browser.post("/contacts/add", {"address": "nobody"}).status == 400
    page = browser.get("/contacts").text
    assert page.count("waits for its confirmation") == 2
    assert page.count("in your own domain") == 1
    link = token(server, FRIEND)
    letter = letters(server, FRIEND)[0]
    assert (letter["Auto-Submitted"], letter["Return-Path"]) == ("auto-generated", "<>")
    for _ in range(2):  # attack row 19: looking uses nothing up
        assert FRIEND in stranger.get(f"/contact?token={link}").text
    assert "waits for its confirmation" in browser.get("/contacts").text
    answer = stranger.post("/contact", {"token": link})
    assert "Your address is confirmed" in answer.text
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    page = browser.get("/contacts").text
    assert page.count("waits for its confirmation") == 1
    assert "Nobody would hear" not in page
    audit = browser.get("/audit").text
    assert f"contact {FRIEND} verified" in audit
    assert "mailed link" in audit


def test_attack_19_a_link_of_a_contact_is_used_once_and_a_guess_is_worth_nothing(
    server: Server, browser: Browser, stranger: Browser
) -> None:
    browser.post("/contacts/add", {"address": "second@other.zz"})
    link = token(server, "second@other.zz")
    assert stranger.post("/contact", {"token": link}).status == 200
    for guess in (link, "", "x" * 5000, "\x00", "contact link:*"):
        assert stranger.post("/contact", {"token": guess}).status == 410
        assert stranger.get(f"/contact?token={quote(guess)}").status == 410
    assert link not in server.log()


def test_attack_19_a_link_proves_nothing_once_the_contact_is_removed(
    server: Server, browser: Browser, stranger: Browser
) -> None:
    browser.post("/contacts/add", {"address": "third@other.zz"})
    first = token(server, "third@other.zz")
    browser.post("/contacts", {"address": "third@other.zz", "deed": "mail"})
    second = token(server, "third@other.zz", 2)
    browser.post("/contacts", {"address": "third@other.zz", "deed": "remove"})
    assert [stranger.post("/contact", {"token": one}).status for one in (first, second)] == [410, 410]
    browser.post("/contacts/add", {"address": "third@other.zz"})
    browser.post("/contacts", {"address": "third@other.zz", "deed": "mail"})
    browser.post("/contacts", {"address": "third@other.zz", "deed": "mail"})
    assert len(letters(server, "third@other.zz")) <= 3  # nobody is flooded by somebody else's typing
    browser.post("/contacts", {"address": "third@other.zz", "deed": "remove"})


def test_what_a_contact_is_told_of_is_chosen(server: Server, browser: Browser) -> None:
    browser.post("/contacts", {"address": FRIEND, "deed": "save", "wants": ["quota", "nonsense"]})
    page = browser.get("/contacts").text
    assert re.search(r'value="quota" id="wants-\d-quota" checked', page)
    assert not re.search(rf'value="{FRIEND}">(?s:.)*?value="report" id="wants-2-report" checked', page)
    assert "Nobody would hear" not in page  # second@other.zz would
    assert browser.post("/contacts", {"address": "who@else.zz", "deed": "save"}).status == 400
    assert browser.post("/contacts", {"address": FRIEND, "deed": "x"}).status == 400
    browser.post("/contacts", {"address": FRIEND, "deed": "save", "wants": ["quota", "shortened", "server", "report"]})


def test_who_has_a_full_mailbox_is_told_and_so_are_the_contacts(server: Server, browser: Browser) -> None:
    """Everything real: the plan is made small, mail comes, and the oldest goes."""
    server.command("plan add", plan="tiny", mailbox_quota="1MiB", message_size="512KiB")
    server.command("customer set", customer="mydomain.zz", plan="tiny")
    before = len(letters(server, FRIEND))
    with smtplib.SMTP("127.0.0.1", server.ports["smtp"], timeout=20) as client:
        for number in range(3):
            body = f"Subject: letter {number}\r\nFrom: bert@far.example\r\n\r\n" + ("x" * 70 + "\r\n") * 5000
            client.sendmail("bert@far.example", ["paul@mydomain.zz"], body)
    server.wait(lambda: len(letters(server, FRIEND)) > before)
    letter = letters(server, FRIEND)[-1]
    assert letter["Subject"] == "The mailbox paul@mydomain.zz is full"
    assert "1.0 MiB" in text(letter)
    server.wait(lambda: any("is full" in one["Subject"] for one in letters(server, "paul@mydomain.zz")))
    assert len([one for one in letters(server, "paul@mydomain.zz") if one["Subject"].startswith("letter")]) == 3


def test_how_long_mail_is_kept_is_chosen_within_the_plan(server: Server, browser: Browser) -> None:
    here = "/mailboxes/paul@mydomain.zz"
    assert browser.post(f"{here}/expiration", {"days": "7"}).away == f"/eg{here}"
    assert "7 days" in browser.get(here).text
    assert server.command("mailbox show", address="paul@mydomain.zz")["expiration_delay"] == 7
    for wrong in ("0", "91", "-1", "many", "7.5", "٣", "9" * 30):
        assert browser.post(f"{here}/expiration", {"days": wrong}).status == 400
    browser.post(f"{here}/expiration", {"days": ""})
    assert "30 days" in browser.get(here).text


def test_the_last_login_is_shown(server: Server, browser: Browser) -> None:
    server.command("password", address="second@other.zz", password=PASSWORD)
    own = Browser(server.ports["https"]).log_in("second@other.zz", PASSWORD)
    server.wait(lambda: "(console)" in own.get("/mailboxes/second@other.zz").text)
    assert "(console)" not in browser.get("/mailboxes/paul@mydomain.zz").text
