"""The relay over sockets, with a stand-in for the spool: what tests of it begin with."""

import os
import shutil
import tempfile

from twisted.internet import reactor
from twisted.internet.defer import ensureDeferred
from twisted.trial.unittest import TestCase

from emailgency.model.envelope import Relay
from tests.support.asynchronous import until
from tests.support.null_spool import NullSpool, envelope
from tests.support.relaying import relay
from tests.support.smtp_server import ScriptedServer

RETURN_PATH = b"Return-Path: <sender@example.org>\r\n"
BODY = b"Subject: hello\r\n\r\n.dot\r\n..two\r\nend\r\n"


class RelayCase(TestCase):
    timeout = 40

    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)
        self.spool = NullSpool(os.path.join(self.folder, "message"))
        self.write(BODY)

    def write(self, body):
        with open(self.spool.file, "wb") as file:
            file.write(RETURN_PATH + body)
        self.size = len(RETURN_PATH + body)

    def accept(self, number=0, recipients=1, **more):
        plan = tuple(Relay(customer="acme", address=f"u{i}@mydomain.zz", recipient=i) for i in range(recipients))
        fields = {"size": self.size, "return_path": len(RETURN_PATH), "received_at": reactor.seconds(), **more}
        return self.spool.accept(envelope(f"m{number}", plan, **fields))

    def start(self, server, **more):
        flow = relay(self.spool, reactor, server.port if server else 1, **more)
        flow.start()
        self.addCleanup(lambda: ensureDeferred(self.finish(flow, server)))
        return flow

    async def finish(self, flow, server):
        await flow.stop()
        flow.cut()
        await until(lambda: all(lane.connections == 0 for lane in flow.lanes()))
        if server:
            await server.down()

    def server(self, **more):
        """The next server of a test; what was started for the one before hears no more of new mail."""
        self.spool.listeners.clear()
        return ScriptedServer(**more)

    async def lane(self, flow):
        await until(lambda: list(flow.lanes()))
        (lane,) = flow.lanes()
        return lane
