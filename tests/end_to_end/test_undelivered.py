"""Mail for nobody we know, on the real program: candidates, then Undelivered, then 452 (product rows A4 and A7)."""

import imaplib
import os
import smtplib
import ssl
from collections.abc import Iterator

import pytest

from tests.support.server import Server

DOMAIN = "mydomain.zz"
POSTMASTER = f"postmaster@{DOMAIN}"
PASSWORD = "Correct-horse1"
CANDIDATES = 1000  # of the plan standard


@pytest.fixture
def server(tmp_path) -> Iterator[Server]:
    with Server(tmp_path / "server", {"smtp": {"unknown": {"at_once": 3, "per_hour": 1}}}).start() as server:
        yield server


def send(server: Server, to: str) -> None:
    with smtplib.SMTP("127.0.0.1", server.ports["smtp"], local_hostname="out.example.org") as client:
        client.sendmail("anna@example.org", [to], f"From: anna@example.org\r\nSubject: to {to}\r\n\r\nHello\r\n")


def login(server: Server) -> imaplib.IMAP4:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    client = imaplib.IMAP4_SSL("127.0.0.1", server.ports["imaps"], ssl_context=context)
    client.login(POSTMASTER, PASSWORD)
    return client


def count(client: imaplib.IMAP4) -> int:
    _, (found,) = client.select("Undelivered", readonly=True)
    return int(found)


def test_beyond_the_candidates_mail_waits_in_undelivered_for_an_administrator(server: Server) -> None:
    customer = server.command("customer add", domain=DOMAIN)["id"]
    server.command("password", address=POSTMASTER, password=PASSWORD)
    for number in range(CANDIDATES - 1):
        os.makedirs(os.path.join(server.data, "customers", customer, "catchall", f"candidate{number}"))
    send(server, f"first@{DOMAIN}")
    with login(server) as client:
        assert count(client) == 0
        for _ in range(5):
            send(server, f"first@{DOMAIN}")  # it has its place, and costs no budget
        send(server, f"Second@{DOMAIN}")
        server.wait(lambda: count(client) == 1)
        _, data = client.fetch("1", "(BODY.PEEK[HEADER])")
        assert data[0][1].startswith(f"X-Original-To: Second@{DOMAIN}\r\nReturn-Path: <anna@example.org>\r\n".encode())
        status, _ = client.create("Undelivered")
        assert status == "NO"
        client.subscribe("Undelivered")
        assert b'"/" Undelivered' in client.lsub('""', "Und*")[1][0]
        # the network's budget: one candidate and one message for Undelivered are spent, a third one is left
        send(server, f"third@{DOMAIN}")
        with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
            send(server, f"fourth@{DOMAIN}")
        (code, words) = refused.value.recipients[f"fourth@{DOMAIN}"]
        assert code == 452
        assert words.startswith(b"4.7.1")
        send(server, POSTMASTER)  # who is somebody gets his mail
        server.wait(lambda: count(client) == 2)
