"""The door to a mailbox."""

import time

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from emailgency.codec.address import parse
from emailgency.flows.accounts.login import PATIENCE, WRONG, Login, LoginSettings, Principal, Source
from emailgency.model.errors import Temporary
from emailgency.model.verdict import Verdict
from emailgency.store.directory.directory import Directory, DirectorySettings
from emailgency.store.directory.journal import Journal
from emailgency.store.logins.failures import Failures, FailureSettings
from emailgency.store.redis.redis import Redis, locate
from tests.support.customers import AUTHOR, PASSWORD, RealCustomers

HOME = Source("imap", "192.0.2.7")


class LoginTests(TestCase):
    async def setUp(self) -> None:
        self.real = RealCustomers()
        await self.real.begin(LoginSettings(delay=0.0, default_domain="mydomain.zz"))
        await self.real.customer(domain_aliases=("mydomain.yy",))
        self.mailbox = await self.real.mailbox("paul@mydomain.zz", PASSWORD)
        await self.real.addresses.add_alias(AUTHOR, parse("boss@mydomain.zz"), self.mailbox.address)

    async def tearDown(self) -> None:
        await self.real.stop()

    async def answer(self, name: str, password: str = PASSWORD, source: Source = HOME) -> Principal | Verdict:
        return await self.real.login.authenticate(name, password, source)

    async def test_every_name_of_the_mailbox_opens_it(self) -> None:
        for name in (
            "paul@mydomain.zz",
            "Paul@MYDOMAIN.ZZ",
            "paul@mydomain.yy",
            "paul@mydomainzz.emailgency.example",
            "paul",
            "boss",
            "boss@mydomain.zz",
        ):
            principal = await self.answer(name)
            self.assertIsInstance(principal, Principal, name)
            self.assertEqual(principal.mailbox, self.mailbox.id)
            self.assertTrue(await self.real.login.still_valid(principal))

    async def test_whatever_is_wrong_the_answer_is_the_same(self) -> None:
        for name, password in (
            ("paul", "wrong password 1"),
            ("nobody", PASSWORD),
            ("postmaster", PASSWORD),  # no password yet
            ("paul@elsewhere.zz", PASSWORD),
            ("@", ""),
            ("paul\x00", PASSWORD),
            ("", PASSWORD),
            ("paul", "x" * 5000),
            ("\ud800", "\ud800"),
        ):
            self.assertEqual(await self.answer(name, password), WRONG, name)

    async def test_a_new_password_ends_what_the_old_one_opened(self) -> None:
        principal = await self.answer("paul")
        await self.real.passwords.set(AUTHOR, self.mailbox.address, "another horse 8")
        self.assertFalse(await self.real.login.still_valid(principal))
        self.assertEqual(await self.answer("paul"), WRONG)
        self.assertIsInstance(await self.answer("paul", "another horse 8"), Principal)


class AwakeningTests(TestCase):
    """The directory is not there yet: right after a start, or while Redis comes back."""

    async def setUp(self) -> None:
        self.real = RealCustomers()
        await self.real.begin()
        await self.real.customer()
        await self.real.mailbox("paul@mydomain.zz", PASSWORD)
        await self.real.close()
        self.clock = Clock()
        self.connection = self.real.connection = Redis(reactor, locate(self.real.redis.url))
        journal = Journal(f"{self.real.folder}/journal")
        self.directory = self.real.directory = Directory(
            reactor, journal, self.connection, time.time, DirectorySettings()
        )
        await self.directory.start()
        failures = Failures(self.connection, time.time, FailureSettings())
        login = Login(self.directory, self.real.credentials, failures, self.clock, LoginSettings(delay=0.0))
        self.answer = Deferred.fromCoroutine(login.authenticate("paul@mydomain.zz", PASSWORD, HOME))

    async def tearDown(self) -> None:
        await self.real.stop()

    async def test_a_login_waits_for_the_directory(self) -> None:
        self.connection.start()
        self.assertIsInstance(await self.answer, Principal)

    async def test_but_not_for_ever(self) -> None:
        self.assertNoResult(self.answer)
        self.clock.advance(PATIENCE)
        self.failureResultOf(self.answer, Temporary)
        self.connection.start()
        await self.directory.when_ready()  # which who has given up does not disturb
