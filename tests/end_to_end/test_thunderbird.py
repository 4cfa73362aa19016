"""Thunderbird itself: an account by our autoconfig through its own dialog, the inbox shown, a message sent.

Seen through Marionette, the remote control it brings along; written for the account hub of versions 140 to 153. It
reaches everything through a SOCKS proxy that is a small internet: `autoconfig.mydomain.zz` and the service domain are
this server, on the ports it has been told, and there is nobody else. It trusts an authority made for the test. The
certificate does not know the name autoconfig.mydomain.zz, as a customer's would not, so the settings come by HTTP.

The pictures `found.png`, `inbox.png` and `compose.png` stay in the test's folder, to be looked at.
"""

import os
import poplib
import smtplib
import ssl

import pytest

from tests.support.certificates import authority, signed
from tests.support.marionette import Marionette
from tests.support.server import Server
from tests.support.socks import Socks
from tests.support.thunderbird import Screen, Thunderbird

DOMAIN = "mydomain.zz"
HOST = "mydomainzz.emailgency.zz"
PASSWORD = "Correct-horse1"

# `step` is what the dialog shows now; `every` looks into shadow roots as well
HUB = """
const hub = document.querySelector("account-hub-container").shadowRoot;
const step = [...hub.querySelectorAll(".account-hub-step")].find(one => !one.hidden)?.id;
const every = (root, selector) => [...root.querySelectorAll("*")].flatMap(one =>
    one.shadowRoot ? every(one.shadowRoot, selector) : one.matches(selector) ? [one] : []);
const shown = selector => every(hub, selector).find(one => one.getBoundingClientRect().width > 0);
"""
FILL = """
const field = shown("#" + arguments[0]);
field.focus();
field.value = arguments[1];
field.dispatchEvent(new InputEvent("input", {bubbles: true, composed: true}));
field.dispatchEvent(new Event("change", {bubbles: true, composed: true}));
"""
GO_ON = """
const button = shown("#forward");
if (step != arguments[0] || !button || button.disabled) return false;
button.click();
return true;
"""
MAIL = 'const {MailServices} = ChromeUtils.importESModule("resource:///modules/MailServices.sys.mjs");'
PANES = 'const panes = document.getElementById("tabmail").currentAbout3Pane;'


@pytest.fixture
def server(tmp_path):
    authority(str(tmp_path / "authority"))
    chain = signed(HOST, str(tmp_path / "authority"), str(tmp_path / "server.pem"))
    with Server(tmp_path / "server", {"tls": {"certificates": [{"chain": chain}]}}).start() as server:
        server.command("customer add", domain=DOMAIN)
        for name in ("paul", "ringo"):
            server.command("mailbox add", address=f"{name}@{DOMAIN}")
            server.command("password", address=f"{name}@{DOMAIN}", password=PASSWORD)
        yield server


@pytest.mark.timeout(900)
@pytest.mark.peer("thunderbird", "Xvfb", "certutil")
def test_thunderbird_sets_itself_up_shows_the_inbox_and_sends(server: Server, tmp_path) -> None:
    with smtplib.SMTP("127.0.0.1", server.ports["smtp"], local_hostname="out.example.org") as client:
        for number in range(3):
            text = (
                f"From: Anna <anna@example.org>\r\nTo: paul@{DOMAIN}\r\nSubject: Order {number}\r\n\r\nTwelve more.\r\n"
            )
            client.sendmail("anna@example.org", [f"paul@{DOMAIN}"], text)
    ports = {80: server.ports["http"], 443: server.ports["https"]}
    zone = (f"autoconfig.{DOMAIN}", ".emailgency.zz")
    folder = tmp_path / "thunderbird"
    with (
        Socks(zone, ports) as internet,
        Screen() as screen,
        Thunderbird(str(folder), str(tmp_path / "authority.crt"), internet.port, screen.name) as thunderbird,
    ):
        thunderbird.window("messenger.xhtml")
        set_up(thunderbird, server, str(folder))
        read(thunderbird, str(folder))
        write(thunderbird, str(folder))
        server.wait(lambda: received(server) == [b"Subject: From Thunderbird"])
        thunderbird.window("messenger.xhtml")
        thunderbird.until(
            f"{MAIL} const server = MailServices.accounts.accounts[0].incomingServer;"
            "const sent = server.rootFolder.getFolderWithFlags(Ci.nsMsgFolderFlags.SentMail);"
            "sent.updateFolder(null); return sent.getTotalMessages(false) == 1;"
        )


def set_up(thunderbird: Marionette, server: Server, folder: str) -> None:
    """Name, address and password are all it is told."""
    thunderbird.until("return !!document.querySelector('account-hub-container')?.shadowRoot?.querySelector('[open]');")
    thunderbird.until(f"{HUB} return !!shown('#email');")
    thunderbird.run(HUB + FILL, "realName", "Paul")
    thunderbird.run(HUB + FILL, "email", f"paul@{DOMAIN}")
    thunderbird.until(HUB + GO_ON, "emailAutoConfigSubview")
    thunderbird.until(f"{HUB} return step == 'emailConfigFoundSubview' && !!shown('#incomingHost')?.textContent;")
    found = "#incomingHost", "#incomingPort", "#outgoingHost", "#outgoingPort", "#sharedUsername"
    told = thunderbird.run(f"{HUB} return arguments[0].map(one => shown(one).textContent.trim());", found)
    imaps, submissions = str(server.ports["imaps"]), str(server.ports["submissions"])
    assert told == [HOST, imaps, HOST, submissions, f"paul@{DOMAIN}"]
    keep(thunderbird, folder, "found")
    thunderbird.until(HUB + GO_ON, "emailConfigFoundSubview")
    thunderbird.until(f"{HUB} return step == 'emailPasswordSubview' && !!shown('#password');")
    thunderbird.run(HUB + FILL, "password", PASSWORD)
    thunderbird.until(HUB + GO_ON, "emailPasswordSubview")
    thunderbird.until(HUB + GO_ON, "emailAddedSuccessSubview", seconds=120)
    account = thunderbird.run(
        f"{MAIL} const [one] = MailServices.accounts.accounts;"
        "return [one.incomingServer.type, one.incomingServer.socketType, one.defaultIdentity.email];"
    )
    assert account == ["imap", 3, f"paul@{DOMAIN}"]  # 3: TLS from the first octet


def read(thunderbird: Marionette, folder: str) -> None:
    thunderbird.until(
        f"{MAIL} {PANES} const server = MailServices.accounts.accounts[0].incomingServer;"
        "const inbox = server.rootFolder.getFolderWithFlags(Ci.nsMsgFolderFlags.Inbox);"
        "if (!panes || !inbox) return false; panes.displayFolder(inbox.URI); return true;"
    )
    thunderbird.until(f"{PANES} return panes.gDBView?.rowCount == 3;")
    subjects = "[0, 1, 2].map(row => panes.gDBView.cellTextForColumn(row, 'subjectCol'))"
    assert sorted(thunderbird.run(f"{PANES} return {subjects};")) == ["Order 0", "Order 1", "Order 2"]
    thunderbird.run(f"{PANES} panes.threadTree.selectedIndex = 0;")
    message = "document.getElementById('tabmail').currentAboutMessage?.document.getElementById('messagepane')"
    thunderbird.until(f"return !!{message}?.contentDocument?.body?.textContent.includes('Twelve more.');")
    keep(thunderbird, folder, "inbox")


def write(thunderbird: Marionette, folder: str) -> None:
    """As a click on an address in the browser would begin it; then the button."""
    thunderbird.run(
        f"{MAIL} MailServices.compose.OpenComposeWindowWithURI(null, Services.io.newURI(arguments[0]));",
        f"mailto:ringo@{DOMAIN}?subject=From%20Thunderbird&body=Hello%20Ringo",
    )
    thunderbird.window("messengercompose.xhtml")
    ready = "typeof gMsgCompose != 'undefined' && !!gMsgCompose?.editor"
    thunderbird.until(f"return document.getElementById('button-send')?.disabled === false && {ready};")
    keep(thunderbird, folder, "compose")
    thunderbird.run("document.getElementById('button-send').click();")


def keep(thunderbird: Marionette, folder: str, name: str) -> None:
    picture = thunderbird.picture()
    assert picture.startswith(b"\x89PNG")
    assert len(picture) > 10_000  # an empty window has a few thousand octets
    with open(os.path.join(folder, f"{name}.png"), "wb") as file:
        file.write(picture)


def received(server: Server) -> list[bytes]:
    """Subjects of what has come for ringo."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    client = poplib.POP3_SSL("127.0.0.1", server.ports["pop3s"], context=context, timeout=20)
    client.user(f"ringo@{DOMAIN}")
    client.pass_(PASSWORD)
    lines = [line for number in range(client.stat()[0]) for line in client.retr(number + 1)[1]]
    client.quit()
    return [line for line in lines if line.startswith(b"Subject:")]
