"""A customer's DNS goes dark: mail still goes where it was last taken (rows D1, G7). Real DNS, Redis and SMTP."""

from twisted.internet import reactor
from twisted.internet.defer import ensureDeferred

from emailgency.model.directory import Customer
from emailgency.net.dns import Dns, DnsSettings
from emailgency.store.experience.last_good import LastGood
from emailgency.store.redis.redis import Redis, locate
from emailgency.store.spool.pending import Hop
from tests.support.asynchronous import run, until
from tests.support.dns_server import DnsServer
from tests.support.redis import RealRedis
from tests.support.relay_case import RelayCase
from tests.support.relaying import means
from tests.support.smtp_server import ScriptedServer

ZONE = {
    ("mydomain.zz", "MX"): ["5 dead.mydomain.zz.", "10 mail.mydomain.zz."],
    ("dead.mydomain.zz", "A"): ["127.0.0.3"],
    ("mail.mydomain.zz", "A"): ["127.0.0.1"],
}
CUSTOMER = Customer(id="acme", domain="mydomain.zz", alternate_domain="mydomainzz.test")
HOP = Hop("mydomain.zz", "acme")


class DarkDns(RelayCase):
    def setUp(self):
        super().setUp()
        self.real = RealRedis()
        self.addCleanup(self.real.remove)
        self.real.start()
        self.redis = Redis(reactor, locate(self.real.url), reply_timeout=20)
        self.redis.start()
        self.addCleanup(lambda: ensureDeferred(self.redis.stop()))
        self.dns = DnsServer(ZONE, ttl=0)
        self.addCleanup(self.dns.stop)
        self.receiver = ScriptedServer()

    def flow(self):
        """A relay as after a start: it knows what Redis knows."""
        self.spool.listeners.clear()
        resolver = Dns(DnsSettings(addresses=(self.dns.address,), timeout=20, ipv6=False), reactor)
        return self.start(
            self.receiver,
            customer=CUSTOMER,
            resolver=resolver,
            means_=means(self.spool, reactor, ports=(self.receiver.port,)),
            last_good=LastGood(self.redis),
        )

    async def carried(self, number):
        self.accept(number)
        await until(lambda: not self.spool.live)

    @run
    async def test_mail_goes_where_it_was_last_taken_whatever_the_dns_says_now(self):
        flow = self.flow()
        await self.carried(0)
        for zone in ({}, {("mydomain.zz", "MX"): ["0 ."]}, {("mydomain.zz", "TXT"): ['"x"']}):
            lane = await self.lane(flow)
            await until(lambda lane=lane: not lane.connections)
            self.dns.zone = zone
            await self.carried(1)
        assert len(self.receiver.messages) == 4

    @run
    async def test_that_is_known_after_a_restart(self):
        await self.redis.wait(5)
        before = self.flow()
        await self.carried(0)
        await before.stop()
        self.dns.zone = {}
        self.flow()
        await self.carried(1)
        assert len(self.receiver.messages) == 2

    @run
    async def test_the_server_that_took_it_is_tried_first(self):
        await self.redis.wait(5)
        self.flow()
        await self.carried(0)
        known = []
        while not known:
            known = await LastGood(self.redis).recall(HOP)
        assert [one.host for one in known] == ["mail.mydomain.zz", "dead.mydomain.zz"]

    @run
    async def test_where_mail_was_refused_is_not_remembered(self):
        await self.redis.wait(5)
        self.receiver.behaviour["RCPT"] = b"450 4.2.1 not now\r\n"
        self.flow()
        self.accept()
        await until(lambda: self.spool.attempts)
        assert await LastGood(self.redis).recall(HOP) == []

    @run
    async def test_without_redis_the_message_stays_pending_for_the_reason_the_dns_gave(self):
        await self.redis.stop()
        self.dns.zone = {}
        flow = self.flow()
        self.accept()
        lane = await self.lane(flow)
        await until(lambda: "does not exist" in lane.health.reason)
        assert self.spool.live
