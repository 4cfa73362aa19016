"""A message accepted for a mailbox that was removed while the server lay dead."""

import os
import zlib

from emailgency.model.envelope import Client, Deliver, Envelope, Recipient
from emailgency.store import layout
from emailgency.store.ids import Ids
from emailgency.store.spool_records import Accepted, encode
from tests.support.server import Server

NOW = 1_800_000_000.0
MESSAGE = b"Return-Path: <anna@example.org>\r\nSubject: too late\r\n\r\nHello\r\n"


def accepted(data: str, customer: str) -> None:
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
        plan=(Deliver(customer=customer, mailbox="removed", recipient=0),),
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
    accepted(server.data, customer)
    new = os.path.join(server.data, layout.undelivered(customer), "new")
    with server.start():
        server.wait(lambda: os.path.isdir(new) and os.listdir(new))
    (name,) = os.listdir(new)
    with open(os.path.join(new, name), "rb") as file:
        octets = file.read()
    assert octets.endswith(b"\r\n\r\nHello\r\n")
    assert b"X-Original-To: paul@mydomain.zz\r\n" in octets
    assert os.listdir(os.path.join(server.data, "customers", customer)) == ["undelivered"]
