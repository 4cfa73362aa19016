"""Those who come to the console and the API in their tests, and a server that knows them."""

import smtplib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.browser import Browser
from tests.support.server import Server

PASSWORD = "Correct-horse1"
PEOPLE = {
    "user": "paul@mydomain.zz",
    "other user": "ringo@mydomain.zz",
    "administrator": "postmaster@mydomain.zz",
    "other administrator": "postmaster@other.zz",
    "operator": "alice",
}


@contextmanager
def begun(folder: Path) -> Iterator[Server]:
    """With two customers; all PEOPLE have PASSWORD."""
    settings = {
        "credentials": {"memory": 64, "passes": 1},
        "web": {"connections": {"per_network": 500}, "captcha": {"after": 1000}},
    }
    with Server(folder, settings).start() as server:
        for domain in ("mydomain.zz", "other.zz"):
            server.command("customer add", domain=domain)
        for name in ("paul", "ringo"):
            server.command("mailbox add", address=f"{name}@mydomain.zz")
        for name in PEOPLE.values():
            if "@" in name:
                server.command("password", address=name, password=PASSWORD)
        server.command("operator add", name=PEOPLE["operator"])
        server.command("operator password", name=PEOPLE["operator"], password=PASSWORD)
        yield server


def known(server: Server, who: str) -> Browser:
    """One of PEOPLE, who has logged in."""
    return Browser(server.ports["https"]).log_in(PEOPLE[who], PASSWORD)


def incoming(server: Server, recipient: str, subject: str = "hello", sender: str = "bert@far.example") -> None:
    with smtplib.SMTP("127.0.0.1", server.ports["smtp"], timeout=20) as client:
        text = f"From: Bert <{sender}>\r\nTo: {recipient}\r\nSubject: {subject}\r\n\r\nDear {recipient}\r\n"
        client.sendmail(sender, [recipient], text)
