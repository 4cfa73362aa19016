"""Giving mail back to a real Postfix: down, up, in TLS, greylisting, refusing, stopped under load."""

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
from tests.support.null_spool import NullSpool, envelope
from tests.support.postfix import Postfix
from tests.support.relaying import means, relay

RETURN_PATH = b"Return-Path: <sender@example.org>\r\n"

pytestmark = pytest.mark.peer("postfix")


class PostfixCase(TestCase):
    timeout = 40

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp()
        cls.postfix = Postfix(os.path.join(cls.folder, "postfix"), tls=True)

    @classmethod
    def tearDownClass(cls):
        cls.postfix.stop()
        shutil.rmtree(cls.folder)

    def setUp(self):
        self.spool = NullSpool(os.path.join(self.folder, "message"))
        self.logged = 0
        self.before = set(self.postfix.received())
        self.flow = None
        self.addCleanup(lambda: ensureDeferred(self.end()))
        for table in ("recipients", "senders", "after"):
            self.postfix.refuse(table)

    async def up(self):
        await deferToThread(self.postfix.start)

    async def down(self):
        await deferToThread(self.postfix.stop)

    async def refuse(self, table, **answers):
        await deferToThread(self.postfix.refuse, table, **answers)

    def accept(self, number=0, body=b"Subject: %d\r\n\r\n.dots\r\n..\r\n.\r\nend\r\n", sender="sender@example.org"):
        message = RETURN_PATH + (body % number if b"%d" in body else body)
        path = f"{self.spool.file}{number}"
        with open(path, "wb") as file:
            file.write(message)
        self.spool.path = lambda id: f"{self.spool.file}{id}"
        plan = (Relay(customer="acme", address=f"u{number}@mydomain.zz", recipient=0),)
        size = {"size": len(message), "return_path": len(RETURN_PATH), "received_at": reactor.seconds()}
        return self.spool.accept(envelope(str(number), plan, sender=sender, **size))

    async def start(self, **courier):
        made = means(self.spool, reactor, ports=(self.postfix.port,), **courier)
        self.flow = relay(self.spool, reactor, self.postfix.port, means_=made)
        self.flow.start()
        await until(lambda: list(self.flow.lanes()))
        (lane,) = self.flow.lanes()
        return lane

    async def end(self):
        if self.flow:
            self.flow.cut()
            await self.flow.stop()
        await self.down()

    async def arrived(self, count):
        """Messages delivered in this test, bodies only, line ends as on the wire."""
        await until(lambda: len(set(self.postfix.received()) - self.before) >= count, 0.05)
        found = set(self.postfix.received()) - self.before
        assert len(found) == count
        return sorted(message.replace(b"\n", b"\r\n").partition(b"\r\n\r\n")[2] for message in found)


class Postfixes(PostfixCase):
    @run
    async def test_a_backlog_follows_one_probe_when_postfix_is_back(self):
        for number in range(60):
            self.accept(number)
        lane = await self.start()
        await until(lambda: lane.health.state is State.DOWN)
        assert not self.spool.attempts
        await self.up()
        await until(lambda: not self.spool.live)
        assert set(await self.arrived(60)) == {b".dots\r\n..\r\n.\r\nend\r\n"}
        assert "TLSv1.3" in self.postfix.log()

    @run
    async def test_bodies_arrive_whole_in_chunks_and_by_data(self):
        """Postfix offers CHUNKING; the same bodies over DATA, in clear, must be the same."""
        lines = b"".join(b".%d dots\r\n.\r\n" % i for i in range(20_000))
        await self.up()
        for number, courier in enumerate(({"chunking": True}, {"chunking": False, "tls": "never"})):
            self.spool.listeners.clear()
            self.accept(100 + number, b"Subject: big\r\n\r\n" + lines)
            await self.start(**courier)
            await until(lambda: not self.spool.live)
            await self.flow.stop()
        assert await self.arrived(2) == [lines, lines]

    @run
    async def test_greylisting_and_refusals_at_each_stage(self):
        await self.refuse("recipients", u1="450 4.2.0 Greylisted, see you", u2="550 5.1.1 unknown here")
        await self.refuse("senders", late="450 4.1.8 domain not found", bad="550 5.7.1 sender refused")
        await self.refuse("after", spam="554 5.7.1 spam", slow="451 4.7.1 later")
        await self.up()
        lane = await self.start_with(6, ("sender", "sender", "late", "bad", "spam", "slow"))
        await until(lambda: {id for id, *_ in self.spool.attempts} >= {"1", "2", "3", "4", "5", "6"})
        self.accept(7)
        await until(lambda: set(self.spool.live) == {"1", "3", "4", "6"})
        failed = {live.envelope.id: failures[0] for live, failures in self.flow._bounces.failures}
        assert {id: outcome.enhanced for id, outcome in failed.items()} == {"2": "5.1.1", "5": "5.7.1"}
        assert lane.health.state is State.UP
        for table in ("recipients", "senders", "after"):
            await self.refuse(table)
        await until(lambda: not self.spool.live)
        await self.arrived(5)

    async def start_with(self, count, senders):
        for number, sender in zip(range(1, count + 1), senders, strict=True):
            self.accept(number, sender=f"{sender}@example.org")
        return await self.start()

    @run
    async def test_nothing_is_lost_when_postfix_stops_under_load(self):
        await self.up()
        for number in range(300):
            self.accept(number)
        await self.start()
        await until(lambda: len(self.spool.ended) > 50, 0.001)
        await self.down()
        assert self.spool.live
        await self.up()
        await until(lambda: not self.spool.live)
        await until(lambda: len(self.numbers()) == 300, 0.05)

    def numbers(self):
        """Subjects that arrived; one may have come twice, since its 250 was lost."""
        found = set(self.postfix.received()) - self.before
        return {message.partition(b"Subject: ")[2].partition(b"\n")[0] for message in found}
