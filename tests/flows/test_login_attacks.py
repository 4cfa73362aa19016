"""Guessing, spraying, enumerating, locking out (attack rows 7, 8, 17)."""

import math
import time
from itertools import count

from twisted.internet.defer import Deferred, gatherResults
from twisted.logger import LogEvent, formatEvent, globalLogPublisher
from twisted.trial.unittest import TestCase

from emailgency.flows.accounts.login import TOO_MANY, WRONG, Login, LoginSettings, Principal, Source
from emailgency.model.directory import Mailbox
from emailgency.model.errors import Temporary
from emailgency.model.verdict import Verdict
from emailgency.store.logins.credentials import Credentials, CredentialSettings
from emailgency.store.logins.failures import Failures, FailureSettings
from tests.support.customers import AUTHOR, CHEAP, PASSWORD, RealCustomers

HOME = Source("imap", "192.0.2.7")
SERVICES = ("imap", "smtp", "web")


class LoginAttackTests(TestCase):
    async def setUp(self) -> None:
        self.real = RealCustomers()
        self.budgets = FailureSettings(pair=5, account=12, network=30, total=60)
        await self.real.begin(LoginSettings(delay=0.0), self.budgets)
        await self.real.customer()
        self.paul = await self.real.mailbox("paul@mydomain.zz", PASSWORD)
        self.tried = 0
        right = self.real.credentials.right

        async def counted(mailbox: Mailbox | None, password: str) -> bool:
            self.tried += 1
            return await right(mailbox, password)

        self.real.credentials.right = counted

    async def tearDown(self) -> None:
        await self.real.stop()

    async def guess(self, name: str, ip: str, service: str = "imap", password: str = "guess 1") -> Principal | Verdict:
        return await self.real.login.authenticate(name, password, Source(service, ip))

    async def test_attack_07_guesses_are_bounded_and_the_owner_still_logs_in(self) -> None:
        self.assertIsInstance(await self.guess("paul@mydomain.zz", HOME.ip, password=PASSWORD), Principal)
        self.tried = 0
        for number in range(3000):
            ip = f"198.51.{number % 50}.{number % 250}"
            answer = await self.guess("paul@mydomain.zz", ip, SERVICES[number % 3], f"guess {number}")
            self.assertIn(answer, (WRONG, TOO_MANY))
        self.assertEqual(self.tried, self.budgets.account)
        self.assertEqual(await self.guess("paul@mydomain.zz", "198.51.3.1", password=PASSWORD), TOO_MANY)
        for service in SERVICES:
            self.assertIsInstance(await self.guess("paul@mydomain.zz", "192.0.2.99", service, PASSWORD), Principal)

    async def test_attack_07_guesses_at_once_are_bounded_too(self) -> None:
        work = [
            Deferred.fromCoroutine(self.guess("paul@mydomain.zz", "198.51.100.1", password=f"guess {number}"))
            for number in range(50)
        ]
        answers = await gatherResults(work)
        self.assertEqual(answers.count(WRONG), self.budgets.pair)
        self.assertEqual(answers.count(TOO_MANY), 50 - self.budgets.pair)

    async def test_attack_07_spraying_many_accounts_from_one_network_is_bounded(self) -> None:
        for number in range(200):
            await self.guess(f"user{number}@mydomain.zz", f"2001:db8:0:1::{number:x}")
        self.assertEqual(self.tried, self.budgets.network)

    async def test_attack_07_spraying_from_everywhere_is_bounded(self) -> None:
        for number in range(200):
            await self.guess(f"user{number}@mydomain.zz", f"198.51.{number}.1")
        self.assertEqual(self.tried, self.budgets.total)

    async def test_attack_07_a_restart_forgives_nothing(self) -> None:
        for number in range(self.budgets.pair + 1):
            answer = await self.guess("paul@mydomain.zz", "198.51.100.1", password=f"guess {number}")
        self.assertEqual(answer, TOO_MANY)
        fresh = Failures(self.real.connection, lambda: self.real.now, self.budgets)
        self.assertIsNone(await fresh.take(self.paul.id, "198.51.100.1", "x"))
        self.assertIsNotNone(await fresh.take(self.paul.id, "203.0.113.1", "x"))

    async def test_attack_07_without_redis_the_process_counts_alone(self) -> None:
        await self.guess("paul@mydomain.zz", "203.0.113.1")  # the directory knows him now
        self.real.redis.kill()
        answers = [await self.guess("paul@mydomain.zz", "198.51.100.1", password=f"guess {n}") for n in range(20)]
        self.assertEqual(answers.count(WRONG), self.budgets.pair)
        self.real.redis.start()

    async def test_right_passwords_spend_nothing(self) -> None:
        for _ in range(40):
            self.assertIsInstance(await self.guess("paul@mydomain.zz", "198.51.100.1", password=PASSWORD), Principal)

    async def test_the_same_wrong_password_counts_once_whoever_it_is_for(self) -> None:
        for name in ("paul@mydomain.zz", "nobody@mydomain.zz"):
            self.tried = 0
            for _ in range(40):
                self.assertEqual(await self.guess(name, "198.51.100.1", password="an old one 1"), WRONG)
            self.assertEqual(self.tried, 1)
        self.assertIsInstance(await self.guess("paul@mydomain.zz", "198.51.100.1", password=PASSWORD), Principal)

    async def test_a_wrong_password_that_becomes_the_right_one_is_right(self) -> None:
        self.assertEqual(await self.guess("paul@mydomain.zz", HOME.ip, password="another 12"), WRONG)
        await self.real.passwords.set(AUTHOR, self.paul.address, "another 12")
        self.assertIsInstance(await self.guess("paul@mydomain.zz", HOME.ip, password="another 12"), Principal)

    async def test_many_connections_at_once_with_the_right_password_all_get_in(self) -> None:
        work = [Deferred.fromCoroutine(self.guess("paul@mydomain.zz", HOME.ip, password=PASSWORD)) for _ in range(30)]
        for answer in await gatherResults(work):
            self.assertIsInstance(answer, Principal)

    async def test_budgets_come_back_with_time(self) -> None:
        for number in range(self.budgets.pair):
            await self.guess("paul@mydomain.zz", "198.51.100.1", password=f"guess {number}")
        self.assertEqual(await self.guess("paul@mydomain.zz", "198.51.100.1", password=PASSWORD), TOO_MANY)
        self.real.now += self.budgets.window + 1
        self.assertIsInstance(await self.guess("paul@mydomain.zz", "198.51.100.1", password=PASSWORD), Principal)

    async def test_failures_are_answered_later_each_time(self) -> None:
        settings = LoginSettings(delay=0.01, delay_max=0.04)
        from twisted.internet import reactor

        login = Login(self.real.directory, self.real.credentials, self.real.failures, reactor, settings)
        waits = []
        for number in range(4):
            started = time.monotonic()
            await login.authenticate("paul@mydomain.zz", f"guess {number}", Source("imap", "198.51.100.1"))
            waits.append(time.monotonic() - started)
        for wait, least in zip(waits, (0.01, 0.02, 0.04, 0.04), strict=True):
            self.assertGreaterEqual(wait, least * 0.99)

    async def test_attack_17_names_are_logged_on_one_line_without_control_characters(self) -> None:
        lines: list[str] = []

        def observe(event: LogEvent) -> None:
            lines.append(formatEvent(event))

        globalLogPublisher.addObserver(observe)
        try:
            for name in ("a\r\nX-Evil: 1", "\x1b[31mred", "x" * 5000, "{secret}", "%(secret)s"):
                await self.guess(name, HOME.ip, password="s3cret-canary")
        finally:
            globalLogPublisher.removeObserver(observe)
        told = [line for line in lines if line.startswith("login ")]
        self.assertEqual(len(told), 5)
        for line in lines:
            self.assertFalse(set(line) & set(map(chr, (*range(32), 127))), line)
            self.assertLess(len(line), 400)
            self.assertNotIn("canary", line)


class EnumerationTests(TestCase):
    async def setUp(self) -> None:
        self.real = RealCustomers()
        huge = FailureSettings(pair=10**6, account=10**6, network=10**6, total=10**6)
        await self.real.begin(LoginSettings(delay=0.0), huge)
        await self.real.customer()
        self.real.login._credentials = self.real.credentials = self.credentials()
        self.real.passwords._credentials = self.real.credentials
        await self.real.mailbox("paul@mydomain.zz", PASSWORD)
        self.guesses = count()

    def credentials(self) -> Credentials:
        from twisted.internet import reactor

        return Credentials(reactor, CredentialSettings(memory=1024, passes=1, threads=1))

    async def tearDown(self) -> None:
        await self.real.stop()

    async def seconds(self, name: str) -> float:
        guess = f"guess {next(self.guesses)}"
        started = time.perf_counter()
        self.assertEqual(await self.real.login.authenticate(name, guess, HOME), WRONG)
        return time.perf_counter() - started

    async def test_attack_08_time_does_not_tell_who_exists(self) -> None:
        known, unknown, passwordless = [], [], []
        for _ in range(20):
            await self.seconds("nobody@mydomain.zz")
        for _ in range(250):
            known.append(await self.seconds("paul@mydomain.zz"))
            unknown.append(await self.seconds("nobody@mydomain.zz"))
            passwordless.append(await self.seconds("postmaster@mydomain.zz"))
        # 500 timings at p > 0.01 would fail one run in a hundred by chance alone.
        self.assertGreater(mann_whitney(known, unknown), 0.0005)
        self.assertGreater(mann_whitney(known, passwordless), 0.0005)


class CredentialTests(TestCase):
    def setUp(self) -> None:
        from twisted.internet import reactor

        self.credentials = Credentials(reactor, CHEAP)

    def tearDown(self) -> None:
        self.credentials.stop()

    async def mailbox(self, generation: int = 0, password: str = PASSWORD) -> Mailbox:
        from emailgency.model.address import Address

        encoded = await self.credentials.hash(password)
        return Mailbox(id="m", customer="c", address=Address("a", "b.zz"), password=encoded, generation=generation)

    async def test_only_the_right_password_is_right(self) -> None:
        mailbox = await self.mailbox()
        self.assertTrue(mailbox.password.startswith("$argon2id$"))
        self.assertTrue(await self.credentials.right(mailbox, PASSWORD))
        for wrong in ("", PASSWORD + " ", PASSWORD.upper(), PASSWORD + "\x00", "x" * 2000):
            self.assertFalse(await self.credentials.right(mailbox, wrong))

    async def test_a_right_password_is_remembered_for_that_generation_only(self) -> None:
        mailbox = await self.mailbox()
        await self.credentials.right(mailbox, PASSWORD)
        pool, self.credentials._pool = self.credentials._pool, None
        self.credentials._waiting = 10**6  # nothing can be hashed now
        self.assertTrue(await self.credentials.right(mailbox, PASSWORD))
        with self.assertRaises(Temporary):
            await self.credentials.right(mailbox, "wrong")
        later = Mailbox(id="m", customer="c", address=mailbox.address, password=mailbox.password, generation=1)
        with self.assertRaises(Temporary):
            await self.credentials.right(later, PASSWORD)
        self.credentials._pool = pool

    async def test_letters_count_however_they_are_composed(self) -> None:
        mailbox = await self.mailbox(password="Élise 12")
        self.assertTrue(await self.credentials.right(mailbox, "E\u0301lise 12"))

    async def test_a_flood_of_logins_waits_in_a_bounded_queue(self) -> None:
        mailbox = await self.mailbox()
        work = [Deferred.fromCoroutine(self.credentials.right(mailbox, f"guess {n}")) for n in range(500)]
        outcomes = []
        for one in work:
            try:
                outcomes.append(await one)
            except Temporary:
                outcomes.append(None)
        self.assertEqual(outcomes.count(False), CHEAP.waiting + CHEAP.threads)
        self.assertEqual(outcomes.count(None), 500 - CHEAP.waiting - CHEAP.threads)

    async def test_a_rotten_hash_opens_nothing(self) -> None:
        mailbox = await self.mailbox()
        for rotten in ("", "x", "$argon2id$", mailbox.password[:-5]):
            other = Mailbox(id="m", customer="c", address=mailbox.address, password=rotten)
            self.assertFalse(await self.credentials.right(other, PASSWORD))


def mann_whitney(one: list[float], other: list[float]) -> float:
    """Two-sided p by the normal approximation; 250 each is plenty for it, and times do not tie."""
    ranked = sorted([(time, 0) for time in one] + [(time, 1) for time in other])
    ranks = sum(rank for rank, (_, group) in enumerate(ranked, 1) if group == 0)
    m, n = len(one), len(other)
    z = (ranks - m * (m + n + 1) / 2) / math.sqrt(m * n * (m + n + 1) / 12)
    return math.erfc(abs(z) / math.sqrt(2))
