"""The main job on the real program: take the mail in, let people read it, give it back."""

import contextlib
import email
import imaplib
import smtplib
import ssl
from collections.abc import Iterator

import pytest

from tests.support.server import Server
from tests.support.sink import Sink

DOMAIN = "mydomain.zz"
PASSWORD = "Correct-horse1"
MESSAGE = "From: anna@example.org\r\nTo: {to}\r\nSubject: {subject}\r\n\r\nHello,\r\n.a line with a dot\r\n\r\nAnna\r\n"


@pytest.fixture
def sink() -> Iterator[Sink]:
    with Sink() as sink:
        yield sink


@pytest.fixture
def server(tmp_path, sink: Sink) -> Iterator[Server]:
    settings = {
        "egress": {"networks": ["127.0.0.0/8"], "ports": [sink.port]},
        "retry": {"probe_first": 0.2, "probe_longest": 0.2, "message_first": 0.2},
        "flush": {"interval": 0},
    }
    with Server(tmp_path / "server", settings).start() as server:
        yield server


def make_customer(server: Server, sink: Sink) -> None:
    server.command("customer add", domain=DOMAIN, smtp_transport=f"127.0.0.1:{sink.port}")
    server.command("mailbox add", address=f"paul@{DOMAIN}")
    server.command("password", address=f"paul@{DOMAIN}", password=PASSWORD)
    server.command("alias add", address=f"george@{DOMAIN}", mailbox=f"paul@{DOMAIN}")


def send(server: Server, to: str, subject: str) -> None:
    with smtplib.SMTP("127.0.0.1", server.ports["smtp"], local_hostname="out.example.org") as client:
        client.sendmail("anna@example.org", [to], MESSAGE.format(to=to, subject=subject))


@contextlib.contextmanager
def mailbox(server: Server) -> Iterator[imaplib.IMAP4]:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with imaplib.IMAP4_SSL("127.0.0.1", server.ports["imaps"], ssl_context=context) as client:
        client.login(f"paul@{DOMAIN}", PASSWORD)
        yield client


def subjects(server: Server) -> list[str]:
    with mailbox(server) as client:
        client.select("INBOX", readonly=True)
        _, (found,) = client.search(None, "ALL")
        texts = [client.fetch(number.decode(), "(RFC822)")[1][0][1] for number in found.split()]
        return [email.message_from_bytes(text)["Subject"] for text in texts]


def test_mail_is_taken_in_read_and_given_back(server: Server, sink: Sink) -> None:
    make_customer(server, sink)
    send(server, f"paul@{DOMAIN}", "one")
    send(server, f"george@{DOMAIN}", "two")
    send(server, f"nobody.knows@{DOMAIN}", "three")

    server.wait(lambda: subjects(server) == ["one", "two"])
    pending = server.command("pending list", customer=DOMAIN)
    assert len(pending["messages"]) == 3

    sink.up()
    server.command("pending flush", customer=DOMAIN)
    server.wait(lambda: len(sink.messages) >= 3)
    assert sorted(message.recipients[0] for message in sink.messages) == [
        f"george@{DOMAIN}",
        f"nobody.knows@{DOMAIN}",
        f"paul@{DOMAIN}",
    ]
    for message in sink.messages:
        assert message.sender == "anna@example.org"
        assert message.octets.endswith(b"\r\n\r\nHello,\r\n.a line with a dot\r\n\r\nAnna\r\n")
        assert message.octets.startswith(b"Received: ")
    server.wait(lambda: not server.command("pending list", customer=DOMAIN)["messages"])
    assert subjects(server) == ["one", "two"]
