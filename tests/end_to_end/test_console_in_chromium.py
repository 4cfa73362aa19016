"""An administrator at work in a real Chromium: with and without JavaScript, light and dark, desk and phone.

The pictures lie in the folder that the test prints, to be looked at.
"""

import pytest

from tests.support.server import Server

pytest.importorskip("playwright.sync_api")

from tests.support.chromium import LOOKS, Screen, chromium

PASSWORD = "Correct-horse1"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with Server(tmp_path_factory.mktemp("server")).start() as server:
        server.command("customer add", domain="mydomain.zz")
        server.command("password", address="postmaster@mydomain.zz", password=PASSWORD)
        yield server


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.mark.peer("chromium")
@pytest.mark.parametrize("look", LOOKS)
def test_an_administrator_keeps_his_addresses(server: Server, browser, tmp_path_factory, look: str) -> None:
    screen = Screen(browser, look, tmp_path_factory.mktemp(f"pictures-{look}"))
    page, picture = screen.page, screen.picture
    root = f"https://127.0.0.1:{server.ports['https']}/eg"

    page.goto(f"{root}/login")
    picture("login")
    page.get_by_label("Your mail address").fill("postmaster@mydomain.zz")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in", exact=True).click()
    assert page.url == f"{root}/overview"
    picture("overview")

    page.get_by_role("link", name="Mailbox", exact=True).click()
    page.get_by_label("Address of a new mailbox").fill(f"paul-{look}")
    page.get_by_role("button", name="Add mailbox").click()
    address = f"paul-{look}@mydomain.zz"
    assert page.url == f"{root}/mailboxes/{address}"
    picture("mailbox")
    page.get_by_label("New password", exact=True).fill(PASSWORD)
    page.get_by_label("New password again").fill(PASSWORD)
    page.get_by_role("button", name="Set password").click()
    page.get_by_label("Addresses, one a line").fill("paul@home.example")
    page.get_by_role("button", name="Save").first.click()
    shown = server.command("mailbox show", address=address)
    assert (shown["password"], shown["forward"], shown["keep_copy"]) == (True, ["paul@home.example"], True)

    page.get_by_role("link", name="Alias", exact=True).click()
    page.get_by_label("Alias", exact=True).fill(f"george-{look}")
    page.get_by_label("Mailbox", exact=True).fill(address)
    page.get_by_role("button", name="Add alias").click()
    picture("aliases")
    page.get_by_role("link", name="Distribution list").click()
    page.get_by_label("Address of the list").fill(f"band-{look}")
    page.get_by_label("Members").fill(address)
    page.get_by_role("button", name="Save").click()
    picture("lists")
    page.get_by_role("link", name="Banished").click()
    page.get_by_label("Address to banish").fill(f"spam-{look}")
    page.get_by_role("button", name="Banish", exact=True).click()
    assert page.get_by_role("cell", name=f"spam-{look}@mydomain.zz", exact=True).count() == 1
    picture("banished")

    page.get_by_role("link", name="Mailbox", exact=True).click()
    page.get_by_label(f"Tick {address}").check()
    page.get_by_label("With those ticked:").select_option("deny")
    page.get_by_role("button", name="Do it").click()
    picture("results")
    page.get_by_role("link", name="Back to the list").click()
    assert page.get_by_text("may not send").count() == 1
    picture("mailboxes")
    page.get_by_label(f"Tick {address}").check()
    page.get_by_label("With those ticked:").select_option("remove")
    page.get_by_role("button", name="Do it").click()
    picture("sure")
    page.get_by_role("button", name="Destroy").click()
    page.get_by_role("link", name="Back to the list").click()
    assert page.get_by_role("link", name=address).count() == 0
    page.get_by_role("button", name="Français").click()
    picture("french")
    page.get_by_role("button", name="Se déconnecter").click()
    assert page.url == f"{root}/login"
    assert screen.troubles == []
    screen.context.close()
