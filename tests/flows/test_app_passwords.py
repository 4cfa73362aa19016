"""App passwords: made once, good for mail programs alone, and cheap to tell (attack row 39)."""

from twisted.trial.unittest import TestCase

from emailgency.flows.accounts.app_passwords import MOST, AppPasswords
from emailgency.flows.accounts.login import MAIL_PROGRAMS, WRONG, LoginSettings, Principal, Source
from emailgency.model.directory import Mailbox, Operator
from emailgency.model.errors import Invalid
from emailgency.store.logins.uses import Uses
from tests.support.customers import AUTHOR, PASSWORD, RealCustomers

IP = "192.0.2.7"


class AppPasswordTests(TestCase):
    async def setUp(self) -> None:
        self.real = RealCustomers()
        await self.real.begin(LoginSettings(delay=0.0))
        await self.real.customer()
        self.paul = await self.real.mailbox("paul@mydomain.zz", PASSWORD)
        self.uses = Uses(self.real.connection, lambda: self.real.now)
        self.app_passwords = AppPasswords(self.real.directory, self.uses, lambda: self.real.now)
        self.tried: list[object] = []
        right = self.real.credentials.right

        async def counted(holder: Mailbox | Operator | None, password: str) -> bool:
            self.tried.append(holder)
            return await right(holder, password)

        self.real.credentials.right = counted

    async def tearDown(self) -> None:
        await self.real.stop()

    async def answer(self, password: str, service: str = "imap") -> object:
        return await self.real.login.authenticate("paul@mydomain.zz", password, Source(service, IP))

    async def made(self, count: int = 1) -> list[str]:
        return [(await self.app_passwords.make(AUTHOR, self.paul.address, f"program {n}"))[0] for n in range(count)]

    async def test_attack_39_each_opens_the_mailbox_to_programs_and_nothing_in_the_browser(self) -> None:
        for secret in await self.made(3):
            for service in sorted(MAIL_PROGRAMS):
                self.assertIsInstance(await self.answer(secret, service), Principal)
            self.assertIsInstance(await self.answer(secret.replace("-", "").upper()), Principal)
            for service in ("web", "api"):
                self.assertEqual(await self.answer(secret, service), WRONG)

    async def test_many_cost_no_slow_hash_and_a_wrong_one_costs_what_a_wrong_password_does(self) -> None:
        secrets = await self.made(MOST)
        for secret in secrets:
            self.assertIsInstance(await self.answer(secret), Principal)
        self.assertEqual(self.tried, [])
        self.assertEqual(await self.answer("wrong one 1"), WRONG)
        self.assertEqual(len(self.tried), 1)
        with self.assertRaises(Invalid):
            await self.made()

    async def test_attack_39_one_that_was_removed_opens_nothing_and_what_it_opened_ends(self) -> None:
        gone, kept = await self.made(2)
        principals = [await self.answer(secret) for secret in (gone, kept, PASSWORD)]
        lines = await self.app_passwords.of(await self.mailbox())
        await self.app_passwords.remove(AUTHOR, self.paul.address, lines[-1].kept.id)
        names = [line.kept.name for line in await self.app_passwords.of(await self.mailbox())]
        self.assertEqual(names, ["program 1"])
        self.assertEqual(await self.answer(gone), WRONG)
        valid = [await self.real.login.still_valid(one) for one in principals if isinstance(one, Principal)]
        self.assertEqual(valid, [False, True, True])
        with self.assertRaises(Invalid):
            await self.app_passwords.remove(AUTHOR, self.paul.address, lines[-1].kept.id)

    async def test_the_last_use_is_known(self) -> None:
        (secret,) = await self.made()
        (line,) = await self.app_passwords.of(await self.mailbox())
        self.assertIsNone(line.use)
        self.uses.note(self.paul.id, line.kept.id, IP)
        (line,) = await self.app_passwords.of(await self.mailbox())
        assert line.use is not None
        self.assertEqual((line.use.at, line.use.ip), (self.real.now, IP))
        self.assertNotIn(secret, str(await self.mailbox()))

    async def test_a_name_is_needed(self) -> None:
        with self.assertRaises(Invalid):
            await self.app_passwords.make(AUTHOR, self.paul.address, "  ")

    async def mailbox(self) -> Mailbox:
        found = await self.real.directory.mailbox(self.paul.id)
        assert found is not None
        return found
