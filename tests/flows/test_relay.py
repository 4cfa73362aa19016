"""Mail goes home: the lanes to customers' servers, over sockets."""

import itertools

from msgspec.structs import replace
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.logger import Logger, formatEvent

from emailgency.flows.pending.pending_view import PendingView
from emailgency.flows.relaying.flush import Flush, FlushSettings
from emailgency.flows.relaying.incidents import Incidents
from emailgency.flows.relaying.outbound import OutboundFlow, OutboundSettings
from emailgency.model.directory import Customer, RelayMode
from emailgency.model.verdict import Verdict
from emailgency.net.dns import Dns, DnsSettings
from tests.support.asynchronous import run, until
from tests.support.dns_server import DnsServer
from tests.support.relay_case import BODY, RelayCase
from tests.support.relaying import RecordedBounces, means
from tests.support.smtp_server import ScriptedServer


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
        resolver = Dns(DnsSettings(addresses=(dns.address,), timeout=20, ipv6=False), reactor)
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
        resolver = Dns(DnsSettings(addresses=(dns.address,), timeout=20, ipv6=False), reactor)
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
        for waiting in (await self.lane(flow)).queue:
            waiting.attempted = True  # before the server went down
        await until(lambda: self.spool.ended)
        assert list(self.spool.live) == ["m1"]
        ((_, outcome),) = self.spool.ended["m0"]
        assert outcome.word == "expired"
        assert "refused" in outcome.reply or "waited" in outcome.reply
        assert flow._bounces.failures
