"""Domain settings, and a password by mail, in a real Chromium: at a desk and with a phone that runs no JavaScript."""

import email
import email.policy
import re

import pytest

from emailgency.servers.web.console.console import CHALLENGE
from tests.support.captcha import digits
from tests.support.server import Server
from tests.support.sink import Sink

pytest.importorskip("playwright.sync_api")

from tests.support.chromium import LOOKS, Screen, chromium

PASSWORD, NEW = "Correct-horse1", "Another-pass2"


@pytest.fixture(scope="module")
def sink():
    with Sink() as sink:
        yield sink


@pytest.fixture(scope="module")
def server(tmp_path_factory, sink: Sink):
    settings = {"egress": {"networks": ["127.0.0.1/32"], "ports": [sink.port]}, "flush": {"interval": 0}}
    with Server(tmp_path_factory.mktemp("server"), settings).start() as server:
        server.command("customer add", domain="mydomain.zz", smtp_transport=f"127.0.0.1:{sink.port}")
        server.command("password", address="postmaster@mydomain.zz", password=PASSWORD)
        yield server


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.mark.peer("chromium")
@pytest.mark.parametrize("look", LOOKS)
def test_a_user_is_invited_by_mail_and_sets_his_password(
    server: Server, browser, sink: Sink, tmp_path_factory, look: str
) -> None:
    screen = Screen(browser, look, tmp_path_factory.mktemp(f"pictures-{look}"))
    page, picture = screen.page, screen.picture
    root = f"https://127.0.0.1:{server.ports['https']}/eg"
    address = f"paul-{look}@mydomain.zz"
    server.command("mailbox add", address=address)

    page.goto(f"{root}/login")
    page.get_by_label("Your mail address").fill("postmaster@mydomain.zz")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in", exact=True).click()
    page.get_by_role("link", name="Domain settings").click()
    page.get_by_label("Days that mail waits for your server").fill("14")
    page.get_by_role("button", name="Save").first.click()
    assert server.command("customer show", customer="mydomain.zz")["pending_lifetime"] == 14
    page.get_by_label("SMTP transport").fill("169.254.169.254")
    page.get_by_role("button", name="Save").first.click()
    assert page.get_by_role("alert").count() == 1
    picture("refused")
    page.goto(f"{root}/domain")
    picture("domain")
    page.get_by_role("button", name="Flush").click()
    picture("flush")
    page.get_by_role("button", name="Flush now").click()
    picture("pending")
    page.get_by_role("link", name="Audit log").click()
    assert page.get_by_text("Days that mail waits for your server:").count() >= 1
    picture("audit")

    def invite() -> None:
        page.get_by_role("link", name="Mailbox", exact=True).click()
        page.get_by_label(f"Tick {address}").check()
        page.get_by_label("With those ticked:").select_option("password")
        page.get_by_role("button", name="Do it").click()

    sink.down()
    invite()
    assert page.get_by_role("link", name="Set by hand").count() == 1
    picture("by-hand")
    sink.up()
    before = len(sink.messages)
    invite()
    assert len(sink.messages) == before + 1
    page.get_by_role("button", name="Log out").click()

    message = email.message_from_bytes(sink.messages[-1].octets, policy=email.policy.default)
    html = message.get_body(("html",)).get_content()
    page.goto("about:blank")  # the console's policy forbids what a mail needs
    page.set_content(html)
    picture("mail")
    [link] = set(re.findall(r'href="(https://[^"]+)"', html))
    page.goto(root + link.partition("/eg")[2])
    picture("password")
    for typed in ("abcdefgh", NEW):
        page.get_by_label("New password", exact=True).fill(typed)
        page.get_by_label("New password again").fill(typed)
        page.get_by_role("button", name="Set password").click()
        picture(f"password-{'set' if typed == NEW else 'weak'}")
    page.goto(root + link.partition("/eg")[2])
    picture("link-dead")
    page.get_by_role("link", name="Ask for another one").click()
    page.get_by_label("Your mail address").fill(address)
    [challenge] = [one["value"] for one in page.context.cookies() if one["name"] == CHALLENGE]
    page.wait_for_load_state("load")
    assert page.get_by_alt_text("Six digits").evaluate("image => image.naturalWidth") == 320
    picture("asking")
    page.get_by_label("The digits of the picture").fill(digits(server, challenge))
    page.get_by_role("button", name="Mail me a link").click()
    picture("forgotten")
    server.wait(lambda: len(sink.messages) == before + 2)
    page.get_by_role("link", name="To the login").click()
    page.get_by_label("Your mail address").fill(address)
    page.get_by_label("Password").fill(NEW)
    page.get_by_role("button", name="Log in", exact=True).click()
    assert page.url == f"{root}/mailboxes/{address}"
    assert screen.troubles == []
    screen.context.close()
