"""Port 25 against clients we did not write."""

import smtplib
import socket

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from emailgency.codec.smtp.limits import SmtpLimits
from emailgency.flows.receiving.receive import ReceptionLimits
from emailgency.model.envelope import Deliver, Undelivered
from emailgency.servers.smtp_service import SmtpSettings
from tests.support.asynchronous import until
from tests.support.smtp import FewAddresses, MemorySpool, Talk, build


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

    async def test_who_says_quit_behind_the_dot_has_heard_us_when_he_closes_in_his_turn(self) -> None:
        """Postfix does so; RFC 1047 is about those who went before our answer."""
        opening = b"EHLO x\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<paul@mydomain.zz>\r\nDATA\r\n"

        def send(hear: bool) -> None:
            with socket.create_connection(("127.0.0.1", self.port.getHost().port), 10) as client:
                client.sendall(opening)
                read = client.makefile("rb")
                while not read.readline().startswith(b"354"):
                    pass
                client.sendall(b"Subject: %d\r\n\r\n.\r\nQUIT\r\n" % hear)
                if hear:
                    assert b"queued" in read.read()
                else:
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # ends in a reset

        await deferToThread(send, False)
        await until(lambda: len(self.spool.messages) == 1 and not len(self.factory.service.connections))
        assert self.spool.confirmed == []
        await deferToThread(send, True)
        await until(lambda: not len(self.factory.service.connections))
        assert self.spool.confirmed == [self.spool.messages[1][0].id]

    async def test_the_postmaster_of_this_server_gets_mail_under_each_of_its_names(self) -> None:
        """RFC 5321 section 4.5.1; notifications come from postmaster@ our host name, and people answer them."""
        names = ["postmaster", "Postmaster@mx.emailgency.example", "POSTMASTER@emailgency.example"]
        await self.dialogue(lambda client: client.sendmail("", names, b"Subject: help\r\n\r\n"))
        (envelope, _) = self.spool.messages[0]
        assert [recipient.as_given for recipient in envelope.recipients] == names
        assert envelope.plan == (Undelivered(customer="operator", recipient=0),)

    async def test_the_postmaster_of_this_server_may_be_an_address_of_a_customer(self) -> None:
        for address, expected in (
            ("paul@mydomain.zz", Deliver(customer="mydomain", mailbox="paul", recipient=0)),
            ("paul@gone.example", Undelivered(customer="operator", recipient=0)),  # never refused for a wrong setting
        ):
            settings = SmtpSettings(reception=ReceptionLimits(postmaster=address))
            talk = Talk(build(Clock(), self.spool, settings=settings))
            talk.say(b"EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<postmaster>\r\nDATA\r\nSubject: x\r\n\r\n.\r\n")
            assert self.spool.messages[-1][0].plan == (expected,)

    async def test_senders_that_others_gave_such_addresses_are_heard(self) -> None:
        """Bounce addresses longer than 64 octets, and what Japanese telephones used to be called."""
        verp = "bounces+" + "x" * 60 + "-user=mydomain.zz@lists.example"
        talk = Talk(build(Clock(), self.spool))
        talk.say(b"EHLO x\r\n")
        for sender in (verp, "a..b@docomo.example", ".a@docomo.example", "a.@ezweb.example"):
            (answer, _) = talk.say(f"MAIL FROM:<{sender}>\r\nRSET\r\n".encode())
            assert answer.startswith("250"), sender
        for sender in ("x" * 257 + "@lists.example", "a@-.example", "a@1.2.3.4"):
            (answer, _) = talk.say(f"MAIL FROM:<{sender}>\r\nRSET\r\n".encode())
            assert answer.startswith("553"), sender

    async def test_attack_28_who_does_not_read_is_not_read_from_and_misses_nothing_later(self) -> None:
        """As much as fits into the buffers of both ends goes out, and no octet more is taken in."""
        limits = SmtpLimits(idle_commands=10**9)
        factory = build(reactor, self.spool, settings=SmtpSettings(limits=limits))
        port = reactor.listenTCP(0, factory, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        lines = 1000 * b"NOOP\r\n"

        def flood() -> tuple[int, int]:
            with socket.create_connection(("127.0.0.1", port.getHost().port), 10) as client:
                client.settimeout(1.0)
                sent = 0
                try:
                    while sent < 100 << 20:
                        sent += client.send(lines)
                except TimeoutError:
                    pass
                client.settimeout(10.0)
                replies = 0
                while replies < sent // 6 + 1:  # and the banner
                    replies += client.recv(1 << 20).count(b"\r\n")
                client.sendall(b"NOOP\r\n"[sent % 6 :] + b"QUIT\r\n")
                while octets := client.recv(1 << 20):
                    replies += octets.count(b"\r\n")
                return sent, replies

        sent, replies = await deferToThread(flood)
        assert sent < 50 << 20
        assert replies == sent // 6 + 3
