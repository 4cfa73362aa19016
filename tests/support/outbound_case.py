"""Outbound mail over a real spool and storer, with a server of the rest of the world: what tests of it begin with."""

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
from emailgency.flows.accounts.customers import Customers
from emailgency.flows.relaying.bounce import Bounces, BounceSettings
from emailgency.flows.relaying.exchanges import Exchanges
from emailgency.flows.relaying.outbound import OutboundFlow, OutboundSettings
from emailgency.flows.relaying.relay import RelayFlow, RelaySettings
from emailgency.flows.relaying.reverse_path import ReversePaths
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
from emailgency.store.spool.spool import Spool
from emailgency.store.storing.line import Storer, StorerSettings
from tests.support.asynchronous import until
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
        resolver = Dns(DnsSettings(addresses=(self.dns.address,), timeout=20, ipv6=False), reactor)
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
