"""Ports 25, 587 and 465 of the real program."""

import itertools
import os
import smtplib
import socket
import ssl
import threading
from collections.abc import Iterator

import pytest

from tests.support.foreign import FOREIGN
from tests.support.server import Server

DOMAIN = "mydomain.zz"
PAUL = f"paul@{DOMAIN}"
PASSWORD = "Correct-horse1"
MESSAGE = f"From: {PAUL}\r\nSubject: hello\r\n\r\n.body\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings = {"smtp": {"connections": {"per_network": 2000, "total": 1500}}}
    with Server(tmp_path_factory.mktemp("server"), settings).start() as server:
        server.command("customer add", domain=DOMAIN)
        server.command("mailbox add", address=PAUL)
        server.command("mailbox add", address=f"anna@{DOMAIN}")
        server.command("password", address=PAUL, password=PASSWORD)
        server.command("alias add", address=f"boss@{DOMAIN}", mailbox=PAUL)
        server.command("banish", address=f"gone@{DOMAIN}")
        yield server


def trusting() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def inbox(server: Server) -> list[bytes]:
    """The messages that are in some INBOX, none of whose folders is named by an address."""
    found = []
    for folder, _, files in os.walk(os.path.join(server.data, "customers")):
        if os.path.basename(folder) in ("new", "cur") and "/mailboxes/" in folder:
            for file in files:
                with open(os.path.join(folder, file), "rb") as octets:
                    found.append(octets.read())
    return found


def connect(server: Server, service: str = "smtp") -> smtplib.SMTP:
    return smtplib.SMTP("127.0.0.1", server.ports[service], "client.example", timeout=30)


def test_one_message_for_several_names_of_a_mailbox_arrives_once(server: Server) -> None:
    before = len(inbox(server))
    with connect(server) as client:
        client.starttls(context=trusting())
        client.sendmail("a@sender.example", [PAUL, f"boss@{DOMAIN}", f"gone@{DOMAIN}", f"PAUL@{DOMAIN}"], MESSAGE)
    server.wait(lambda: len(inbox(server)) > before)
    messages = inbox(server)
    assert len(messages) == before + 1
    message = next(message for message in messages if b"<a@sender.example>" in message)
    assert message.startswith(b"Return-Path: <a@sender.example>\r\nReceived: from client.example ([127.0.0.1])\r\n")
    assert b"with ESMTPS id " in message
    assert message.endswith(MESSAGE.encode())


@pytest.mark.parametrize("service", ["submission", "submissions"])
def test_a_user_logs_in_and_sends(server: Server, service: str) -> None:
    before = len(inbox(server))
    if service == "submissions":
        client: smtplib.SMTP = smtplib.SMTP_SSL(
            "127.0.0.1", server.ports[service], "client.example", context=trusting(), timeout=30
        )
    else:
        client = connect(server, service)
        client.starttls(context=trusting())
    with client:
        client.login(PAUL, PASSWORD)
        client.sendmail(PAUL, [f"anna@{DOMAIN}"], MESSAGE)
    server.wait(lambda: len(inbox(server)) == before + 1)


def test_attack_09_nothing_for_anybody_else_is_taken_in(server: Server) -> None:
    for hello, sender in itertools.product(("client.example", "mydomain.zz"), ("", PAUL, "a@sender.example")):
        with smtplib.SMTP("127.0.0.1", server.ports["smtp"], hello, timeout=30) as client:
            client.ehlo()
            assert client.docmd("MAIL", f"FROM:<{sender}>")[0] == 250
            for address in FOREIGN:
                assert client.docmd("RCPT", f"TO:<{address}>")[0] >= 500, address
            assert client.docmd("DATA")[0] == 554


def test_attack_30_no_address_leads_out_of_its_folder(server: Server) -> None:
    names = [
        '"../../../../evil"',
        '"/etc/evil"',
        '".."',
        '"."',
        '"a/../../evil"',
        "..",
        "a\\",
        '"a b"',
        "%2e%2e",
        "+-*'{}~",
    ]
    roots = {os.path.join(server.data, name) for name in os.listdir(server.data)}
    with connect(server) as client:
        for name in names:
            client.docmd("MAIL", "FROM:<>")
            code, _ = client.docmd("RCPT", f"TO:<{name}@{DOMAIN}>")
            if code == 250:
                client.data(b"Subject: x\r\n\r\n")
            client.docmd("RSET")
    assert {os.path.join(server.data, name) for name in os.listdir(server.data)} == roots
    for folder, folders, files in os.walk(server.folder):
        assert not any("evil" in name for name in folders + files), folder


def test_a_large_message_goes_through_whole(server: Server) -> None:
    before = len(inbox(server))
    line = b"x" * 98 + b"\r\n"
    body = b"Subject: large\r\n\r\n" + line * 90_000
    with connect(server) as client:
        client.sendmail("a@sender.example", [PAUL], body)
        client.sendmail("a@sender.example", [PAUL], body)
        with pytest.raises(smtplib.SMTPException):
            client.sendmail("a@sender.example", [PAUL], body + line * 90_000)
    server.wait(lambda: len(inbox(server)) == before + 2)
    assert sum(message.endswith(body) for message in inbox(server)) == 2


def test_attack_28_a_thousand_slow_clients_do_not_keep_a_good_one_out(server: Server) -> None:
    slow = []
    try:
        for number in range(1000):
            one = socket.socket()
            slow.append(one)
            one.bind((f"127.{1 + number // 200}.{number % 200}.1", 0))
            one.connect(("127.0.0.1", server.ports["smtp"]))
            one.send(b"EHL")
        before = len(inbox(server))
        with connect(server) as client:
            client.sendmail("a@sender.example", [PAUL], MESSAGE)
        server.wait(lambda: len(inbox(server)) == before + 1)
    finally:
        for one in slow:
            one.close()


def test_a_stop_under_load_cuts_no_transaction(tmp_path, request: pytest.FixtureRequest) -> None:
    """Every 250 heard before, during and after SIGTERM stands for a message that is there."""
    server = Server(tmp_path).start()
    request.addfinalizer(server.close)
    server.command("customer add", domain=DOMAIN)
    server.command("mailbox add", address=PAUL)
    heard: list[int] = []
    cut: list[str] = []
    running = threading.Event()

    def send(number: int) -> None:
        try:
            with connect(server) as client:
                client.ehlo()
                for turn in range(1000):
                    client.docmd("MAIL", f"FROM:<a{number}@sender.example>")
                    if client.docmd("RCPT", f"TO:<{PAUL}>")[0] != 250:
                        return
                    code, _ = client.data(f"Subject: {number}.{turn}\r\n\r\n".encode())
                    if code == 250:
                        heard.append(number)
                        running.set()
        except smtplib.SMTPServerDisconnected as lost:
            if "unexpectedly" not in str(lost) and "Not connected" not in str(lost) and "please run" not in str(lost):
                cut.append(str(lost))
        except smtplib.SMTPResponseException as refused:
            if refused.smtp_code != 421:
                cut.append(str(refused))

    senders = [threading.Thread(target=send, args=(number,)) for number in range(5)]
    for sender in senders:
        sender.start()
    assert running.wait(30)
    server.stop()
    for sender in senders:
        sender.join(30)
    assert not cut
    server.start()
    server.wait(lambda: len(inbox(server)) >= len(heard))
    assert len(inbox(server)) == len(heard)
