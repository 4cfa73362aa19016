"""Port 25 against clients we did not write."""

import smtplib

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from tests.support.smtp import FewAddresses, MemorySpool, build


class ReceptionTests(TestCase):
    def setUp(self) -> None:
        self.spool, self.resolver = MemorySpool(), FewAddresses()
        self.factory = build(reactor, self.spool, self.resolver)
        self.port = reactor.listenTCP(0, self.factory, interface="127.0.0.1")
        self.addCleanup(self.port.stopListening)

    def dialogue(self, talk) -> Deferred:
        def run():
            with smtplib.SMTP("127.0.0.1", self.port.getHost().port, "client.example", timeout=10) as client:
                return talk(client)

        return deferToThread(run)

    async def test_a_message_is_committed_with_its_trace_before_its_250(self) -> None:
        body = b"Subject: hello\r\n\r\n.dot\r\nlast\r\n"
        await self.dialogue(lambda client: client.sendmail("a@sender.example", ["Paul@mydomain.zz"], body))
        (envelope, octets) = self.spool.messages[0]
        assert octets[: envelope.return_path] == b"Return-Path: <a@sender.example>\r\n"
        assert octets.endswith(body)
        assert b"for <Paul@mydomain.zz>;" in octets
        assert envelope.size == len(octets)
        assert self.spool.confirmed == [envelope.id]
