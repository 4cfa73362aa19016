"""What somebody sees in a real Chromium when the console refuses: wrong password, old link, taken address, no room,
lost session. The pictures lie in the folder that is printed, to be looked at.
"""

import email
import email.policy
import imaplib
import re
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("playwright.sync_api")

from tests.support.chromium import Screen, chromium
from tests.support.dns_thread import DnsThread
from tests.support.people_in_chromium import (
    PASSWORD,
    RESOLVED,
    expire,
    incoming,
    letter,
    log_in,
    root,
    settings,
    unchecked,
)
from tests.support.server import Server
from tests.support.sink import Sink

pytestmark = pytest.mark.peer("chromium")
NEW = "Yellow-submarine2"


@pytest.fixture(scope="module")
def home() -> Iterator[Sink]:
    """The customers' own server."""
    with Sink() as sink:
        sink.up()
        yield sink


@pytest.fixture(scope="module")
def server(tmp_path_factory: Any, home: Sink) -> Iterator[Server]:
    with (
        DnsThread() as names,
        Server(tmp_path_factory.mktemp("server"), settings(names, home)).start() as server,
    ):
        server.command("plan add", plan="tiny", mailboxes=2, mailbox_quota="1 MiB", message_size="1 MiB")
        server.command("customer add", domain="mydomain.zz")
        yield server


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium(RESOLVED) as browser:
        yield browser


@pytest.fixture
def screen(browser: Any, tmp_path: Any) -> Iterator[Screen]:
    screen = Screen(browser, "desk", tmp_path)
    yield screen
    screen.context.close()


@pytest.fixture
def customer(server: Server, request: pytest.FixtureRequest) -> str:
    """A domain of its own for each, in the plan with room for two mailboxes, the postmaster's included."""
    domain = f"{request.node.name.removeprefix('test_').split('_')[1]}.zz"
    server.command("customer add", domain=domain, plan="tiny")
    server.command("password", address=f"postmaster@{domain}", password=PASSWORD)
    return domain


def test_a_wrong_password_is_refused_with_words(server: Server, screen: Screen, customer: str) -> None:
    log_in(screen, server, f"postmaster@{customer}", "wrong")
    assert screen.page.get_by_role("alert").inner_text().strip() == "The address or the password is wrong."
    assert screen.page.get_by_label("Your mail address").input_value() == f"postmaster@{customer}"
    screen.picture("wrong-password")
    screen.page.get_by_label("Password").fill(PASSWORD)
    screen.page.get_by_role("button", name="Log in", exact=True).click()
    assert screen.page.url == f"{root(server)}/overview"
    assert screen.troubles == []


def test_an_expired_link_sets_no_password(server: Server, home: Sink, screen: Screen, customer: str) -> None:
    page = screen.page
    server.command("customer set", customer=customer, smtp_transport=f"127.0.0.1:{home.port}")
    before = len(home.messages)
    log_in(screen, server, f"postmaster@{customer}", PASSWORD)
    page.get_by_role("link", name="Mailbox", exact=True).click()
    page.get_by_label(f"Tick postmaster@{customer}").check()
    page.get_by_label("With those ticked:").select_option("password")
    page.get_by_role("button", name="Do it").click()
    server.wait(lambda: len(home.messages) > before)
    mail = email.message_from_bytes(home.messages[-1].octets, policy=email.policy.default)
    link = re.findall(r"https://\S+", mail.get_body(("plain",)).get_content())[0]
    page.get_by_role("button", name="Log out").click()
    page.goto(root(server) + link.partition("/eg")[2])
    page.get_by_label("New password", exact=True).fill(NEW)
    page.get_by_label("New password again").fill(NEW)
    expire(server, "password link:*")
    page.get_by_role("button", name="Set password").click()
    screen.picture("expired")
    page.get_by_role("link", name="Ask for another one").click()
    log_in(screen, server, f"postmaster@{customer}", PASSWORD)
    assert page.url == f"{root(server)}/overview"
    assert screen.troubles == []


def test_a_taken_address_stays_what_it_is(server: Server, screen: Screen, customer: str) -> None:
    page = screen.page
    log_in(screen, server, f"postmaster@{customer}", PASSWORD)
    server.command("alias add", address=f"info@{customer}", mailbox=f"postmaster@{customer}")
    page.get_by_role("link", name="Mailbox", exact=True).click()
    page.get_by_label("Address of a new mailbox").fill("INFO")
    page.get_by_role("button", name="Add mailbox").click()
    page.get_by_text(f"info@{customer}").first.wait_for()
    screen.picture("taken")
    page.get_by_role("link", name="Alias", exact=True).click()
    assert page.get_by_role("cell", name=f"info@{customer}", exact=True).count() == 1
    assert screen.troubles == []


def test_a_full_plan_makes_no_mailbox(server: Server, screen: Screen, customer: str) -> None:
    page = screen.page
    log_in(screen, server, f"postmaster@{customer}", PASSWORD)
    for name in ("first", "second"):
        page.get_by_role("link", name="Mailbox", exact=True).click()
        page.get_by_label("Address of a new mailbox").fill(name)
        page.get_by_role("button", name="Add mailbox").click()
    screen.picture("full")
    page.get_by_role("link", name="Mailbox", exact=True).click()
    assert page.get_by_role("link", name=f"first@{customer}").count() == 1
    assert page.get_by_role("link", name=f"second@{customer}").count() == 0
    assert screen.troubles == []


def test_a_lost_session_leads_to_the_login_and_does_nothing(server: Server, screen: Screen, customer: str) -> None:
    page = screen.page
    log_in(screen, server, f"postmaster@{customer}", PASSWORD)
    page.get_by_role("link", name="Banished", exact=True).click()
    page.get_by_label("Address to banish").fill("spam")
    expire(server, "session:*")
    page.get_by_role("button", name="Banish", exact=True).click()
    assert page.url == f"{root(server)}/login"
    assert "Your session has ended" in page.get_by_role("alert").inner_text()
    screen.picture("lost")
    log_in(screen, server, f"postmaster@{customer}", PASSWORD)
    page.get_by_role("link", name="Banished", exact=True).click()
    assert page.get_by_role("cell", name=f"spam@{customer}", exact=True).count() == 0
    assert screen.troubles == []


def test_a_mailbox_without_room_takes_mail_but_nothing_that_its_user_puts_there(
    server: Server, screen: Screen, customer: str
) -> None:
    page, address = screen.page, f"postmaster@{customer}"
    for number in range(2):
        incoming(server, [address], f"Plans {number}", "x" * 70 * 8000)
    log_in(screen, server, address, PASSWORD)

    def full() -> bool:
        page.goto(f"{root(server)}/mailboxes/{address}")
        return bool(page.get_by_text("1.1 MiB of 1.0 MiB").count())

    server.wait(full)
    screen.picture("no-room")
    with imaplib.IMAP4_SSL("127.0.0.1", server.ports["imaps"], ssl_context=unchecked(), timeout=30) as client:
        client.login(address, PASSWORD)
        kind, [words] = client.append("INBOX", "", None, letter(address, [address], "A draft").as_bytes())
    assert (kind, b"OVERQUOTA" in words) == ("NO", True)
    assert screen.troubles == []
