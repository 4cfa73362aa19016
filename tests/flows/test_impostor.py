"""A machine that takes everybody's mail at the customer's address, and is not his server, gets none of it."""

import os

from twisted.internet import ssl

from emailgency.rules.guard import Identity, wholly_strange
from emailgency.rules.health import State
from tests.support.asynchronous import run, until
from tests.support.certificates import self_signed
from tests.support.relay_case import RelayCase
from tests.support.smtp_server import CAPABILITIES

ANOTHER = {"EHLO": b"250-elsewhere.example\r\n250-PIPELINING\r\n250 STARTTLS\r\n"}


def refuse_nobody(connection, line):
    return b"550 5.1.1 no such user\r\n" if b"TO:<x" in line else NotImplemented


class ImpostorCase(RelayCase):
    def setUp(self):
        super().setUp()
        self.alerts = []

    def starttls(self, name):
        key = os.path.join(self.folder, f"{name}.pem")
        self_signed(name, key, key + ".crt")
        factory = ssl.DefaultOpenSSLContextFactory(key, key + ".crt")

        def answer(connection, _):
            connection.transport.write(b"220 go\r\n")
            connection.transport.startTLS(factory)
            return b""

        return answer

    async def gone(self, **more):
        """A server under TLS took mail, and is away; mail waits for it."""
        server = self.server(capabilities=(*CAPABILITIES, "STARTTLS"), STARTTLS=self.starttls("before"), **more)
        flow = self.start(server)
        flow.incidents.listeners.append(lambda _, words: self.alerts.append(words))
        self.accept("well")
        await until(lambda: not self.spool.live)
        lane = await self.lane(flow)
        await server.down()
        for number in range(3):
            self.accept(number)
        await until(lambda: lane.health.state is State.DOWN)
        del server.messages[:], server.commands[:], self.alerts[:]
        return server, flow, lane

    def given(self, server):
        return [command for command in server.commands if command.startswith(b"DATA")]


class Impostors(ImpostorCase):
    @run
    async def test_who_has_neither_name_nor_certificate_and_takes_everybody_gets_nothing(self):
        server, flow, lane = await self.gone()
        server.behaviour |= ANOTHER | {"STARTTLS": self.starttls("after")}
        server.up()
        await until(lambda: self.alerts)
        seen = server.opened
        flow.flush("acme")
        await until(lambda: server.opened > seen + 1)
        assert "before scripted" in self.alerts[0]
        assert "until somebody says that it is yours" in self.alerts[0]
        assert len(self.alerts) == 1
        assert lane.health.state is State.DOWN
        assert self.given(server) == []
        assert len(self.spool.live) == 3

    @run
    async def test_when_somebody_says_that_it_is_his_the_mail_goes(self):
        server, flow, _ = await self.gone()
        server.behaviour |= ANOTHER | {"STARTTLS": self.starttls("after")}
        server.up()
        await until(lambda: self.alerts)
        await flow.accept_server("acme")
        await until(lambda: not self.spool.live)
        assert len(server.messages) == 3

    @run
    async def test_a_new_server_that_knows_its_people_gets_the_mail(self):
        server, _, _ = await self.gone(RCPT=refuse_nobody)
        server.behaviour |= ANOTHER | {"STARTTLS": self.starttls("after")}
        server.up()
        await until(lambda: self.given(server))

    @run
    async def test_a_new_certificate_alone_is_everyday_life(self):
        await self.known_by(STARTTLS=self.starttls("after"))

    @run
    async def test_a_new_name_with_the_certificate_of_before_is_everyday_life(self):
        await self.known_by(**ANOTHER)

    async def known_by(self, **change):
        server, _, _ = await self.gone()
        server.behaviour |= change
        server.up()
        await until(lambda: self.given(server))
        assert not any(b"TO:<x" in command for command in server.commands)

    @run
    async def test_one_of_several_servers_is_no_stranger(self):
        server, flow, lane = await self.gone()
        lane._errand._identities.append(Identity("elsewhere.example", "other", "192.0.2.1"))
        server.behaviour |= ANOTHER | {"STARTTLS": self.starttls("after")}
        server.up()
        await until(lambda: self.given(server))
        assert self.alerts == []
        assert flow.incidents.current("acme")

    @run
    async def test_a_server_that_is_dead_costs_one_connection_a_probe(self):
        server, flow, lane = await self.gone()
        server.behaviour["banner"] = b"421 4.3.2 not now\r\n"
        server.up()
        opened = server.opened
        flow.flush("acme")
        await until(lambda: "421" in lane.health.reason)
        assert server.opened - opened <= lane.health.failures
        assert self.given(server) == []

    def test_without_a_certificate_of_before_nobody_is_wholly_strange(self):
        before = Identity("mail.zz", "AA", "192.0.2.1")
        assert wholly_strange(before, Identity("other.zz", "BB", "192.0.2.1"))
        assert wholly_strange(before, Identity("other.zz", "", "192.0.2.2"))
        assert not wholly_strange(before, Identity("mail.zz", "BB"))
        assert not wholly_strange(before, Identity("other.zz", "AA"))
        assert not wholly_strange(Identity("mail.zz"), Identity("other.zz", "BB"))
        assert not wholly_strange(Identity(), Identity("other.zz"))
