"""Messages accepted for a mailbox, or a customer, that was removed when the server died."""

import os
import zlib

import pytest

from emailgency.command.failure import CommandFailed
from emailgency.model.envelope import Client, Deliver, Envelope, Recipient, Relay, Target
from emailgency.store import layout
from emailgency.store.ids import Ids
from emailgency.store.spool.records import Accepted, encode
from tests.support.server import Server

NOW = 1_800_000_000.0
MESSAGE = b"Return-Path: <anna@example.org>\r\nSubject: too late\r\n\r\nHello\r\n"


def accepted(data: str, customer: str, target: Target) -> None:
    """What a crash right after the 250 leaves: message and record, and nothing delivered."""
    id = Ids().fresh(NOW)
    envelope = Envelope(
        id=id,
        customer=customer,
        sender="anna@example.org",
        received_at=NOW,
        size=len(MESSAGE),
        checksum=zlib.crc32(MESSAGE),
        return_path=MESSAGE.index(b"\n") + 1,
        recipients=(Recipient(as_given="paul@mydomain.zz"),),
        plan=(target,),
        client=Client(ip="192.0.2.1"),
    )
    for path, octets in (
        (layout.message(id), MESSAGE),
        (layout.segment(len(os.listdir(os.path.join(data, layout.JOURNAL))) + 1000), encode(Accepted(envelope))),
    ):
        path = os.path.join(data, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(octets)


def test_its_mail_is_kept_in_undelivered(tmp_path) -> None:
    server = Server(tmp_path / "server").start()
    customer = server.command("customer add", domain="mydomain.zz", relay="none")["id"]
    server.stop()
    accepted(server.data, customer, Deliver(customer=customer, mailbox="removed", recipient=0))
    new = os.path.join(server.data, layout.undelivered(customer), "new")
    with server.start():
        server.wait(lambda: os.path.isdir(new) and os.listdir(new))
    (name,) = os.listdir(new)
    with open(os.path.join(new, name), "rb") as file:
        octets = file.read()
    assert octets.endswith(b"\r\n\r\nHello\r\n")
    assert b"X-Original-To: paul@mydomain.zz\r\n" in octets
    assert os.listdir(os.path.join(server.data, "customers", customer)) == ["undelivered"]


def test_pending_mail_of_a_customer_who_is_none_can_be_dropped_by_his_id(tmp_path) -> None:
    """The removal was recorded, and the crash came before his mail was dropped."""
    server = Server(tmp_path / "server").start()
    server.stop()
    accepted(server.data, "removed", Relay(customer="removed", address="paul@mydomain.zz", recipient=0))
    with server.start():
        with pytest.raises(CommandFailed, match="there is no customer removed"):
            server.command("customer remove", customer="removed")
        assert server.command("customer remove", customer="removed", drop_pending=True)["dropped"] == 1
        with pytest.raises(CommandFailed, match="there is no customer removed"):
            server.command("customer remove", customer="removed", drop_pending=True)
    with server.start():
        assert "\nemailgency_live_messages 0.0\n" in server.page("/metrics")[1]
