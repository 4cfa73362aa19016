"""A passkey in a real Chromium, by an authenticator that the browser plays: made, used to log in, removed."""

import pytest

from tests.support.console_people import PASSWORD
from tests.support.server import Server

pytest.importorskip("playwright.sync_api")

from tests.support.chromium import Screen, chromium

HOST = "mydomainzz.emailgency.zz"
AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


@pytest.fixture
def server(tmp_path):
    with Server(tmp_path).start() as server:
        server.command("customer add", domain="mydomain.zz")
        server.command("password", address="postmaster@mydomain.zz", password=PASSWORD)
        yield server


@pytest.mark.peer("chromium")
def test_a_passkey_is_made_logs_in_and_is_removed(server: Server, tmp_path) -> None:
    with chromium(f"--host-resolver-rules=MAP {HOST} 127.0.0.1") as browser:
        screen = Screen(browser, "desk", tmp_path)
        page, root = screen.page, f"https://{HOST}:{server.ports['https']}/eg"
        devices = screen.context.new_cdp_session(page)
        devices.send("WebAuthn.enable")
        devices.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})

        page.goto(f"{root}/login")
        page.get_by_label("Your mail address").fill("postmaster@mydomain.zz")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Log in", exact=True).click()
        page.goto(f"{root}/security")
        page.get_by_label("Name of a new passkey").fill("this computer")
        page.get_by_role("button", name="Add a passkey").click()
        page.get_by_text("this computer", exact=True).wait_for()
        screen.picture("security")
        page.set_viewport_size({"width": 390, "height": 780})
        page.emulate_media(color_scheme="dark")
        screen.picture("security-phone")
        page.get_by_label("Name of a new passkey").fill("again")
        page.get_by_role("button", name="Add a passkey").click()
        page.get_by_text("This device has a passkey for you already.").wait_for()
        page.get_by_role("button", name="Log out").click()

        screen.picture("login")
        page.get_by_role("button", name="Log in with a passkey").click()
        page.wait_for_url(f"{root}/overview")
        page.goto(f"{root}/security")
        page.get_by_role("button", name="Remove the passkey this computer").click()
        page.get_by_text("There is no passkey.").wait_for()
        page.get_by_role("button", name="Log out").click()
        page.get_by_role("button", name="Log in with a passkey").click()
        page.get_by_text("This passkey was not accepted.").wait_for()
        screen.picture("refused")
        assert screen.troubles == []
