"""Mail to the rest of the world, and what its senders are told: over a real spool and storer."""

import email
import email.policy
import os
import shutil
import tempfile

from msgspec.structs import replace
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from emailgency.codec.srs import Srs
from emailgency.flows.bounce import Bounces, BounceSettings
from emailgency.flows.customers import Customers
from emailgency.flows.exchanges import Exchanges
from emailgency.flows.outbound import OutboundFlow, OutboundSettings
from emailgency.flows.pending_view import PendingView
from emailgency.flows.relay import RelayFlow, RelaySettings
from emailgency.flows.reverse_path import ReversePaths
from emailgency.model.directory import Customer, Domain, DomainKind
from emailgency.model.envelope import Client, Deliver, Envelope, Outbound, Recipient, Relay
from emailgency.model.errors import Temporary
from emailgency.model.verdict import Verdict
from emailgency.net.courier import Courier
from emailgency.net.dns import Dns, DnsSettings
from emailgency.rules.next_hop import Destination
from emailgency.rules.routing import RELAYING_DENIED, STEALTH, Route
from emailgency.store import layout
from emailgency.store.disk import DiskSettings
from emailgency.store.spool import Spool
from emailgency.store.storing.line import Storer, StorerSettings
from tests.support.asynchronous import run, until
from tests.support.dns_server import DnsServer
from tests.support.relaying import FewCustomers, experience, means
from tests.support.smtp_server import ScriptedServer

ACME = Customer(id="acme", domain="mydomain.zz", alternate_domain="mydomainzz.test", smtp_transport="127.0.0.1:25")
MESSAGE = b"From: paul@mydomain.zz\r\nSubject: hello\r\n\r\nsecret body\r\n"
SUBMITTED = Client(ip="192.0.2.1", mailbox="m1")
HOUR = 3600.0
SRS = Srs(b"tests")


class FewDomains(FewCustomers):
    """A directory that knows the main domains of these customers."""

    async def domain(self, name):
        owners = (customer for customer in self.by_id.values() if customer.domain == name)
        return next((Domain(name, owner.id, DomainKind.MAIN) for owner in owners), None)


class OneDomain:
    """Addresses of mydomain.zz are delivered to mailbox m1, all others are foreign; `forwards` of some besides."""

    def __init__(self):
        self.forwards = {}
        self.away = False
        self.stealth = False

    async def resolve(self, recipient: Recipient, index: int) -> Route | Verdict:
        if not recipient.as_given.endswith(("@mydomain.zz", "@mydomainzz.test")):
            return RELAYING_DENIED
        if self.away:
            raise Temporary("Redis is away")
        domain = Domain("mydomain.zz", "acme", DomainKind.MAIN)
        if self.stealth and not recipient.as_given.endswith("@mydomainzz.test"):
            return Route(ACME, domain, None, (), 1 << 20, STEALTH)
        inbox = Deliver(customer="acme", mailbox="m1", recipient=index)
        forwards = (to(address, index, "forward") for address in self.forwards.get(recipient.as_given, ()))
        return Route(ACME, domain, None, (inbox, *forwards), 1 << 20)


class OneSignature:
    """Signs everything alike."""

    def __init__(self):
        self.signature = b""

    async def field(self, id, path, offset):
        return self.signature


class OutboundCase(TestCase):
    timeout = 15

    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.data = os.path.join(self.folder, "data")
        self.ahead = 0.0  # seconds the clock runs ahead
        self.flows = []
        self.signing = OneSignature()
        self.addCleanup(shutil.rmtree, self.folder)
        self.addCleanup(lambda: Deferred.fromCoroutine(self.stop()))
        return Deferred.fromCoroutine(self.begin())

    def clock(self):
        return reactor.seconds() + self.ahead

    async def begin(self):
        self.storer = Storer(reactor, self.data, StorerSettings())
        await self.storer.start()
        self.spool = Spool(reactor, self.storer, self.data, self.clock, DiskSettings(reserve=0, files=0, ballast=0))
        await self.spool.start()
        self.directory = OneDomain()
        self.bounces = Bounces(self.spool, self.directory, reactor, self.clock, "mx.emailgency.test", BounceSettings())
        self.dns = DnsServer(ttl=0)
        self.server = ScriptedServer()
        self.dns.zone = {("far.zz", "MX"): ["10 mx.far.zz."], ("mx.far.zz", "A"): ["127.0.0.1"]}
        self.patch(Courier, "visit", self.at_the_scripted_port(Courier.visit))
        self.means = replace(means(self.spool, reactor, ports=(25,)), clock=self.clock)
        resolver = Dns(DnsSettings(addresses=(self.dns.address,), timeout=0.2, ipv6=False), reactor)
        self.exchanges = Exchanges(resolver, self.means.egress, lambda name: name.endswith(".emailgency.test"))

    def at_the_scripted_port(self, visit):
        """MX hosts listen on 25; the one of these tests does not."""

        def visited(courier, destination):
            return visit(courier, Destination(destination.host, destination.ip, self.server.port))

        return visited

    async def takes_others(self):
        """A customer's server that refuses is believed once it has taken something else."""
        lives = self.spool.live.values
        await until(lambda: any(tried.outcome.code >= 500 for live in lives() for tried in live.tried.values()))
        await self.accept(Relay(customer="acme", address="good@mydomain.zz", recipient=0))

    async def stop(self):
        for flow in self.flows:
            flow.cut()
            await flow.stop()
        await self.server.down()
        await self.dns.stop()
        await self.spool.stop()
        await self.storer.stop()

    def start(self, **settings):
        self.outbound = OutboundFlow(
            self.exchanges,
            ReversePaths(FewDomains(ACME), SRS),
            self.signing,
            self.bounces,
            self.means,
            OutboundSettings(**{"look": 0.02, **settings}),
        )
        self.relay = RelayFlow(
            Customers(FewCustomers(ACME)),
            self.exchanges,
            self.bounces,
            experience(self.means.clock),
            self.means,
            RelaySettings(refresh=0.02),
        )
        for flow in (self.outbound, self.relay):
            self.flows.append(flow)
            flow.start()
        return self.outbound

    async def accept(self, *plan, content=MESSAGE, **more):
        arrival = self.spool.begin(self.clock())
        arrival.write(b"Return-Path: <>\r\n" + content)
        fields = {
            "customer": "acme",
            "sender": "paul@mydomain.zz",
            "received_at": self.clock(),
            "recipients": tuple(Recipient(as_given=target.address) for target in plan),
            "client": SUBMITTED,
        }
        envelope = Envelope(id=arrival.id, size=arrival.size, return_path=17, plan=plan, **{**fields, **more})
        await self.spool.commit(arrival, envelope)
        return arrival.id

    def stored(self, folder):
        """Messages in a Maildir, as octets."""
        path = os.path.join(self.data, folder, "new")
        names = sorted(os.listdir(path)) if os.path.isdir(path) else []
        found = []
        for name in names:
            with open(os.path.join(path, name), "rb") as file:
                found.append(file.read())
        return found

    async def told(self, count=1):
        """Notifications in Paul's mailbox."""
        await until(lambda: len(self.stored(layout.mailbox("acme", "m1"))) >= count and not self.carrying())
        messages = self.stored(layout.mailbox("acme", "m1"))
        return [email.message_from_bytes(message, policy=email.policy.default) for message in messages]

    def carrying(self):
        return sum(lane.carrying for lane in self.outbound.lanes())

    async def undelivered(self, count=1):
        await until(lambda: len(self.stored(layout.undelivered("acme"))) >= count)
        return self.stored(layout.undelivered("acme"))


def but_for_good(reply):
    return lambda _, line: NotImplemented if b"<good@" in line else reply


def to(address, recipient=0, origin="submit"):
    return Outbound(customer="acme", address=address, recipient=recipient, origin=origin)


def fields(message):
    _, status, _ = message.iter_parts()
    _, *recipients = status.iter_parts()
    return [dict(recipient.items()) for recipient in recipients]


class Outgoing(OutboundCase):
    @run
    async def test_submitted_mail_goes_to_the_mx_of_its_recipient(self):
        self.start()
        await self.accept(to("anna@far.zz"), to("bert@far.zz", 1))
        await until(lambda: not self.spool.live)
        ((sender, recipients, body),) = self.server.messages
        assert (len(recipients), body) == (2, MESSAGE)
        assert b"<paul@mydomain.zz>" in sender
        assert not self.stored(layout.mailbox("acme", "m1"))

    @run
    async def test_a_forward_leaves_under_an_address_whose_spf_record_is_ours(self):
        self.start()
        await self.accept(
            to("anna@far.zz", origin="forward"), sender="bert@origin.example", client=Client(ip="192.0.2.9")
        )
        await until(lambda: not self.spool.live)
        ((sender, _, body),) = self.server.messages
        reverse_path = sender[sender.index(b"<") + 1 : sender.index(b">")].decode()
        assert reverse_path.endswith("@mydomainzz.test")
        assert SRS.original(reverse_path, self.clock()) == "bert@origin.example"
        assert body == MESSAGE

    @run
    async def test_what_users_and_we_write_is_signed_and_a_forward_of_others_is_not(self):
        self.signing.signature = b"DKIM-Signature: v=1\r\n"
        self.start()
        await self.accept(to("anna@far.zz"), to("anna@far.zz", 1, "forward"), sender="bert@origin.example")
        await until(lambda: not self.spool.live)
        assert sorted(body for _, _, body in self.server.messages) == [self.signing.signature + MESSAGE, MESSAGE]

    @run
    async def test_a_forward_of_the_customers_own_mail_and_of_notifications_keeps_its_sender(self):
        self.start()
        for sender in ("paul@mydomain.zz", ""):
            await self.accept(to("anna@far.zz", origin="forward"), sender=sender)
        await until(lambda: not self.spool.live)
        kept = sorted(sender[sender.index(b"<") : sender.index(b">") + 1] for sender, _, _ in self.server.messages)
        assert kept == [b"<>", b"<paul@mydomain.zz>"]

    @run
    async def test_mail_found_in_the_spool_at_the_start_goes_too(self):
        await self.accept(to("anna@far.zz"))
        self.start()
        await until(lambda: not self.spool.live)

    @run
    async def test_a_refusal_is_final_and_told_to_the_user(self):
        self.server.behaviour["RCPT"] = b"550 5.1.1 nobody\r\n"
        self.start()
        await self.accept(to("anna@far.zz"))
        (message,) = await self.told()
        (about,) = fields(message)
        assert about["Final-Recipient"] == "rfc822; anna@far.zz"
        assert (about["Action"], about["Status"], about["Remote-MTA"]) == ("failed", "5.1.1", "dns; mx.far.zz")
        assert b"secret body" not in bytes(message)
        assert message["Return-Path"] == "<>"
        await until(lambda: not self.spool.live)

    @run
    async def test_a_domain_without_mail_or_existence_is_final_at_once(self):
        self.dns.zone[("null.zz", "MX")] = ["0 ."]
        self.dns.zone[("empty.zz", "TXT")] = ['"x"']
        self.dns.zone[("loop.zz", "MX")] = ["0 mx.emailgency.test."]
        self.start()
        await self.accept(*(to(f"a@{name}.zz", i) for i, name in enumerate(("null", "none", "empty", "loop"))))
        found = [about for message in await self.told(4) for about in fields(message)]
        assert {about["Status"] for about in found} == {"5.1.10", "5.1.2", "5.4.6"}
        await until(lambda: not self.spool.live)
        assert self.server.opened == 0

    @run
    async def test_failures_that_cannot_be_told_while_the_disk_is_full_are_told_later(self):
        self.dns.zone[("null.zz", "MX")] = ["0 ."]
        commit, full = self.spool.commit, [True]

        async def refusing(arrival, envelope):
            if envelope.sender == "" and full:
                raise Temporary("no space left")
            await commit(arrival, envelope)

        self.spool.commit = refusing
        outbound = self.start()
        for _ in range(5):
            await self.accept(to("a@null.zz"))
        await until(lambda: any(lane.health.failures for lane in outbound.lanes()))
        full.clear()
        await self.told(5)
        await until(lambda: not self.spool.live)

    @run
    async def test_a_resolver_in_trouble_is_not_final(self):
        outbound = self.start()
        for count, silent in enumerate(("MX", "A"), 1):
            self.dns.vice = lambda query, honest, _, kind=silent: (
                [] if query.question[0].rdtype.name == kind else [honest.to_wire()]
            )
            await self.accept(to("anna@far.zz"))
            await until(lambda: any(lane.health.failures for lane in outbound.lanes()))
            self.dns.vice = None
            await until(lambda: not self.spool.live and not list(outbound.lanes()))
            assert len(self.server.messages) == count

    @run
    async def test_a_delay_is_told_once_after_hours_and_the_failure_after_days(self):
        await self.server.down()
        self.start()
        await self.accept(to("anna@far.zz"))
        self.ahead = 4.1 * HOUR
        (message,) = await self.told()
        assert fields(message)[0]["Action"] == "delayed"
        self.ahead = 6 * HOUR
        for _ in range(3):
            await self.outbound._look_after()
        assert len(await self.told()) == 1
        self.ahead = 121 * HOUR
        messages = await self.told(2)
        assert [fields(message)[0]["Action"] for message in messages] == ["delayed", "failed"]
        assert fields(messages[1])[0]["Status"] == "4.4.7"
        await until(lambda: not self.spool.live)

    @run
    async def test_a_delay_told_before_a_restart_is_not_told_again(self):
        await self.server.down()
        first = self.start()
        await self.accept(to("anna@far.zz"))
        self.ahead = 4.1 * HOUR
        await self.told()
        for flow in self.flows:
            flow.cut()
            await flow.stop()
        self.spool.listeners.clear()
        self.start()
        await until(lambda: any(lane.health.failures for lane in self.outbound.lanes()))
        assert first is not self.outbound
        assert len(await self.told()) == 1

    @run
    async def test_a_forward_to_an_address_of_ours_stays_here(self):
        self.start()
        await self.accept(to("paul@mydomain.zz", origin="forward"), client=Client(ip="192.0.2.66"))
        (message,) = await self.told()
        assert message["Delivered-To"] == "paul@mydomain.zz"
        assert message["Received"].endswith("+0000")
        assert "secret body" in message.get_content()
        await until(lambda: not self.spool.live)
        assert not list(self.outbound.lanes())

    @run
    async def test_stealth_hides_nobody_from_forwards_and_notifications(self):
        self.directory.stealth = True
        self.dns.zone[("null.zz", "MX")] = ["0 ."]
        self.start()
        await self.accept(to("paul@mydomain.zz", origin="forward"))
        await self.accept(to("a@null.zz"))
        assert len(await self.told(2)) == 2
        await until(lambda: not self.spool.live)

    @run
    async def test_outbound_mail_waits_while_the_directory_is_away(self):
        self.directory.away = True
        self.start()
        await self.accept(to("paul@mydomain.zz"))
        await until(lambda: self.outbound._placeless)
        self.directory.away = False
        await self.told()
        await until(lambda: not self.spool.live)

    @run
    async def test_attack_13_a_ring_of_forwards_ends_and_nobody_gets_it_twice_from_one_side(self):
        ring = ["a@mydomain.zz", "b@mydomain.zz", "c@mydomain.zz"]
        self.directory.forwards = {here: [there for there in ring if there != here] for here in ring}
        self.start()
        await self.accept(*(to(there, i, "forward") for i, there in enumerate(ring[1:])), client=Client(ip="192.0.2.6"))
        await until(lambda: not self.spool.live)
        copies = self.stored(layout.mailbox("acme", "m1"))
        assert 2 <= len(copies) <= 10
        for copy in copies:
            visited = [line for line in copy.split(b"\r\n") if line.startswith(b"Delivered-To")]
            assert len(visited) == len(set(visited))

    @run
    async def test_attack_13_two_who_forward_to_each_other_get_one_copy_each(self):
        self.directory.forwards = {"a@mydomain.zz": ["b@mydomain.zz"], "b@mydomain.zz": ["a@mydomain.zz"]}
        self.start()
        await self.accept(
            to("b@mydomain.zz", origin="forward"),
            recipients=(Recipient(as_given="a@mydomain.zz"),),
            client=Client(ip="192.0.2.6"),
        )
        await until(lambda: not self.spool.live)
        assert len(self.stored(layout.mailbox("acme", "m1"))) == 1  # his; the forwarder has had hers

    @run
    async def test_attack_13_too_many_received_fields_end_a_message(self):
        self.start()
        self.means.hops = 30  # as the settings are read again
        content = b"Received: from a by b; now\r\n" * 30 + MESSAGE
        await self.accept(to("paul@mydomain.zz", origin="forward"), content=content, client=Client(ip="192.0.2.6"))
        (kept,) = await self.undelivered()
        assert b"5.4.6" in kept
        await until(lambda: not self.spool.live)

    @run
    async def test_what_is_pending_can_be_seen(self):
        await self.server.down()
        outbound = self.start()
        id = await self.accept(to("anna@far.zz"))
        await until(lambda: next(outbound.lanes()).health.failures)
        view = PendingView(self.relay, outbound)
        (line,) = view.hops()
        assert (line.customer, line.domain, line.pending) == ("", "far.zz", 1)
        assert "refused" in line.reason
        assert view.messages()[0].recipients == ("anna@far.zz",)
        assert [line.id for line in view.show(id)] == [id]
        assert view.hops("acme") == []


class Telling(OutboundCase):
    """RFC 3461, and rule C6: who hears of a failure."""

    @run
    async def test_notify_never_is_honoured(self):
        self.server.behaviour["RCPT"] = b"550 5.1.1 nobody\r\n"
        self.start()
        await self.accept(to("anna@far.zz"), recipients=(Recipient(as_given="anna@far.zz", notify=("NEVER",)),))
        await until(lambda: not self.spool.live)
        assert not self.stored(layout.mailbox("acme", "m1"))
        assert not self.stored(layout.undelivered("acme"))

    @run
    async def test_ret_full_returns_the_whole_message(self):
        self.server.behaviour["end"] = b"554 5.7.1 no\r\n"
        self.start()
        await self.accept(to("anna@far.zz"), ret="FULL", envid="QQ314")
        (message,) = await self.told()
        assert b"secret body" in bytes(message)
        assert b"Original-Envelope-Id: QQ314" in bytes(message)

    @run
    async def test_success_is_told_where_the_next_hop_does_not_tell_it(self):
        self.server.capabilities = ("PIPELINING",)
        self.start()
        await self.accept(to("anna@far.zz"), recipients=(Recipient(as_given="anna@far.zz", notify=("SUCCESS",)),))
        (message,) = await self.told()
        assert fields(message)[0]["Action"] == "relayed"
        self.server.capabilities = ("DSN",)
        await until(lambda: not self.spool.live and not self.server.connections)
        await self.accept(to("anna@far.zz"), recipients=(Recipient(as_given="anna@far.zz", notify=("SUCCESS",)),))
        await until(lambda: not self.spool.live)
        assert len(await self.told()) == 1
        assert any(b"NOTIFY=SUCCESS" in command for command in self.server.commands)

    @run
    async def test_a_message_is_not_sent_twice_because_its_success_cannot_be_told(self):
        async def failing(live, targets, outcome):
            raise Temporary("no space left")

        self.bounces.relayed = failing
        self.server.capabilities = ("PIPELINING",)
        self.start()
        await self.accept(to("anna@far.zz"), recipients=(Recipient(as_given="anna@far.zz", notify=("SUCCESS",)),))
        await until(lambda: not self.spool.live)
        assert len(self.server.messages) == 1
        assert len(self.flushLoggedErrors(Temporary)) == 1

    @run
    async def test_attack_12_a_forged_sender_hears_nothing_and_the_mail_is_kept_with_the_reason(self):
        self.server.behaviour["RCPT"] = but_for_good(b"550 5.1.1 no\x1b[31m such\r\n")
        self.start()
        outside = {"client": Client(ip="192.0.2.66"), "sender": "victim@far.zz"}
        relayed = Relay(customer="acme", address="x@mydomain.zz", recipient=0)
        await self.accept(relayed, to("forward@far.zz", 1, "forward"), **outside)
        await self.takes_others()
        kept = await self.undelivered(2)
        assert all(b"secret body" in message and b"X-Undelivered-Reason: <" in message for message in kept)
        assert all(b"550 5.1.1 no?[31m such" in message for message in kept)
        await until(lambda: not self.spool.live)
        assert not any(b"RCPT TO:<victim" in command for command in self.server.commands)
        assert not self.stored(layout.mailbox("acme", "m1"))

    @run
    async def test_attack_12_a_bounce_is_never_answered(self):
        self.server.behaviour["RCPT"] = but_for_good(b"550 5.1.1 nobody\r\n")
        self.start()
        await self.accept(to("anna@far.zz", origin="bounce"), sender="", client=Client(ip="127.0.0.1"))
        await self.accept(
            Relay(customer="acme", address="x@mydomain.zz", recipient=0), sender="", client=Client(ip="192.0.2.66")
        )
        await self.takes_others()
        await self.undelivered()
        await until(lambda: not self.spool.live)
        senders = [command for command in self.server.commands if command[:4] == b"MAIL"]
        assert sum(b"MAIL FROM:<>" not in sender for sender in senders) == 1, "the one that was taken"

    @run
    async def test_attack_12_a_sender_of_endless_failures_is_told_so_many_an_hour(self):
        self.server.behaviour["RCPT"] = b"550 5.1.1 nobody\r\n"
        self.bounces.settings = BounceSettings(per_hour=3)
        self.start()
        for number in range(5):
            await self.accept(to(f"a{number}@far.zz"))
        await self.undelivered(2)
        await until(lambda: not self.spool.live)
        assert len(self.stored(layout.mailbox("acme", "m1"))) == 3
