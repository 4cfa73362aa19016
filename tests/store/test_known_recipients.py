"""Addresses that a customer's server took mail for, in a real Redis."""

from twisted.internet import reactor
from twisted.internet.defer import ensureDeferred
from twisted.trial.unittest import TestCase

from emailgency.rules.guard import Identity
from emailgency.store.experience import known_recipients as rooms
from emailgency.store.experience.known_recipients import KnownRecipients
from emailgency.store.experience.last_good import LastGood
from emailgency.store.redis.redis import Redis, locate
from emailgency.store.spool.pending import Hop
from tests.support.asynchronous import run, until
from tests.support.redis import RealRedis

HOP, OTHER = Hop("mydomain.zz", "acme"), Hop("", "other")


class Known(TestCase):
    timeout = 20

    def setUp(self):
        self.real = RealRedis()
        self.addCleanup(self.real.remove)
        self.real.start()
        self.redis = Redis(reactor, locate(self.real.url), reply_timeout=20)
        self.redis.start()
        self.addCleanup(lambda: ensureDeferred(self.redis.stop()))
        self.known = KnownRecipients(self.redis)
        return ensureDeferred(until(lambda: self.redis.connected))

    @run
    async def test_what_was_accepted_is_known_at_once_and_after_a_restart_without_regard_to_case(self):
        self.known.accepted(HOP, "Paul@mydomain.zz", 1.0)
        asked = ["paul@mydomain.zz", "PAUL@mydomain.zz", "anna@mydomain.zz"]
        assert await self.known.among(HOP, asked) == set(asked[:2])
        await self.known.write()
        again = KnownRecipients(self.redis)
        assert await again.among(HOP, asked) == set(asked[:2])
        assert await again.among(OTHER, asked) == set()
        await again.forget(HOP, asked)
        assert await again.among(HOP, asked) == set()

    @run
    async def test_the_least_recent_are_forgotten_beyond_the_limit(self):
        self.patch(rooms, "MOST", 10)
        for number in range(25):
            self.known.accepted(HOP, f"u{number}@mydomain.zz", float(number))
        await self.known.write()
        all_of_them = [f"u{number}@mydomain.zz" for number in range(25)]
        assert await self.known.among(HOP, all_of_them) == set(all_of_them[15:])

    @run
    async def test_without_redis_nothing_is_known_and_nothing_fails(self):
        self.known.accepted(HOP, "a@mydomain.zz", 1.0)
        await self.redis.stop()
        await self.known.write()
        assert await self.known.among(HOP, ["a@mydomain.zz"]) == set()
        await self.known.forget(HOP, ["a@mydomain.zz"])

    @run
    async def test_who_took_mail_is_remembered_over_a_restart(self):
        identity = Identity("mail.mydomain.zz", "AB:CD", "192.0.2.1")
        await LastGood(self.redis).remember_identities(HOP, [identity])
        assert await LastGood(self.redis).recall_identities(HOP) == [identity]
        assert await LastGood(self.redis).recall_identities(OTHER) == []
        await LastGood(self.redis).forget_identities(HOP)
        assert await LastGood(self.redis).recall_identities(HOP) == []
