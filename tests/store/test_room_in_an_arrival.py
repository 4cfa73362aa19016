"""Fields that are known only when the body has come stand before it, in the file and in its checksum."""

import os
import shutil
import tempfile
from zlib import crc32

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from emailgency.model.envelope import Client, Deliver, Envelope, Recipient
from emailgency.store import layout
from emailgency.store.disk import DiskSettings
from emailgency.store.spool.spool import Spool
from emailgency.store.storing.line import Storer, StorerSettings
from tests.support.asynchronous import until

FIELDS = b"Authentication-Results: mx.emailgency.test;\r\n\tspf=pass\r\n"


class RoomTests(TestCase):
    timeout = 60

    def setUp(self):
        self.data = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.data)
        return Deferred.fromCoroutine(self.begin())

    async def begin(self):
        self.storer = Storer(reactor, self.data, StorerSettings())
        await self.storer.start()
        self.spool = Spool(reactor, self.storer, self.data, lambda: 1.8e9, DiskSettings(reserve=0, files=0, ballast=0))
        await self.spool.start()

    async def tearDown(self):
        await self.spool.stop()
        await self.storer.stop()

    async def stored(self, body, step):
        arrival = self.spool.begin(1.8e9)
        arrival.write(b"Return-Path: <>\r\n")
        arrival.reserve(768)
        for at in range(0, len(body), step):
            arrival.write(body[at : at + step])
        arrival.fill(FIELDS)
        envelope = Envelope(
            id=arrival.id,
            customer="acme",
            sender="",
            received_at=1.8e9,
            size=arrival.size,
            return_path=17,
            recipients=(Recipient(as_given="a@b.zz"),),
            plan=(Deliver(customer="acme", mailbox="m1", recipient=0),),
            client=Client(ip="192.0.2.1"),
        )
        await self.spool.commit(arrival, envelope)
        folder = os.path.join(self.data, layout.mailbox("acme", "m1"), "new")
        await until(lambda: os.path.isdir(folder) and any(arrival.id in name for name in os.listdir(folder)))
        [name] = [name for name in os.listdir(folder) if arrival.id in name]
        with open(os.path.join(folder, name), "rb") as file:
            octets = file.read()
        assert f"S={len(octets)}" in name
        assert arrival.size == len(octets)
        assert arrival.checksum == crc32(octets)
        return octets

    async def test_in_a_small_message_they_stand_as_they_are(self):
        body = b"Received: x\r\n\r\nbody\r\n"
        assert await self.stored(body, 7) == b"Return-Path: <>\r\n" + FIELDS + body

    async def test_in_a_large_one_blanks_fill_the_room(self):
        body = b"Received: x\r\n\r\n" + os.urandom(2_500_000)
        octets = await self.stored(body, 65_536)
        assert octets.endswith(body)
        fields = octets[17 : -len(body)]
        assert len(fields) == 768
        assert fields == FIELDS[:-2] + b" " * (768 - len(FIELDS)) + b"\r\n"
        assert max(map(len, fields.split(b"\r\n"))) < 998
