"""Links that set a password: once, for a while, and only their hash is kept."""

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from emailgency.store.logins.password_links import PasswordLinks
from emailgency.store.redis.redis import Redis, locate
from tests.support.redis import RealRedis


class PasswordLinkTests(TestCase):
    async def setUp(self) -> None:
        self.server = RealRedis()
        self.server.start()
        self.addCleanup(self.server.remove)
        self.redis = Redis(reactor, locate(self.server.url), reply_timeout=5)
        self.redis.start()
        self.assertTrue(await self.redis.wait(500))
        self.now = 1e9
        self.links = PasswordLinks(self.redis, lambda: self.now)

    async def tearDown(self) -> None:
        await self.redis.stop()

    async def test_a_link_is_taken_once_and_found_before(self) -> None:
        token = await self.links.make("box", 3, 3600)
        for _ in range(2):
            found = await self.links.find(token)
            assert found is not None
            self.assertEqual((found.mailbox, found.generation), ("box", 3))
        self.assertIsNotNone(await self.links.take(token))
        self.assertIsNone(await self.links.take(token))
        self.assertIsNone(await self.links.find(token))

    async def test_attack_19_a_link_that_is_too_old_is_worth_nothing(self) -> None:
        token = await self.links.make("box", 3, 3600)
        self.now += 3599
        self.assertIsNotNone(await self.links.find(token))
        self.now += 1
        self.assertIsNone(await self.links.find(token))
        self.assertIsNone(await self.links.take(token))

    async def test_attack_19_redis_holds_no_token_and_lets_it_go_in_time(self) -> None:
        token = await self.links.make("box", 3, 3600)
        [key] = await self.redis.execute("KEYS", "*")
        kept = key + await self.redis.execute("GET", key)
        self.assertNotIn(token.encode(), kept)
        self.assertLessEqual(await self.redis.execute("TTL", key), 3600)
        other = await self.links.make("box", 3, 3600)
        await self.links.forget(other)
        self.assertIsNone(await self.links.find(other))
