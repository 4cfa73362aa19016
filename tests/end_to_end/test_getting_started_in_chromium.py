"""The way of "Getting started", from an empty account to mail given back, in a real Chromium on mail that came by SMTP.

The pictures lie in the folder that is printed, to be looked at.
"""

import email
import email.policy
import re
import smtplib
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("playwright.sync_api")

from tests.support.chromium import Screen, chromium
from tests.support.dns_thread import DnsThread
from tests.support.people_in_chromium import (
    ALTERNATE,
    DOMAIN,
    PASSWORD,
    POSTMASTER,
    RESOLVED,
    came,
    incoming,
    letter,
    log_in,
    public_dns,
    root,
    settings,
    subjects,
    unchecked,
)
from tests.support.server import Server
from tests.support.sink import Sink

PAULS, RINGOS = "Yellow-submarine2", "Octopus-garden3"
OUTSIDE = "paul@home.example"


@pytest.fixture
def names() -> Iterator[DnsThread]:
    with DnsThread() as names:
        public_dns(names)
        yield names


@pytest.fixture
def home() -> Iterator[Sink]:
    """The customer's own server."""
    with Sink() as sink:
        sink.up()
        yield sink


@pytest.fixture
def server(tmp_path: Any, names: DnsThread, home: Sink) -> Iterator[Server]:
    with Server(tmp_path / "server", settings(names, home)).start() as server:
        server.command("customer add", domain=DOMAIN, smtp_transport=f"127.0.0.1:{home.port}")
        server.command("password", address=POSTMASTER, password=PASSWORD)
        yield server


@pytest.fixture
def screen(tmp_path_factory: Any) -> Iterator[Screen]:
    with chromium(RESOLVED) as browser:
        screen = Screen(browser, "desk", tmp_path_factory.mktemp("pictures"))
        yield screen
        screen.context.close()


@pytest.mark.peer("chromium")
@pytest.mark.timeout(300)
def test_getting_started_in_its_order(server: Server, home: Sink, names: DnsThread, screen: Screen) -> None:
    page, picture = screen.page, screen.picture
    people = ("paul", "ringo", "george", "john", "i.am.spam")

    # mail to the alternate domain comes home as if it had been sent to the domain itself
    incoming(server, [f"{name}@{ALTERNATE}" for name in people], "Hello")
    server.wait(lambda: all(came(home, "Hello", f"{name}@{DOMAIN}") == 1 for name in people))

    # its addresses are candidates, under the domain's own name
    log_in(screen, server, POSTMASTER, PASSWORD)
    page.get_by_role("link", name="Candidate", exact=True).click()
    page.get_by_role("button", name="Look for new ones now").click()
    for name in people:
        page.get_by_role("link", name=f"{name}@{DOMAIN}", exact=True).wait_for()
    assert page.get_by_text(ALTERNATE).count() == 0
    picture("01-candidates")
    page.get_by_role("link", name=f"paul@{DOMAIN}").click()
    page.get_by_text("Come together.").wait_for()
    picture("02-received")

    def ticked(*names: str) -> None:
        page.get_by_role("link", name="Candidate", exact=True).click()
        for name in names:
            page.get_by_label(f"Tick {name}@{DOMAIN}").check()

    def back(pictured: str) -> None:
        page.get_by_role("link", name="Back to the list").first.wait_for()
        page.get_by_role("button", name="Undo").or_(page.get_by_text("done", exact=True)).first.wait_for()
        picture(pictured)
        page.get_by_role("link", name="Back to the list").click()

    # one is banished, and comes back
    ticked("i.am.spam")
    page.get_by_role("button", name="Banish").click()
    picture("03-sure")
    page.get_by_role("button", name="Destroy").click()
    back("04-banished-result")
    page.get_by_role("link", name="Banished", exact=True).click()
    page.get_by_role("cell", name=f"i.am.spam@{DOMAIN}", exact=True).wait_for()
    picture("05-banished")
    incoming(server, [f"i.am.spam@{DOMAIN}"], "Lost for good")
    page.get_by_label(f"Tick i.am.spam@{DOMAIN}").check()
    page.get_by_role("button", name="Banished no more").click()
    page.get_by_role("link", name="Banished", exact=True).click()
    assert page.get_by_role("cell", name=f"i.am.spam@{DOMAIN}", exact=True).count() == 0
    page.get_by_label("Address to banish").fill("i.am.spam")
    page.get_by_role("button", name="Banish", exact=True).click()

    # two become mailboxes, two their aliases
    ticked("paul", "ringo")
    page.get_by_role("button", name="Mailbox", exact=True).click()
    back("06-mailboxes-result")
    for name, mailbox in (("george", "paul"), ("john", "ringo")):
        ticked(name)
        page.get_by_label("Mailbox of the alias").fill(mailbox)
        page.get_by_role("button", name="Alias of").click()
        back(f"07-alias-{name}")
    page.get_by_role("link", name="Candidate", exact=True).click()
    assert page.get_by_text("Nothing found.").count() == 1

    # the mailboxes have an alias each and no password yet; one is invited
    page.get_by_role("link", name="Mailbox", exact=True).click()
    row = page.get_by_role("row").filter(has=page.get_by_role("link", name=f"paul@{DOMAIN}"))
    assert [row.get_by_role("cell").nth(at).inner_text().strip() for at in (2, 3)] == ["none yet", "1"]
    picture("08-mailboxes")
    page.get_by_label(f"Tick paul@{DOMAIN}").check()
    page.get_by_label("With those ticked:").select_option("password")
    before = len(home.messages)
    page.get_by_role("button", name="Do it").click()
    server.wait(lambda: len(home.messages) > before)
    picture("09-invited")

    # the other gets his password from the administrator, and the members of a list their mail
    page.get_by_role("link", name="Mailbox", exact=True).click()
    page.get_by_role("link", name=f"ringo@{DOMAIN}").click()
    page.get_by_label("New password", exact=True).fill(RINGOS)
    page.get_by_label("New password again").fill(RINGOS)
    page.get_by_role("button", name="Set password").click()
    page.get_by_text("john@").first.wait_for()
    picture("10-ringo")
    page.get_by_role("link", name="Alias", exact=True).click()
    page.get_by_role("cell", name=f"george@{DOMAIN}", exact=True).wait_for()
    picture("11-aliases")
    page.get_by_role("link", name="Distribution list").click()
    page.get_by_label("Address of the list").fill("band")
    page.get_by_label("Members").fill("paul, ringo")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("button", name="Log out").click()

    # the invited one finds the mail in his usual mailbox and chooses his password
    mail = email.message_from_bytes(home.messages[-1].octets, policy=email.policy.default)
    assert home.messages[-1].recipients == (f"paul@{DOMAIN}",)
    html = mail.get_body(("html",)).get_content()
    page.goto("about:blank")  # the console's policy forbids what a mail needs
    page.set_content(html)
    picture("12-invitation")
    [link] = set(re.findall(r'href="(https://[^"]+)"', html))
    assert link.startswith(f"{root(server)}/password?")
    page.goto(link)
    page.get_by_label("New password", exact=True).fill(PAULS)
    page.get_by_label("New password again").fill(PAULS)
    picture("13-password")
    page.get_by_role("button", name="Set password").click()
    picture("14-password-set")

    # he logs in to his own mailbox, forwards it, and sees no more than that
    log_in(screen, server, f"paul@{DOMAIN}", PAULS)
    assert page.url == f"{root(server)}/mailboxes/paul@{DOMAIN}"
    assert page.get_by_role("link", name="Candidate", exact=True).count() == 0
    page.get_by_label("Addresses, one a line").fill(OUTSIDE)
    page.get_by_label("Keep a copy here").check()
    page.get_by_role("button", name="Save").first.click()
    for words in (f"george@{DOMAIN}", f"band@{DOMAIN}", f"{ALTERNATE}, port"):
        assert page.get_by_text(words).count() >= 1
    picture("15-paul")
    assert page.goto(f"{root(server)}/aliases").status == 403
    picture("16-not-his")
    page.get_by_role("button", name="Log out").click()

    # what had come before there were mailboxes is in them: by IMAP with the new passwords
    assert subjects(server, f"paul@{DOMAIN}", PAULS) == ["Hello", "Hello"]  # his, and George's
    assert subjects(server, f"ringo@{DOMAIN}", RINGOS) == ["Hello", "Hello"]
    page.get_by_role("link", name="Mail program").click()
    page.get_by_label("Your mail address").fill(f"paul@{DOMAIN}")
    page.get_by_role("button", name="Show my settings").click()
    assert page.get_by_text(ALTERNATE).count() >= 2
    picture("17-mail-program")

    # the MX pointer: what to publish, and that it is there
    page.get_by_role("link", name="DNS records").click()
    page.get_by_label("Domain", exact=True).fill(DOMAIN)
    page.get_by_role("button", name="Check the live records").click()
    page.get_by_text(f"{DOMAIN} is not ready yet").wait_for()
    picture("18-dns-missing")
    to_add = page.locator("tr.eg-new code").all_inner_texts()
    names.zone[(DOMAIN, "MX")] += [f"{text}." for text in to_add if re.fullmatch(r"[0-9]+ [a-z.]+", text)]
    names.zone[(DOMAIN, "TXT")] = [f'"{text.strip(chr(34))}"' for text in to_add if "v=spf1" in text]
    page.get_by_role("button", name="Check the live records").click()
    page.get_by_text(f"{DOMAIN} is ready").wait_for()
    picture("19-dns-ready")

    # his server is down: mail comes in, is read and answered, and goes home afterwards
    home.down()
    incoming(server, [f"band@{DOMAIN}", f"george@{DOMAIN}"], "Still there?")
    server.wait(lambda: subjects(server, f"ringo@{DOMAIN}", RINGOS).count("Still there?") == 1)
    server.wait(lambda: subjects(server, f"paul@{DOMAIN}", PAULS).count("Still there?") == 1)  # once a mailbox
    with smtplib.SMTP("127.0.0.1", server.ports["submission"], local_hostname="laptop", timeout=30) as client:
        client.starttls(context=unchecked())
        client.login(f"paul@{DOMAIN}", PAULS)
        client.send_message(letter(f"paul@{DOMAIN}", [f"ringo@{DOMAIN}"], "Yes"))
    server.wait(lambda: "Yes" in subjects(server, f"ringo@{DOMAIN}", RINGOS))
    log_in(screen, server, POSTMASTER, PASSWORD)

    def looked(words: str) -> bool:
        page.goto(f"{root(server)}/overview")
        return bool(page.get_by_text(words, exact=True).count())

    server.wait(lambda: looked("does not answer"))
    picture("20-server-down")
    page.goto(f"{root(server)}/pending")
    picture("21-pending")
    home.up()
    page.get_by_role("button", name="Flush").click()
    page.get_by_role("button", name="Flush now").click()
    server.wait(lambda: came(home, "Still there?", f"band@{DOMAIN}") and came(home, "Yes", f"ringo@{DOMAIN}"))
    server.wait(lambda: looked("0 messages"))
    picture("22-given-back")
    assert came(home, "Still there?", f"george@{DOMAIN}") == 1
    assert came(home, "Lost for good", f"i.am.spam@{DOMAIN}") == 0

    # and where is it?
    def found() -> bool:
        page.goto(f"{root(server)}/where?q=Still+there")
        return bool(page.get_by_role("cell", name="Still there?").count())

    server.wait(found)
    picture("23-where")
    page.get_by_role("row").filter(has_text="tony@songs.example").get_by_role("link").last.click()
    picture("24-story")
    page.get_by_role("link", name="Help", exact=True).click()
    assert page.url == f"{root(server)}/help/where#story"
    picture("25-help")
    assert screen.troubles == []
