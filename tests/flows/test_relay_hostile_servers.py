"""Mail goes home to servers that refuse, stall, lie and die, and to names that lead elsewhere."""

import itertools

from msgspec.structs import replace
from twisted.internet import reactor
from twisted.internet.task import LoopingCall

from emailgency.model.directory import Customer
from emailgency.model.errors import Temporary
from emailgency.net.dns import Dns, DnsSettings
from emailgency.net.egress import Egress, EgressSettings
from emailgency.rules.health import State
from tests.support.asynchronous import run, until
from tests.support.dns_server import DnsServer
from tests.support.relay_case import BODY, RelayCase
from tests.support.relaying import means, relay
from tests.support.smtp_server import CAPABILITIES, ScriptedServer


class HostileServer(RelayCase):
    async def defer_then_take(self, stage, reply, **more):
        """`reply` once at `stage`, then a good server."""
        replies = [reply]
        server = self.server(**{stage: lambda *_: replies.pop() if replies else NotImplemented}, **more)
        self.accept()
        self.start(server)
        await until(lambda: not self.spool.live)
        assert len(server.messages) == 1
        return server

    @run
    async def test_every_4xx_is_tried_again(self):
        for stage in ("MAIL", "RCPT", "DATA", "end"):
            self.spool.attempts.clear()
            await self.defer_then_take(stage, b"451 4.7.1 greylisted, come back\r\n")
            ((_, _, _, outcome),) = self.spool.attempts
            assert (outcome.word, outcome.code, outcome.enhanced) == ("deferred", 451, "4.7.1"), stage

    @run
    async def test_a_refusal_is_for_its_recipient_alone_and_final_when_it_is_said_twice_by_a_server_that_is_well(self):
        for stage in ("RCPT", "end"):
            server = self.server()
            if stage == "RCPT":
                answers = {b"u1": b"550 5.1.1 nobody\r\n", b"u2": b"450 4.2.1 later\r\n"}
                server.behaviour["RCPT"] = lambda _, line, answers=answers: answers.get(line[9:11], NotImplemented)
            else:
                server.behaviour["end"] = lambda line, _: (
                    NotImplemented if b"s1@" in line.sender else b"554 5.7.1 spam\r\n"
                )
            self.spool.attempts.clear()
            self.accept(stage, recipients=3)
            flow = self.start(server)
            await until(lambda: len(self.spool.attempts) > 5)
            assert not flow._bounces.failures, "it took nothing since it refused that"
            self.accept(f"other{stage}", sender="s1@example.org")
            failed = {1} if stage == "RCPT" else {0, 1, 2}
            await until(
                lambda flow=flow, failed=failed: {i for _, some in flow._bounces.failures for i in some} == failed
            )
            if stage == "RCPT":
                assert flow._bounces.failures[0][1][1].enhanced == "5.1.1"
                ((targets, relayed),) = (end for end in self.spool.ended["mRCPT"] if end[1].word == "relayed")
                assert (targets, relayed.code, relayed.reply) == ((0,), 250, "taken")
                server.behaviour.clear()
            await until(lambda: not self.spool.live)

    @run
    async def test_a_connection_lost_after_the_final_dot_is_tried_again(self):
        def drop(connection, _):
            connection.transport.abortConnection()
            connection.factory.server.behaviour.clear()
            return b""

        server = ScriptedServer(end=drop)
        self.accept(0)
        self.accept(1)
        self.start(server, connections=1)
        await until(lambda: not self.spool.live)
        assert len(server.messages) == 2
        ((id, _, _, outcome),) = self.spool.attempts  # the one behind the dot was innocent
        assert (id, outcome.word) == ("m0", "doubtful")
        assert [body for _, _, body in server.messages].count(b"X-Emailgency-Id: m0\r\n" + BODY) == 1

    @run
    async def test_mail_behind_a_lost_one_goes_again_though_no_attempt_can_be_recorded(self):
        def drop(connection, _):
            connection.transport.abortConnection()
            connection.factory.server.behaviour.clear()
            return b""

        async def failing(*record):
            raise Temporary("no space left")

        self.spool.tried = failing
        server = ScriptedServer(end=drop)
        self.accept(0)
        self.accept(1)
        self.start(server, connections=1)
        await until(lambda: not self.spool.live)
        assert len(server.messages) == 2

    @run
    async def test_a_message_that_kills_the_server_does_not_block_the_others(self):
        def poison(connection, body):
            if b"MAIL FROM:<poison@" in connection.sender:
                connection.transport.abortConnection()
                return b""
            return NotImplemented

        server = ScriptedServer(end=poison)
        self.accept(0, sender="poison@example.org", received_at=reactor.seconds() - 1000)
        for number in range(1, 30):
            self.accept(number)
        self.start(server)
        await until(lambda: list(self.spool.live) == ["m0"])
        assert len(server.messages) == 29

    @run
    async def test_replies_sent_before_the_body_are_not_believed(self):
        server = ScriptedServer(DATA=b"354 go\r\n250 2.0.0 taken\r\n")
        self.accept()
        self.start(server)
        await until(lambda: self.spool.attempts)
        assert not self.spool.ended
        assert not server.messages

    @run
    async def test_an_endless_banner_and_other_noise_cost_nothing_but_a_probe(self):
        for noise in (
            b"220-hello\r\n" * 100_000,
            b"x" * 1_000_000,
            b"\x16\x03\x01\x02\x00\n",
            b"HTTP/1.1 400 Bad\r\n\r\n",
        ):
            server = self.server(banner=noise)
            self.accept(len(noise))
            flow = self.start(server)
            lane = await self.lane(flow)
            await until(lambda lane=lane: lane.health.state is State.DOWN)
            assert "protocol broken" in lane.health.reason
            server.behaviour.clear()
            await until(lambda: not self.spool.live)

    @run
    async def test_a_tarpit_holds_one_connection_no_longer_than_the_timeout_of_a_reply(self):
        """One octet at a time buys no time: the deadline is for the whole reply."""

        def drip(connection, _):
            connection.reading = False
            dripping = LoopingCall(connection.transport.write, b"2")
            dripping.start(0.02)
            self.addCleanup(dripping.stop)
            return b""

        for stage in ("banner", "EHLO", "MAIL", "end"):
            server = self.server(**{stage: drip})
            self.accept(stage)
            times = dict.fromkeys(("greeting", "command", "data", "end"), 0.15)
            flow = self.start(server, means_=means(self.spool, reactor, ports=(server.port,), **times))
            lane = await self.lane(flow)
            await until(lambda lane=lane: lane.health.failures)
            assert "timeout" in lane.health.reason, lane.health.reason
            server.behaviour.clear()
            await until(lambda: not self.spool.live)

    @run
    async def test_a_server_that_does_not_read_is_left(self):
        def deaf(connection, _):
            connection.transport.pauseProducing()
            connection.reading = False
            return b"354 go\r\n"

        self.write(b"Subject: x\r\n\r\n" + b"y" * 70 + b"\r\n" * 6_000_000)
        server = ScriptedServer(DATA=deaf)
        self.accept()
        flow = self.start(server, means_=means(self.spool, reactor, ports=(server.port,), block=0.2))
        lane = await self.lane(flow)
        await until(lambda: lane.health.failures)
        assert "timeout" in lane.health.reason

    @run
    async def test_too_many_connections_for_the_server_is_not_an_illness(self):
        def crowd(connection, _):
            return b"421 too many\r\n" if len(connection.factory.server.connections) > 2 else NotImplemented

        server = ScriptedServer(banner=crowd)
        for number in range(200):
            self.accept(number)
        flow = self.start(server)
        lane = await self.lane(flow)
        await until(lambda: not self.spool.live)
        assert lane.health.state is State.UP
        assert server.opened <= 8

    @run
    async def test_messages_that_the_server_cannot_take_stay_pending(self):
        for body, lack, enhanced in (
            (BODY, "SIZE 10", "5.3.4"),
            ("Subject: ä\r\n\r\n".encode(), "X-ANYTHING", "5.6.7"),
        ):
            server = self.server(capabilities=("PIPELINING", lack))
            self.spool.attempts.clear()
            self.write(body)
            self.accept(lack, smtputf8=enhanced == "5.6.7")
            self.start(server)
            await until(lambda: self.spool.attempts)
            assert self.spool.attempts[0][3].enhanced == enhanced
            server.capabilities = CAPABILITIES
            await until(lambda: not self.spool.live)

    @run
    async def test_smtputf8_that_the_message_does_not_need_is_not_asked_for(self):
        server = ScriptedServer(capabilities=("PIPELINING",))
        self.accept(smtputf8=True)
        self.start(server)
        await until(lambda: not self.spool.live)
        assert b"SMTPUTF8" not in server.messages[0][0]

    @run
    async def test_a_file_that_is_not_what_the_envelope_says_is_not_sent(self):
        server = ScriptedServer()
        self.accept(0, size=self.size + 1)
        self.accept(1)
        self.start(server)
        await until(lambda: list(self.spool.live) == ["m0"])
        assert len(server.messages) == 1

    @run
    async def test_attack_02_a_dot_line_at_the_border_of_chunks_reaches_the_server_as_text(self):
        server = ScriptedServer()
        bodies = []
        self.start(server, connections=1)
        for offset in range(-6, 7):
            body = b"x" * ((1 << 16) + offset) + b"\r\n.\r\nMAIL FROM:<ceo@bank.example>\r\n.\r\n"
            bodies.append(body)
            self.write(body)
            self.accept(offset)
            await until(lambda: not self.spool.live)
        assert [body for _, _, body in server.messages] == bodies

    @run
    async def test_attack_15_no_spelling_of_an_internal_address_is_connected_to(self):
        """25 spellings as SMTP transport, by name or by address: our listener sees no connection."""
        server = ScriptedServer()
        names = {
            f"n{i}.evil.zz": ip
            for i, ip in enumerate(("127.0.0.1", "0.0.0.0", "169.254.169.254", "10.0.0.1", "127.8.8.8"))
        }
        zone = {(name, "A"): [ip] for name, ip in names.items()}
        sixes = ("::1", "::", "::ffff:127.0.0.1", "2002:7f00:1::1", "64:ff9b::7f00:1")
        zone |= {(f"s{i}.evil.zz", "AAAA"): [ip] for i, ip in enumerate(sixes)}
        dns = DnsServer(zone, ttl=0)
        self.addCleanup(dns.stop)
        resolver = Dns(DnsSettings(addresses=(dns.address,), timeout=20), reactor)
        spellings = [
            *(
                "127.0.0.1",
                "2130706433",
                "0177.0.0.1",
                "0x7f000001",
                "127.1",
                "0",
                "0.0.0.0",
                "localhost",
                "localhost.",
            ),
            *("[::1]", "[::ffff:127.0.0.1]", "[::127.0.0.1]", "[::]", "[2002:7f00:1::]", "[64:ff9b::127.0.0.1]"),
            *(name for name, _ in zone),
        ]
        assert len(spellings) >= 25
        closed = replace(means(self.spool, reactor), egress=Egress(EgressSettings(ports=(25, server.port)), lambda: ()))
        self.accept()
        for spelling in spellings:
            customer = Customer(
                id="acme",
                domain="mydomain.zz",
                alternate_domain="mydomainzz.test",
                smtp_transport=f"{spelling}:{server.port}",
            )
            flow = relay(self.spool, reactor, 1, customer=customer, resolver=resolver, means_=closed)
            flow.start()
            lane = await self.lane(flow)
            await until(lambda lane=lane: lane.health.failures)
            await self.finish(flow, None)
            self.spool.listeners.clear()
        assert server.opened == 0
        assert self.spool.live
        await server.down()

    @run
    async def test_attack_15_a_name_that_changes_its_address_gains_nothing(self):
        """TTL 0, allowed at one look and forbidden at the next: what is connected to is what was checked."""
        server = ScriptedServer()
        dns = DnsServer({("evil.zz", "A"): ["127.0.0.2"]}, ttl=0)
        addresses = itertools.cycle(("127.0.0.1", "127.0.0.2"))

        def turn(query, honest, udp):
            dns.zone[("evil.zz", "A")] = [next(addresses)]
            return [honest.to_wire()]

        dns.vice = turn
        self.addCleanup(dns.stop)
        resolver = Dns(DnsSettings(addresses=(dns.address,), timeout=20, ipv6=False), reactor)
        checked = []

        class Gate(Egress):
            def check(self, ip, port):
                checked.append(ip)
                return super().check(ip, port)

        opened = EgressSettings(networks=("127.0.0.2/32",), ports=(server.port,))
        closed = replace(means(self.spool, reactor), egress=Gate(opened, lambda: ()))
        customer = Customer(
            id="acme", domain="x.zz", alternate_domain="xzz.test", smtp_transport=f"evil.zz:{server.port}"
        )
        self.accept()
        flow = self.start(server, customer=customer, resolver=resolver, means_=closed)
        lane = await self.lane(flow)
        await until(lambda: lane.health.failures > 3)
        assert (server.opened, set(checked)) == (0, {"127.0.0.1", "127.0.0.2"})

    @run
    async def test_attack_13_mail_is_never_relayed_to_ourselves(self):
        server = ScriptedServer()
        ours = Egress(EgressSettings(networks=("0.0.0.0/0",), ports=(server.port,)), lambda: [("0.0.0.0", server.port)])
        self.accept()
        flow = self.start(server, means_=replace(means(self.spool, reactor), egress=ours))
        lane = await self.lane(flow)
        await until(lambda: lane.health.failures > 2)
        assert "ourselves" in lane.health.reason
        assert server.opened == 0
