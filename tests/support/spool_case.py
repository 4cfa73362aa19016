"""A spool over a real storer that lives, stops and crashes: what tests of it begin with."""

import os
import shutil
import tempfile
import time
from collections.abc import Callable
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial import unittest

from emailgency.model.envelope import (
    Client,
    Deliver,
    Envelope,
    Outcome,
    Recipient,
    Relay,
    Target,
)
from emailgency.store import layout
from emailgency.store.disk import DiskSettings
from emailgency.store.spool.arrival import Arrival
from emailgency.store.spool.spool import Spool
from emailgency.store.storing.line import Storer, StorerSettings
from emailgency.store.storing.messages import Open
from emailgency.store.verify import verify

RELAY = Relay(customer="c", address="a@mydomain.zz", recipient=0)
INBOX = Deliver(customer="c", mailbox="m1", recipient=0)
RELAYED = Outcome(word="relayed", code=250)
LATER = Outcome(word="deferred", code=451)


class SpoolCase(unittest.TestCase):
    """One data folder; `start` and `stop` may follow each other."""

    timeout = 20
    segment_size = 1 << 20
    relocate: Any = None

    def setUp(self) -> None:
        folder = tempfile.mkdtemp()
        self.data = os.path.join(folder, "data")
        self.now = time.time()
        self.addCleanup(shutil.rmtree, folder)
        self.storer: Storer | None = None
        self.addCleanup(lambda: Deferred.fromCoroutine(self.stop()))

    async def start(self, disk: DiskSettings | None = None) -> Spool:
        self.storer = Storer(reactor, self.data, StorerSettings(segment_size=self.segment_size, restart_delay=0.01))
        await self.storer.start()
        settings = disk or DiskSettings(reserve=0, files=0, ballast=0)
        self.spool = Spool(reactor, self.storer, self.data, lambda: self.now, settings, self.relocate)
        await self.spool.start()
        return self.spool

    async def stop(self) -> None:
        if self.storer is not None:
            storer, self.storer = self.storer, None
            await self.spool.stop()
            await storer.stop()
            self.assertEqual(list(verify(self.data)), [])

    async def crash(self) -> None:
        """The reactor goes without a word: nothing is flushed, the storer is killed."""
        storer, self.storer = self.storer, None
        assert storer is not None
        self.spool._stopped = True
        for call in self.spool._calls.values():
            call.cancel()
        self.spool._calls.clear()
        self.spool._disk.stop()
        await self.spool._sweeping
        storer._stopping = True
        storer._stopped = Deferred()
        storer._kill()
        await storer._stopped

    async def accept(self, *plan: Target, octets: bytes = b"x", fingerprint: str | None = None) -> str:
        arrival = self.spool.begin(self.now)
        arrival.write(octets)
        await self.spool.commit(arrival, self.envelope(arrival, plan, fingerprint))
        return arrival.id

    def envelope(self, arrival: Arrival, plan: tuple[Target, ...], fingerprint: str | None = None) -> Envelope:
        return Envelope(
            id=arrival.id,
            customer="c",
            sender="s@example.org",
            received_at=self.now,
            size=arrival.size,
            return_path=0,
            recipients=(Recipient(as_given="who@mydomain.zz"),),
            plan=plan,
            client=Client(ip="192.0.2.1"),
            fingerprint=fingerprint,
        )

    async def until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            tick: Deferred[None] = Deferred()
            reactor.callLater(0.005, tick.callback, None)
            await tick

    async def messages(self, folder: str = layout.mailbox("c", "m1")) -> list[bytes]:
        assert self.storer is not None
        reply = await self.storer.ask(Open(self.storer.number(), folder))
        texts = []
        for place in reply.names:
            with open(os.path.join(self.data, folder, *place), "rb") as stream:
                texts.append(stream.read())
        return texts

    def segments(self) -> list[str]:
        return sorted(os.listdir(os.path.join(self.data, layout.JOURNAL)))

    def octets_in_spool(self) -> list[str]:
        return [name for _, _, names in os.walk(f"{self.data}/spool") for name in names if name.endswith(".msg")]
