"""What came by SMTP is what IMAP gives: our trace fields, then exactly the octets that were accepted."""

import imaplib
import re
import smtplib
import ssl
from collections.abc import Iterator

import pytest

from tests.support.server import Server

ADDRESS = "paul@mydomain.zz"
PASSWORD = "Correct-horse1"
HOST = "127.0.0.1"
_TRACE = re.compile(
    rb"Return-Path: <[^\r\n]*>\r\n"
    rb"(?:(?:Received|Received-SPF|Authentication-Results|X-[A-Za-z-]+):[^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*)+"
)
MESSAGES = [
    b"Subject: plain\r\n\r\nbody\r\n",
    b"Subject: dots\r\n\r\n.\r\n..\r\n...\r\n.x\r\n",
    b"Subject: gr\xc3\xbc\xc3\x9fe\r\n\r\n\xc3\xa4 \xfc \xff\x80\r\n",
    b"Subject: controls\r\n\r\n\x01\x07\x1b\x7f\t\r\n",
    b"Subject: no body\r\n",
    b"\r\nno header\r\n",
    b"Subject: blanks  \r\nX-Folded: a\r\n\t b\r\n \r\n\r\n  trailing \t \r\n\r\n\r\n",
    b"Return-Path: <forged@x.zz>\r\nReceived: by forged\r\nSubject: traces\r\n\r\nx\r\n",
    b"From anna Thu Jan  1 00:00:00 2026\r\nSubject: mbox\r\n\r\nFrom x\r\n>From y\r\n",
    b"Subject: long\r\n\r\n" + b"x" * 990 + b"\r\n" + b"=\r\n" * 30_000,
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("server")).start() as server:
        server.command("customer add", domain="mydomain.zz")
        server.command("mailbox add", address=ADDRESS)
        server.command("password", address=ADDRESS, password=PASSWORD)
        yield server


def test_every_octet_that_came_by_smtp_is_given_by_imap(server: Server) -> None:
    with smtplib.SMTP(HOST, server.ports["smtp"], local_hostname="out.example.org") as client:
        for message in MESSAGES:
            client.sendmail("anna@example.org", [ADDRESS], message, ["BODY=8BITMIME"])
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with imaplib.IMAP4_SSL(HOST, server.ports["imaps"], ssl_context=context) as client:
        client.login(ADDRESS, PASSWORD)
        server.wait(lambda: client.select("INBOX")[1] == [b"%d" % len(MESSAGES)])
        for number, message in enumerate(MESSAGES, 1):
            _, answer = client.fetch(str(number), "(RFC822.SIZE BODY.PEEK[])")
            assert isinstance(answer[0], tuple)
            stored = answer[0][1]
            assert stored.endswith(message)
            assert _TRACE.fullmatch(stored[: -len(message)]), stored[: -len(message)]
            assert b"RFC822.SIZE %d " % len(stored) in answer[0][0]
