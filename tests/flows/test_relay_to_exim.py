"""Giving mail back to a real Exim: down and up, by BDAT and DATA, refusing at each stage."""

import os
import shutil
import tempfile

import pytest
from twisted.internet import reactor
from twisted.internet.defer import ensureDeferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from emailgency.model.envelope import Relay
from emailgency.rules.health import State
from tests.support.asynchronous import run, until
from tests.support.exim import Exim
from tests.support.null_spool import NullSpool, envelope
from tests.support.relaying import means, relay

RETURN_PATH = b"Return-Path: <sender@example.org>\r\n"
BODY = b".dots\r\n..\r\n.\r\nend\r\n"

pytestmark = pytest.mark.peer("exim4")


class Exims(TestCase):
    timeout = 60

    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)
        self.exim = Exim(os.path.join(self.folder, "exim"))
        self.spool = NullSpool(os.path.join(self.folder, "message"))
        self.spool.path = lambda id: f"{self.spool.file}{id}"
        self.flow = None
        self.addCleanup(lambda: ensureDeferred(self.end()))

    async def end(self):
        if self.flow:
            self.flow.cut()
            await self.flow.stop()
        await deferToThread(self.exim.stop)

    def accept(self, number, sender="sender@example.org", body=BODY):
        message = RETURN_PATH + b"Subject: %d\r\n\r\n" % number + body
        with open(self.spool.path(str(number)), "wb") as file:
            file.write(message)
        plan = (Relay(customer="acme", address=f"u{number}@mydomain.zz", recipient=0),)
        size = {"size": len(message), "return_path": len(RETURN_PATH), "received_at": reactor.seconds()}
        self.spool.accept(envelope(str(number), plan, sender=sender, **size))

    async def start(self, **courier):
        made = means(self.spool, reactor, ports=(self.exim.port,), **courier)
        self.spool.listeners.clear()
        self.flow = relay(self.spool, reactor, self.exim.port, means_=made, refresh=0.1)
        self.flow.start()
        await until(lambda: list(self.flow.lanes()))
        (lane,) = self.flow.lanes()
        return lane

    async def arrived(self, count):
        """Bodies, with line ends as on the wire."""
        await until(lambda: len(self.exim.received()) >= count, 0.05)
        found = self.exim.received()
        assert len(found) == count
        return [message.replace(b"\n", b"\r\n").partition(b"\r\n\r\n")[2] for message in found]

    @run
    async def test_a_backlog_follows_the_canary_when_exim_is_back(self):
        for number in range(40):
            self.accept(number)
        lane = await self.start()
        await until(lambda: lane.health.state is State.DOWN)
        await deferToThread(self.exim.start)
        await until(lambda: not self.spool.live)
        assert set(await self.arrived(40)) == {BODY}
        await until(lambda: self.flow.incidents.current("acme") is None)

    @run
    async def test_bodies_arrive_whole_in_chunks_and_by_data(self):
        lines = b"".join(b".%d dots\r\n.\r\n" % i for i in range(20_000))
        await deferToThread(self.exim.start)
        for number, chunking in enumerate((True, False)):
            self.accept(number, body=lines)
            await self.start(chunking=chunking)
            await until(lambda: not self.spool.live)
            await self.flow.stop()
        assert await self.arrived(2) == [lines, lines]

    @run
    async def test_refusals_at_each_stage_keep_everything_until_they_are_believed(self):
        self.exim.refuse(
            unknown=["u1@mydomain.zz"],
            later=["u2@mydomain.zz"],
            spam=["spam@example.org"],
            bad_senders=["bad@example.org"],
        )
        await deferToThread(self.exim.start)
        for number, sender in enumerate(("sender", "sender", "sender", "spam", "bad")):
            self.accept(number, sender=f"{sender}@example.org")
        await self.start()
        await until(lambda: {id for id, *_ in self.spool.attempts} == {"1", "2", "3", "4"})
        assert not self.flow._bounces.failures
        self.accept(5)
        await until(lambda: set(self.spool.live) == {"2", "4"})
        failed = {live.envelope.id: outcomes[0].code for live, outcomes in self.flow._bounces.failures}
        assert failed == {"1": 550, "3": 550}
        self.exim.refuse()
        await until(lambda: not self.spool.live)
        await self.arrived(4)
