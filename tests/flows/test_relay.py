"""Mail goes home: the lanes to customers' servers."""

import os
import tempfile

from twisted.internet import reactor
from twisted.internet.defer import ensureDeferred
from twisted.trial.unittest import TestCase

from emailgency.model.envelope import Relay
from tests.support.null_spool import NullSpool, envelope
from tests.support.relaying import relay
from tests.support.smtp_server import ScriptedServer

RETURN_PATH = b"Return-Path: <sender@example.org>\r\n"
BODY = b"Subject: hello\r\n\r\n.dot\r\n..two\r\nend\r\n"


def run(test):
    def wrapped(self):
        return ensureDeferred(test(self))

    wrapped.__name__ = test.__name__
    return wrapped


class RelayTest(TestCase):
    timeout = 20

    def setUp(self):
        folder = tempfile.mkdtemp()
        path = os.path.join(folder, "message")
        with open(path, "wb") as file:
            file.write(RETURN_PATH + BODY)
        self.spool = NullSpool(path)

    def accept(self, number, recipients=1):
        plan = tuple(Relay(customer="acme", address=f"u{i}@mydomain.zz", recipient=i) for i in range(recipients))
        size = len(RETURN_PATH + BODY)
        at = reactor.seconds()
        return self.spool.accept(envelope(f"m{number}", plan, size=size, return_path=len(RETURN_PATH), received_at=at))

    def start(self, server, **more):
        flow = relay(self.spool, reactor, server.port, **more)
        flow.start()

        async def stop():
            await flow.stop()
            flow.cut()
            await server.down()

        self.addCleanup(lambda: ensureDeferred(stop()))
        return flow

    @run
    async def test_pending_messages_reach_the_customers_server_unchanged(self):
        server = ScriptedServer()
        for number in range(20):
            self.accept(number)
        self.start(server)
        await server.until(lambda: len(server.messages) == 20 and not self.spool.live)
        assert {body for _, _, body in server.messages} == {BODY}
        assert server.messages[0][0].startswith(b"MAIL FROM:<sender@example.org>")

    @run
    async def test_a_dead_server_costs_one_probe_and_then_the_backlog_follows(self):
        server = ScriptedServer()
        await server.down()
        for number in range(300):
            self.accept(number)
        flow = self.start(server)
        (lane,) = [lane async for lane in _lanes(flow)]
        while lane.health.failures < 3:
            await _soon()
        assert not self.spool.attempts
        server.up()
        await server.until(lambda: not self.spool.live)
        assert len(server.messages) == 300
        assert server.opened <= 5


async def _lanes(flow):
    while not list(flow.lanes()):
        await _soon()
    for lane in flow.lanes():
        yield lane


def _soon():
    from twisted.internet.task import deferLater

    return deferLater(reactor, 0.005)
