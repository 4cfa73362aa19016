"""The connection to Redis: where it may be, and how quickly it is told to be away."""

import time

import pytest
from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from emailgency.model.errors import Invalid, Temporary
from emailgency.store.redis.redis import Location, Redis, locate
from tests.support.redis import RealRedis


@pytest.mark.parametrize(
    ("url", "location"),
    [
        ("redis://cache.example", Location(host="cache.example")),
        ("redis://user:p%40ss@[::1]:7000/3", Location("::1", 7000, user="user", password="p@ss", number=3)),
        ("rediss://:x@cache.example", Location("cache.example", password="x", tls=True)),
        ("unix:///run/redis.sock", Location(path="/run/redis.sock")),
    ],
)
def test_a_url_says_where(url: str, location: Location) -> None:
    assert locate(url) == location


@pytest.mark.parametrize("url", ["", "cache.example", "http://x", "redis://", "redis://x:99999", "redis://:secret@x/y"])
def test_anything_else_is_refused_without_telling_the_password(url: str) -> None:
    with pytest.raises(Invalid) as caught:
        locate(url)
    assert "secret" not in str(caught.value)


class RedisTests(TestCase):
    async def setUp(self) -> None:
        self.real = RealRedis()
        self.connections: list[Redis] = []

    async def tearDown(self) -> None:
        for connection in self.connections:
            await connection.stop()
        self.real.remove()

    def connection(self, url: str, reply_timeout: float = 20.0) -> Redis:
        connection = Redis(reactor, locate(url), reply_timeout)
        self.connections.append(connection)
        connection.start()
        return connection

    async def test_a_password_and_a_database_number_over_tcp(self) -> None:
        self.real.start("--requirepass", "secret", tcp=True)
        redis = self.connection(f"redis://:secret@127.0.0.1:{self.real.port}/2")
        self.assertTrue(await redis.wait(30))
        await redis.execute("SET", "a", "1")
        other = self.connection(f"redis://:secret@127.0.0.1:{self.real.port}/3")
        self.assertTrue(await other.wait(30))
        self.assertIsNone(await other.execute("GET", "a"))

    async def test_a_wrong_password_is_redis_being_away(self) -> None:
        self.real.start("--requirepass", "secret")
        redis = self.connection(f"unix://:wrong@{self.real.path}")
        self.assertFalse(await redis.wait(3))
        with self.assertRaises(Temporary):
            await redis.execute("PING")

    async def test_nobody_there_is_told_at_once(self) -> None:
        redis = self.connection(f"unix://{self.real.path}")
        started = time.monotonic()
        with self.assertRaises(Temporary):
            await redis.execute("PING")
        self.assertLess(time.monotonic() - started, 10)

    async def test_a_redis_that_does_not_answer_is_away_within_the_timeout_and_back_when_it_does(self) -> None:
        self.real.start()
        redis = self.connection(self.real.url, reply_timeout=0.3)
        self.assertTrue(await redis.wait(30))
        self.real.pause()
        started = time.monotonic()
        with self.assertRaises(Temporary):
            await redis.execute("PING")
        self.assertLess(time.monotonic() - started, 15)
        self.real.resume()
        self.assertTrue(await redis.wait(20))
        self.assertEqual(await redis.execute("ECHO", "x"), b"x")

    async def test_an_error_of_redis_is_temporary_and_keeps_the_connection(self) -> None:
        self.real.start()
        redis = self.connection(self.real.url)
        self.assertTrue(await redis.wait(30))
        await redis.execute("SET", "a", "x")
        with self.assertRaises(Temporary):
            await redis.execute("HGET", "a", "b")
        self.assertEqual(await redis.execute("GET", "a"), b"x")
