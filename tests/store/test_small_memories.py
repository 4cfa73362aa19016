"""What is remembered for a while: errors that were logged, logins, and what somebody was told already."""

from typing import Any

from twisted.logger import Logger, LogLevel
from twisted.trial.unittest import TestCase

from emailgency.store.experience.once import Once
from emailgency.store.experience.recent_errors import RecentErrors
from emailgency.store.logins.last_logins import LastLogin, LastLogins
from tests.support.asynchronous import until
from tests.support.directory import RealDirectory


def test_the_last_errors_are_kept_newest_first_and_repetitions_are_counted() -> None:
    errors = RecentErrors()
    log = Logger(namespace="emailgency.store.disk", observer=errors)
    log.info("all is well")
    log.warn("ALERT nearly")
    for _ in range(3):
        log.error("disk {name} is full", name="sda")
    try:
        raise ValueError("nobody foresaw this")
    except ValueError:
        log.failure("work failed")
    newest, older = errors.latest()
    assert newest.text.startswith("work failed")
    assert "nobody foresaw this" in newest.text
    assert (older.part, older.text, older.times) == ("store.disk", "disk sda is full", 3)


def test_attack_31_errors_that_peers_cause_stay_bounded_and_turn_no_text_around() -> None:
    errors = RecentErrors()
    log = Logger(observer=errors)
    for number in range(1000):
        log.error("{number} {words}", number=number, words="\x1b[2J\u202e<script>" + "x" * 100_000)
    kept = list(errors.latest())
    assert len(kept) == 200
    assert all(len(error.text) < 2100 for error in kept)
    assert not [error for error in kept if "\x1b" in error.text or "\u202e" in error.text]
    log.emit(LogLevel.critical, "worse")
    assert next(errors.latest()).text == "worse"


class RememberedTests(TestCase):
    async def setUp(self) -> None:
        self.real = RealDirectory()
        await self.real.start()
        self.redis: Any = self.real.connection

    async def tearDown(self) -> None:
        await self.real.stop()

    async def test_the_last_login_of_each_mailbox_is_known(self) -> None:
        now = [100.0]
        logins = LastLogins(self.redis, lambda: now[0])
        assert await logins.of("m1") is None
        logins.note("m1", "imap")
        now[0] = 200.0
        logins.note("m1", "web")
        logins.note("m2", "smtp")
        found = await logins.of("m1")
        assert found is not None
        assert (found.at, found.service) == (200.0, "web")
        await self.redis.execute("SET", "last login:m1", b"of another version")
        assert await logins.of("m1") is None

    async def test_while_redis_is_away_a_login_is_not_noted_and_nobody_minds(self) -> None:
        logins = LastLogins(self.redis, lambda: 1.0)
        self.real.redis.kill()
        await until(lambda: not self.redis.connected)
        logins.note("m1", "imap")
        self.real.redis.start()
        await until(lambda: self.redis.connected)
        assert await logins.of("m1") is None
        logins.note("m1", "pop3")
        assert await logins.of("m1") == LastLogin(1.0, "pop3")

    async def test_what_was_told_is_told_once_until_it_is_forgotten(self) -> None:
        once = Once(self.redis)
        assert [await once.first("full:m1", 100) for _ in range(3)] == [True, False, False]
        assert await once.first("full:m2", 100)
        assert 90 < await self.redis.execute("TTL", "told:full:m1") <= 100
