"""Mail goes home: the lanes to customers' servers, over sockets, to servers of every kind."""

import itertools
import os
import shutil
import tempfile

from msgspec.structs import replace
from twisted.internet import reactor
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import LoopingCall
from twisted.logger import Logger, formatEvent
from twisted.trial.unittest import TestCase

from emailgency.flows import lane as lanes
from emailgency.flows.flush import Flush, FlushSettings
from emailgency.flows.incidents import Incidents
from emailgency.flows.outbound import OutboundFlow, OutboundSettings
from emailgency.flows.pending_view import PendingView
from emailgency.model.directory import Customer, RelayMode
from emailgency.model.envelope import Relay
from emailgency.model.errors import Temporary
from emailgency.model.verdict import Verdict
from emailgency.net.dns import Dns, DnsSettings
from emailgency.net.egress import Egress, EgressSettings
from emailgency.rules.health import State
from tests.support.asynchronous import run, until
from tests.support.dns_server import DnsServer
from tests.support.null_spool import FullDisk, NullSpool, envelope
from tests.support.relaying import RecordedBounces, means, relay
from tests.support.smtp_server import CAPABILITIES, ScriptedServer

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


class GivingBack(RelayCase):
    @run
    async def test_pending_messages_reach_the_customers_server_unchanged(self):
        server = ScriptedServer()
        for number in range(20):
            self.accept(number)
        self.start(server)
        await server.until(lambda: len(server.messages) == 20)
        await until(lambda: not self.spool.live)
        assert {body for _, _, body in server.messages} == {BODY}
        assert server.messages[0][0].startswith(b"MAIL FROM:<sender@example.org>")
        assert {outcome.word for ends in self.spool.ended.values() for _, outcome in ends} == {"relayed"}

    @run
    async def test_a_big_message_arrives_whole(self):
        self.write(body := b"Subject: big\r\n\r\n" + b"".join(b".%d\r\n" % i for i in range(200_000)))
        server = ScriptedServer()
        self.accept()
        self.start(server)
        await server.until(lambda: server.messages)
        assert server.messages[0][2] == body

    @run
    async def test_the_recipients_of_one_message_travel_in_one_transaction_a_hundred_at_a_time(self):
        server = ScriptedServer()
        self.accept(recipients=230)
        self.start(server)
        await until(lambda: not self.spool.live)
        assert sorted(len(recipients) for _, recipients, _ in server.messages) == [30, 100, 100]

    @run
    async def test_oldest_mail_goes_first(self):
        server = ScriptedServer()
        for number in (3, 1, 2):
            self.accept(number, received_at=reactor.seconds() - 100 + number, sender=f"s{number}@example.org")
        self.start(server, connections=1)
        await server.until(lambda: len(server.messages) == 3)
        assert [sender[11:13] for sender, _, _ in server.messages] == [b"s1", b"s2", b"s3"]

    @run
    async def test_a_connection_is_used_again_and_left_with_quit(self):
        server = ScriptedServer()
        self.start(server)
        for number in range(5):
            self.accept(number)
            await until(lambda: not self.spool.live)
        await until(lambda: not server.connections)
        assert server.opened == 1
        assert server.commands[-1] == b"QUIT"

    @run
    async def test_a_record_is_on_disk_before_the_next_final_dot(self):
        """At most one 250 a connection is not recorded; the next message's DATA waits behind the dot (design.md)."""
        server, waiting = ScriptedServer(), []
        record = self.spool.finished

        async def slow(id, targets, outcome):
            waiting.append((id, len(server.messages)))
            held.append(gate := Deferred())
            await gate
            await record(id, targets, outcome)

        held = []
        self.spool.finished = slow
        for number in range(3):
            self.accept(number)
        self.start(server, connections=1)
        for count in (1, 2, 3):
            await until(lambda count=count: len(held) == count)
            if count < 3:
                await until(lambda count=count: server.commands.count(b"DATA") == count + 1)
            assert len(server.messages) == count
            assert b"QUIT" not in server.commands
            held[-1].callback(None)
        await until(lambda: b"QUIT" in server.commands)

    @run
    async def test_mail_on_hold_stays_until_relay_is_on(self):
        server = ScriptedServer()
        held = Customer(
            id="acme",
            domain="mydomain.zz",
            alternate_domain="mydomainzz.test",
            smtp_transport=f"127.0.0.1:{server.port}",
            relay=RelayMode.HOLD,
        )
        self.accept()
        flow = self.start(server, customer=held, refresh=0.02)
        lane = await self.lane(flow)
        assert PendingView(flow, self.outbound()).hops()[0].state == "held"
        assert (len(lane.queue), server.opened) == (1, 0)
        flow.directory.by_id["acme"] = replace(held, relay=RelayMode.ON)
        await until(lambda: not self.spool.live)

    @run
    async def test_mail_whose_customer_the_directory_does_not_tell_of_is_listed_until_it_has_a_lane(self):
        flow = self.start(None, refresh=0.02)
        held = replace(flow.directory.by_id.pop("acme"), relay=RelayMode.HOLD)
        self.accept(0, recipients=2)
        self.accept(1)
        view = PendingView(flow, self.outbound())
        for hop in (*view.hops(), *view.hops("acme")):
            assert (hop.customer, hop.domain, hop.state, hop.pending) == ("acme", None, "unknown", 2)
            assert hop.oldest == min(line.received_at for line in view.messages())
            assert hop.expires_at is None
        assert sorted(line.id for line in view.messages("acme")) == ["m0", "m1"]
        assert view.show("m0")[0].recipients == ("u0@mydomain.zz", "u1@mydomain.zz")
        assert view.hops("other") == view.messages("other") == []
        flow.directory.by_id["acme"] = held
        await until(lambda: [(hop.state, hop.pending) for hop in view.hops()] == [("held", 2)])
        assert len(view.messages()) == 2

    def outbound(self):
        made = means(self.spool, reactor)
        return OutboundFlow(None, None, None, RecordedBounces(self.spool), made, OutboundSettings())

    @run
    async def test_a_new_transport_takes_the_pending_mail_along(self):
        old, new = ScriptedServer(), ScriptedServer()
        await old.down()
        self.accept()
        flow = self.start(new, refresh=0.02, means_=means(self.spool, reactor, ports=(old.port, new.port)))
        customer = flow.directory.by_id["acme"]
        flow.directory.by_id["acme"] = replace(customer, smtp_transport=f"127.0.0.1:{new.port}")
        await until(lambda: not self.spool.live)
        assert len(new.messages) == 1

    @run
    async def test_mail_goes_by_the_mx_when_the_transport_is_taken_away(self):
        """Probes notice the change before the next look at all customers does, and a message may just be under way."""
        dead, server = ScriptedServer(), ScriptedServer()
        await dead.down()
        dns = DnsServer({("mydomain.zz", "MX"): ["5 mx.mydomain.zz."], ("mx.mydomain.zz", "A"): ["127.0.0.1"]}, ttl=0)
        self.addCleanup(dns.stop)
        resolver = Dns(DnsSettings(addresses=(dns.address,), timeout=0.1, ipv6=False), reactor)
        by_transport = Customer(
            id="acme",
            domain="mydomain.zz",
            alternate_domain="mydomainzz.test",
            smtp_transport=f"127.0.0.1:{dead.port}",
        )
        self.accept()
        made = means(self.spool, reactor, ports=(dead.port, server.port))
        flow = self.start(server, customer=by_transport, resolver=resolver, means_=made, refresh=0.2)
        lane = await self.lane(flow)
        await until(lambda: lane.health.failures)
        flow.directory.by_id["acme"] = replace(by_transport, smtp_transport=None)
        await until(lambda: not self.spool.live)
        assert len(server.messages) == 1

    @run
    async def test_mail_of_a_customer_who_is_gone_is_kept_and_no_failure_of_ours(self):
        server = ScriptedServer()
        await server.down()
        self.accept()
        flow = self.start(server, refresh=0.02)
        lane = await self.lane(flow)
        del flow.directory.by_id["acme"]
        await until(lambda: "no customer" in lane.health.reason)
        assert list(self.spool.live) == ["m0"]


class DeadServer(RelayCase):
    @run
    async def test_a_dead_server_costs_one_probe_and_then_the_backlog_follows(self):
        server = ScriptedServer()
        await server.down()
        for number in range(300):
            self.accept(number)
        flow = self.start(server)
        lane = await self.lane(flow)
        most = []
        await until(lambda: most.append(lane.connections) or lane.health.failures >= 3)
        assert max(most) <= 1
        assert not self.spool.attempts
        assert len(lane.queue) == 300
        server.up()
        await until(lambda: not self.spool.live)
        assert len(server.messages) == 300
        assert server.opened <= 5

    @run
    async def test_another_number_of_connections_counts_while_mail_flows(self):
        server, numbers = ScriptedServer(), itertools.count()
        flow = self.start(server, connections=1)

        def more():
            for _ in range(20):
                self.accept(next(numbers))
            return len(server.messages)

        await until(lambda: more() > 40)
        assert server.opened == 1
        flow.settings = replace(flow.settings, connections=3)
        await until(lambda: more() and server.opened == 3)
        await until(lambda: not self.spool.live)

    @run
    async def test_a_flush_probes_at_once_and_not_twice_a_minute(self):
        server = ScriptedServer()
        await server.down()
        self.accept()
        slow = means(self.spool, reactor, ports=(server.port,))
        slow = replace(slow, retry=replace(slow.retry, probe_first=1000.0, probe_longest=1000.0))
        flow = self.start(server, means_=slow)
        lane = await self.lane(flow)
        await until(lambda: lane.health.failures == 1 and not lane.connections)
        server.up()
        flush = Flush(flow, reactor.seconds, FlushSettings())
        assert flush.flush("acme", "postmaster") == 1
        assert isinstance(flush.flush("acme", "postmaster"), Verdict)
        await until(lambda: not self.spool.live)

    @run
    async def test_mail_waits_through_every_refusal_of_the_session(self):
        for stage, reply in (
            ("banner", b"554 go away\r\n"),
            ("banner", b"421 busy\r\n"),
            ("EHLO", b"550 not you\r\n"),
            ("MAIL", b"550 5.7.1 sender refused\r\n"),
            ("MAIL", b"421 busy\r\n"),
        ):
            server = self.server(**{stage: reply, "HELO": reply})
            self.accept(f"{stage}{reply}")
            flow = self.start(server)
            lane = await self.lane(flow)
            await until(
                lambda lane=lane, server=server: (
                    lane.health.failures > 1
                    or server.commands.count(b"DATA") > 1
                    or sum(command.startswith(b"MAIL") for command in server.commands) > 1
                )
            )
            assert self.spool.live
            server.behaviour.clear()
            await until(lambda: not self.spool.live)
            assert len(server.messages) == 1

    @run
    async def test_no_dns_answer_about_the_customers_domain_is_final(self):
        server = ScriptedServer()
        dns = DnsServer({("mydomain.zz", "MX"): ["0 ."]}, ttl=0)
        self.addCleanup(dns.stop)
        resolver = Dns(DnsSettings(addresses=(dns.address,), timeout=0.1, ipv6=False), reactor)
        customer = Customer(id="acme", domain="mydomain.zz", alternate_domain="mydomainzz.test")
        self.accept()
        # The port of an MX is 25; the lane is led to the server by what this gate is asked
        made = means(self.spool, reactor, ports=(25, server.port))
        flow = self.start(server, customer=customer, resolver=resolver, means_=made)
        lane = await self.lane(flow)
        for zone, words in (
            ({("mydomain.zz", "MX"): ["0 ."]}, "null MX"),
            ({}, "does not exist"),
            ({("mydomain.zz", "TXT"): ['"x"']}, "neither MX nor address"),
            ({("mydomain.zz", "MX"): ["5 mx.emailgency.test."], ("mx.emailgency.test", "A"): ["127.0.0.1"]}, "ours"),
            ({("mydomain.zz", "MX"): ["5 mx.mydomain.zz."]}, "no MX host has an address"),
        ):
            dns.zone = zone
            await until(lambda words=words: words in lane.health.reason)
        assert self.spool.live
        assert not self.spool.ended

    @run
    async def test_a_server_that_refuses_all_senders_is_one_alert_and_not_one_a_message(self):
        told = []
        self.patch(Incidents, "_log", Logger(observer=told.append))
        server = ScriptedServer(MAIL=b"550 5.7.1 your address is on a list\r\n")
        for number in range(10):
            self.accept(number)
        self.start(server)
        await until(lambda: len({id for id, *_ in self.spool.attempts}) == 10)
        (alert,) = [formatEvent(event) for event in told if "ALERT" in event["log_format"]]
        assert alert.startswith("ALERT SMTP transport of mydomain.zz: incident ")
        assert "MAIL refused: 550 5.7.1 your address is on a list" in alert
        assert alert.endswith("its mail stays pending")
        assert not self.spool.ended

    @run
    async def test_expired_mail_is_given_up_while_the_server_does_not_answer_and_no_incident_is_open(self):
        server = ScriptedServer()
        await server.down()
        self.accept(0, received_at=reactor.seconds() - 31 * 86400)
        self.accept(1)
        slow = means(self.spool, reactor, ports=(server.port,))
        slow = replace(slow, retry=replace(slow.retry, probe_first=1000.0, probe_longest=1000.0))
        flow = self.start(server, refresh=0.02, means_=slow)
        await until(lambda: self.spool.ended)
        assert list(self.spool.live) == ["m1"]
        ((_, outcome),) = self.spool.ended["m0"]
        assert outcome.word == "expired"
        assert "refused" in outcome.reply or "waited" in outcome.reply
        assert flow._bounces.failures


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

        async def failing(id, targets, next_attempt, outcome):
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
    async def test_stopping_waits_for_the_message_on_the_way_and_takes_no_other(self):
        ends = []
        server = ScriptedServer(end=lambda connection, _: ends.append(connection) or b"")
        for number in range(3):
            self.accept(number)
        flow = self.start(server, connections=1)
        await until(lambda: ends)
        stopping = ensureDeferred(flow.stop())
        assert not stopping.called
        ends[0].transport.write(b"250 2.0.0 taken\r\n")
        await stopping
        assert len(self.spool.live) == 2
        assert list(self.spool.ended) == ["m0"]

    @run
    async def test_stopping_does_not_wait_for_a_greeting_or_the_dns(self):
        for transport in ("127.0.0.1", "mail.mydomain.zz"):
            server = self.server(banner=b"220-wait")
            dns = DnsServer(vice=lambda *_: [])
            self.addCleanup(dns.stop)
            resolver = Dns(DnsSettings(addresses=(dns.address,), timeout=0.5, attempts=1), reactor)
            customer = Customer(
                id="acme",
                domain="mydomain.zz",
                alternate_domain="mydomainzz.test",
                smtp_transport=f"{transport}:{server.port}",
            )
            self.accept(transport)
            made = means(self.spool, reactor, ports=(server.port,))
            flow = self.start(server, customer=customer, resolver=resolver, means_=made)
            await until(lambda server=server, dns=dns: server.opened or dns.asked)
            stopping = ensureDeferred(flow.stop())
            flow.cut()
            await stopping
            self.spool.live.clear()

    @run
    async def test_a_result_that_cannot_be_recorded_stays_pending(self):
        server, record, failures = ScriptedServer(), self.spool.finished, [Temporary("disk"), Temporary("disk")]

        async def failing(id, targets, outcome):
            if failures:
                raise failures.pop()
            await record(id, targets, outcome)

        self.spool.finished = failing
        self.accept()
        flow = self.start(server)
        await until(lambda: not self.spool.live)
        lane = await self.lane(flow)
        assert (len(server.messages), lane.carrying, len(lane.queue)) == (3, 0, 0)

    @run
    async def test_on_a_full_disk_each_connection_gives_one_unrecorded_message_and_the_lane_waits(self):
        self.spool = spool = FullDisk(self.spool.file)
        server = ScriptedServer()
        for number in range(60):
            self.accept(number)
        self.patch(lanes, "FULL_WAIT", 0.005)
        flow = self.start(server, connections=3)
        lane = await self.lane(flow)
        await until(lambda: spool.refused and not lane.connections)
        taken, opened = len(server.messages), server.opened
        assert 1 <= taken <= opened <= 3
        await self.looks(lane)
        assert (len(server.messages), server.opened, lane.carrying) == (taken, opened, 0)
        assert (len(lane.queue), lane.health.failures) == (60 - taken, 0)
        assert not spool.attempts, "no message is to blame"
        assert not lane.forgettable
        spool.write()
        await until(lambda: not spool.live)
        assert len(server.messages) == 60, "each came once"

    @run
    async def test_a_message_whose_end_is_out_gets_its_answer_when_another_ones_record_fails(self):
        self.spool = spool = FullDisk(self.spool.file)
        spool.full = False
        server, waiting = ScriptedServer(), []
        self.accept(0)
        flow = self.start(server, connections=2)
        await until(lambda: not spool.live)

        def think(connection, _):
            connection.reading = False
            waiting.append(connection)

        server.behaviour["end"] = think
        for number in (1, 2, 3, 4):
            self.accept(number)
        lane = await self.lane(flow)
        await until(lambda: len(waiting) == 2)
        spool.full = True
        for count, connection in enumerate(waiting):
            connection.transport.write(b"250 2.0.0 taken\r\n")
            connection.reading = True
            connection.dataReceived(b"")
            await until(lambda count=count: (len(spool.refused), lane.connections) == (count + 1, 1 - count))
        assert (len(spool.live), len(lane.queue), len(waiting)) == (2, 2, 2)
        assert not spool.attempts
        server.behaviour.clear()
        spool.write()
        lane.wake()
        await until(lambda: not spool.live)

    @run
    async def test_a_connection_that_ends_before_its_record_is_followed_by_none_until_then(self):
        """A storer that hangs neither records nor refuses; servers close what is idle for long."""
        record, held = self.spool.finished, []

        async def slow(id, targets, outcome):
            held.append(gate := Deferred())
            await gate
            await record(id, targets, outcome)

        self.spool.finished = slow
        server = ScriptedServer()
        for number in range(3):
            self.accept(number)
        self.patch(lanes, "FULL_WAIT", 0.005)
        flow = self.start(server, connections=1)
        lane = await self.lane(flow)
        for count in (1, 2, 3):
            await until(lambda count=count: len(held) == count)
            for connection in list(server.connections):
                connection.transport.loseConnection()
            await until(lambda: not lane.connections)
            await self.looks(lane)
            assert (len(server.messages), server.opened) == (count, count)
            held[-1].callback(None)
        await until(lambda: not self.spool.live)

    async def looks(self, lane):
        """Until the lane has looked round several times."""
        seen, wake = [], lane.wake

        def counted():
            seen.append(None)
            wake()

        lane.wake = counted
        lane.wake()
        await until(lambda: len(seen) > 5)
        lane.wake = wake

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
        resolver = Dns(DnsSettings(addresses=(dns.address,), timeout=0.1), reactor)
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
        resolver = Dns(DnsSettings(addresses=(dns.address,), timeout=0.1, ipv6=False), reactor)
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
