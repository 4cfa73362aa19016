"""TLS towards customers' servers: taken where it is offered, never a reason for mail to get stuck, unless required."""

import os

from OpenSSL import SSL
from twisted.internet import reactor, ssl

from emailgency.rules.health import State
from tests.support.asynchronous import run, until
from tests.support.certificates import self_signed
from tests.support.relay_case import BODY, RelayCase
from tests.support.relaying import means
from tests.support.smtp_server import CAPABILITIES, ScriptedServer

WITH_TLS = (*CAPABILITIES, "STARTTLS")


class TlsCase(RelayCase):
    def setUp(self):
        super().setUp()
        self.key = os.path.join(self.folder, "key.pem")
        self_signed("another.name", self.key, self.key + ".crt")

    def context(self, newest=None):
        factory = ssl.DefaultOpenSSLContextFactory(self.key, self.key + ".crt")
        context = factory.getContext()
        if newest is not None:
            context.set_min_proto_version(0)
            context.set_max_proto_version(newest)
            context.set_cipher_list(b"ALL:@SECLEVEL=0")
        return factory

    def starttls(self, newest=None):
        factory = self.context(newest)

        def answer(connection, _):
            connection.transport.write(b"220 go\r\n")
            connection.transport.startTLS(factory)
            connection.secure = True
            return b""

        return answer

    async def until_taken(self, server):
        await until(lambda: not self.spool.live)
        assert server.messages[-1][2] == BODY


class Tls(TlsCase):
    @run
    async def test_starttls_is_used_where_it_is_offered_whatever_the_certificate_says(self):
        server = ScriptedServer(capabilities=WITH_TLS, STARTTLS=self.starttls())
        secure = []
        server.behaviour["MAIL"] = lambda connection, _: secure.append(connection.secure) or NotImplemented
        self.accept(0)
        self.accept(1)
        self.start(server, connections=1)
        await self.until_taken(server)
        assert secure == [True, True]
        assert server.commands.count(b"STARTTLS") == 1
        assert [command[:4] for command in server.commands[:3]] == [b"EHLO", b"STAR", b"EHLO"]

    @run
    async def test_a_failed_handshake_is_followed_by_a_connection_in_clear(self):
        for garbage in (b"220 go\r\n", b"454 4.7.0 not now\r\n"):

            def answer(connection, _, garbage=garbage):
                if garbage.startswith(b"220"):  # what follows the client's hello is no TLS
                    connection.dataReceived = lambda hello: connection.transport.write(b"500 not TLS\r\n")
                return garbage

            server = self.server(capabilities=WITH_TLS, STARTTLS=answer)
            self.accept(len(garbage))
            self.start(server)
            await self.until_taken(server)

    @run
    async def test_a_server_with_tls_1_1_at_most_is_spoken_to_in_clear(self):
        server = ScriptedServer(capabilities=WITH_TLS, STARTTLS=self.starttls(SSL.TLS1_1_VERSION))
        self.accept()
        self.start(server)
        await self.until_taken(server)

    @run
    async def test_attack_05_a_reply_injected_behind_the_220_of_starttls_is_not_used(self):
        server = ScriptedServer(capabilities=WITH_TLS, STARTTLS=b"220 go\r\n250-mx\r\n250-AUTH PLAIN\r\n250 SIZE 1\r\n")
        self.accept()
        flow = self.start(server)
        lane = await self.lane(flow)
        await until(lambda: lane.health.state is State.DOWN)
        assert "STARTTLS" in lane.health.reason
        assert not any(command.startswith(b"MAIL") for command in server.commands)

    @run
    async def test_attack_06_where_tls_is_required_nothing_goes_in_clear(self):
        for capabilities, answer in (
            (CAPABILITIES, b""),
            (WITH_TLS, b"454 4.7.0 not now\r\n"),
            (WITH_TLS, self.starttls(SSL.TLS1_1_VERSION)),
        ):
            server = self.server(capabilities=capabilities, STARTTLS=answer)
            self.accept(str(len(server.capabilities)) + repr(answer)[:5])
            flow = self.start(server, means_=means(self.spool, reactor, ports=(server.port,), tls="must"))
            lane = await self.lane(flow)
            await until(lambda lane=lane: lane.health.state is State.DOWN)
            assert not any(command.startswith(b"MAIL") for command in server.commands)
            assert self.spool.live
            server.capabilities, server.behaviour["STARTTLS"] = WITH_TLS, self.starttls()
            await self.until_taken(server)


class RequireTls(TlsCase):
    """RFC 8689 towards a customer's own server."""

    @run
    async def test_attack_06_what_needs_tls_goes_to_no_server_without_it(self):
        for capabilities, secure in (((*CAPABILITIES, "REQUIRETLS"), False), (WITH_TLS, True)):
            server = self.server(capabilities=capabilities, **({"STARTTLS": self.starttls()} if secure else {}))
            self.start(server)
            self.accept(require_tls=True)
            await until(lambda: any("REQUIRETLS" in outcome.reply for *_, outcome in self.spool.attempts))
            assert not server.messages
            assert not [command for command in server.commands if command.startswith(b"MAIL")]
            self.spool.attempts.clear()

    @run
    async def test_it_goes_under_tls_to_one_that_keeps_the_promise(self):
        server = self.server(capabilities=(*WITH_TLS, "REQUIRETLS"), STARTTLS=self.starttls())
        self.start(server)
        self.accept(require_tls=True)
        await self.until_taken(server)
        [mail] = [command for command in server.commands if command.startswith(b"MAIL")]
        assert mail.endswith(b" REQUIRETLS")
