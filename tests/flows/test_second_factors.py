"""The second factor: on, used, used up, off; what is kept of it (RFC 6238, attack row 39)."""

import os

import msgspec
from twisted.internet.defer import Deferred, gatherResults
from twisted.trial.unittest import TestCase

from emailgency.flows.accounts.login import MAIL_PROGRAMS, TOO_MANY, WRONG, LoginSettings, Principal, Source
from emailgency.flows.accounts.operators import Operators
from emailgency.flows.accounts.second_factors import RECOVERY_CODES, WRONG_CODE, SecondFactors
from emailgency.model.directory import Mailbox
from emailgency.model.errors import Invalid, Temporary
from emailgency.model.verdict import Verdict
from emailgency.store.keys.sealing import Sealing
from emailgency.store.logins.failures import FailureSettings
from emailgency.store.logins.half_logins import LIFETIME, TRIES, HalfLogins
from emailgency.store.logins.used_codes import UsedCodes
from tests.support.customers import AUTHOR, PASSWORD, RealCustomers
from tests.support.phone import Phone

HERE = Source("web", "192.0.2.7")
BUDGETS = FailureSettings(pair=10, account=15, network=100, total=1000)


class SecondFactorTests(TestCase):
    async def setUp(self) -> None:
        self.real = RealCustomers()
        await self.real.begin(LoginSettings(delay=0.0), BUDGETS)
        await self.real.customer()
        self.paul = await self.real.mailbox("paul@mydomain.zz", PASSWORD)
        self.factors = self.made()

    async def tearDown(self) -> None:
        await self.real.stop()

    def made(self, key: bytes = bytes(32)) -> SecondFactors:
        """As after a start."""
        used = UsedCodes(self.real.connection)
        return SecondFactors(
            self.real.directory, Sealing(key), used, self.real.failures, lambda: self.real.now, "Emailgency"
        )

    async def on(self) -> tuple[Mailbox, Phone, list[str]]:
        proposed = self.factors.propose(self.paul)
        offer = self.factors.offer(self.paul, proposed)
        assert offer is not None
        phone = Phone(offer.text)
        paul, codes = await self.factors.switch_on(AUTHOR, self.paul, proposed, phone.code(self.real.now))
        return paul, phone, codes

    async def check(self, code: str, ip: str = HERE.ip) -> Verdict | None:
        paul = await self.real.directory.mailbox(self.paul.id)
        assert paul is not None
        return await self.factors.check(paul, code, Source("web", ip))

    async def test_it_counts_when_its_first_code_was_right(self) -> None:
        proposed = self.factors.propose(self.paul)
        with self.assertRaises(Invalid):
            await self.factors.switch_on(AUTHOR, self.paul, proposed, "000000x")
        unchanged = await self.real.directory.mailbox(self.paul.id)
        self.assertEqual(unchanged, self.paul)
        paul, phone, codes = await self.on()
        self.assertEqual((len(set(codes)), paul.generation), (RECOVERY_CODES, self.paul.generation + 1))
        self.assertIsNone(await self.check(phone.code(self.real.now)))
        with self.assertRaises(Invalid):  # a second one would replace the first
            await self.on()

    async def test_codes_are_typed_as_phones_show_them(self) -> None:
        _, phone, codes = await self.on()
        code = phone.code(self.real.now)
        self.assertIsNone(await self.check(f" {code[:3]} {code[3:]} "))
        self.assertIsNone(await self.check(codes[0].upper().replace("-", " ")))

    async def test_attack_39_a_secret_that_was_proposed_to_somebody_else_is_not_accepted(self) -> None:
        ringo = await self.real.mailbox("ringo@mydomain.zz", PASSWORD)
        proposed = self.factors.propose(ringo)
        offer = self.factors.offer(ringo, proposed)
        assert offer is not None
        self.assertIsNone(self.factors.offer(self.paul, proposed))
        for wrong in (proposed, "", "x", proposed[:-4]):
            with self.assertRaises(Invalid):
                await self.factors.switch_on(AUTHOR, self.paul, wrong, Phone(offer.text).code(self.real.now))

    async def test_attack_39_a_code_is_good_once_over_restarts_too(self) -> None:
        _, phone, _ = await self.on()
        code = phone.code(self.real.now)
        self.assertIsNone(await self.check(code))
        self.assertEqual(await self.check(code), WRONG_CODE)
        self.real.now += 30  # it would still count
        self.assertEqual(await self.check(code, "198.51.100.1"), WRONG_CODE)
        await self.real.close()
        await self.real.open()
        self.factors = SecondFactors(
            self.real.directory,
            Sealing(bytes(32)),
            UsedCodes(self.real.connection),
            self.real.failures,
            lambda: self.real.now,
            "Emailgency",
        )
        self.assertEqual(await self.check(code, "203.0.113.1"), WRONG_CODE)

    async def test_attack_39_the_code_that_switched_it_on_opens_nothing(self) -> None:
        proposed = self.factors.propose(self.paul)
        offer = self.factors.offer(self.paul, proposed)
        assert offer is not None
        code = Phone(offer.text).code(self.real.now)
        await self.factors.switch_on(AUTHOR, self.paul, proposed, code)
        self.assertEqual(await self.check(code), WRONG_CODE)

    async def test_attack_39_an_older_code_than_the_last_is_refused(self) -> None:
        _, phone, _ = await self.on()
        first, second = phone.code(self.real.now), phone.code(self.real.now)
        self.assertIsNone(await self.check(second))
        self.assertEqual(await self.check(first), WRONG_CODE)

    async def test_attack_39_the_same_code_at_once_lets_one_in(self) -> None:
        _, phone, codes = await self.on()
        for code in (phone.code(self.real.now), codes[3]):
            answers = await gatherResults([Deferred.fromCoroutine(self.check(code)) for _ in range(20)])
            self.assertEqual(answers.count(None), 1)

    async def test_attack_39_when_redis_has_lost_what_was_used_every_code_of_the_moment_counts_as_used(self) -> None:
        _, phone, _ = await self.on()
        code = phone.code(self.real.now)
        self.assertIsNone(await self.check(code))
        await self.real.connection.execute("DEL", f"code used:{self.paul.id}")
        for each in (code, phone.code(self.real.now)):
            self.assertEqual(await self.check(each, "198.51.100.1"), WRONG_CODE)
        self.real.now += 60
        self.assertIsNone(await self.check(phone.code(self.real.now)))

    async def test_attack_39_without_redis_nobody_gets_in(self) -> None:
        _, phone, _ = await self.on()
        self.real.redis.kill()
        with self.assertRaises(Temporary):
            await self.check(phone.code(self.real.now))
        self.real.redis.start()

    async def test_attack_39_a_recovery_code_is_good_once_and_new_ones_end_the_old(self) -> None:
        paul, _, codes = await self.on()
        self.assertIsNone(await self.check(codes[0]))
        self.assertEqual(await self.check(codes[0]), WRONG_CODE)
        _, fresh = await self.factors.renew_recovery(AUTHOR, paul)
        self.assertEqual(await self.check(codes[1]), WRONG_CODE)
        self.assertIsNone(await self.check(fresh[9]))
        after = await self.real.directory.mailbox(paul.id)
        assert after is not None
        assert after.second_factor is not None
        self.assertEqual(len(after.second_factor.recovery), RECOVERY_CODES - 1)

    async def test_attack_39_guesses_are_bounded_and_the_owner_still_gets_in(self) -> None:
        _, phone, _ = await self.on()
        self.assertIsNone(await self.check(phone.code(self.real.now)))  # his network is known now
        answers = [await self.check(f"{number:06}", f"198.51.{number}.1") for number in range(200)]
        self.assertEqual(answers.count(WRONG_CODE), BUDGETS.account)
        self.assertEqual(answers.count(TOO_MANY), 200 - BUDGETS.account)
        self.assertIsNone(await self.check(phone.code(self.real.now)))

    async def test_attack_39_what_is_kept_shows_no_secret(self) -> None:
        paul, phone, codes = await self.on()
        assert paul.second_factor is not None
        secrets = [phone.secret, *(code.encode() for code in codes), *(c.replace("-", "").encode() for c in codes)]
        row = msgspec.json.encode(paul)
        stored = [row, b"".join(await self.real.connection.execute("HVALS", f"directory:entry:{paul.customer}"))]
        journal = os.path.join(self.real.folder, "journal")
        for name in os.listdir(journal):
            with open(os.path.join(journal, name), "rb") as file:
                stored.append(file.read())
        for octets in stored:
            self.assertFalse([secret for secret in secrets if secret in octets])

    async def test_with_another_secret_of_the_installation_recovery_codes_still_open(self) -> None:
        _, phone, codes = await self.on()
        self.factors = self.made(bytes(range(32)))
        self.assertEqual(await self.check(phone.code(self.real.now)), WRONG_CODE)
        self.flushLoggedErrors()
        self.assertIsNone(await self.check(codes[0]))

    async def test_off_and_everything_is_as_before(self) -> None:
        paul, phone, _ = await self.on()
        off = await self.factors.switch_off(AUTHOR, paul)
        self.assertEqual((off.second_factor, off.generation), (None, paul.generation + 1))
        answer = await self.real.login.authenticate("paul@mydomain.zz", PASSWORD, Source("imap", HERE.ip))
        self.assertIsInstance(answer, Principal)
        self.assertEqual(await self.factors.check(off, phone.code(self.real.now), HERE), WRONG_CODE)
        with self.assertRaises(Invalid):
            await self.factors.switch_off(AUTHOR, off)

    async def test_attack_39_the_password_is_half_a_login_and_none_for_mail_programs(self) -> None:
        await self.on()
        half = await self.real.login.authenticate("paul@mydomain.zz", PASSWORD, HERE)
        assert isinstance(half, Principal)
        self.assertTrue(half.half)
        for service in sorted(MAIL_PROGRAMS):
            answer = await self.real.login.authenticate("paul@mydomain.zz", PASSWORD, Source(service, HERE.ip))
            self.assertEqual(answer, WRONG)

    async def test_operators_have_one_too(self) -> None:
        operators = Operators(self.real.directory, self.real.passwords)
        await operators.add(AUTHOR, "alice")
        alice = await operators.set_password(AUTHOR, "alice", PASSWORD)
        proposed = self.factors.propose(alice)
        offer = self.factors.offer(alice, proposed)
        assert offer is not None
        phone = Phone(offer.text)
        on, codes = await self.factors.switch_on(AUTHOR, alice, proposed, phone.code(self.real.now))
        self.assertIsNone(await self.factors.check(on, phone.code(self.real.now), HERE))
        self.assertIsNone(await self.factors.check(on, codes[0], HERE))
        self.assertFalse(await self.real.login.operator_still_valid("alice", alice.generation))


class HalfLoginTests(TestCase):
    async def setUp(self) -> None:
        self.real = RealCustomers()
        await self.real.begin()
        self.halves = HalfLogins(self.real.connection, lambda: self.real.now)

    async def tearDown(self) -> None:
        await self.real.stop()

    async def test_attack_39_five_tries_however_many_come_at_once(self) -> None:
        token = await self.halves.begin("m1", operator=False, generation=3)
        work = [Deferred.fromCoroutine(self.halves.attempt(token)) for _ in range(30)]
        tried = [answer for answer in await gatherResults(work) if answer is not None]
        self.assertEqual(sorted(left for _, left in tried), list(range(TRIES)))
        self.assertIsNone(await self.halves.find(token))

    async def test_attack_39_it_ends_with_time_and_with_its_use(self) -> None:
        token = await self.halves.begin("m1", operator=True, generation=3)
        taken = await gatherResults([Deferred.fromCoroutine(self.halves.take(token)) for _ in range(5)])
        self.assertEqual(len([one for one in taken if one is not None]), 1)
        self.assertIsNone(await self.halves.attempt(token))
        other = await self.halves.begin("m1", operator=True, generation=3)
        self.real.now += LIFETIME + 1
        self.assertIsNone(await self.halves.attempt(other))

    async def test_attack_39_what_somebody_has_made_up_is_no_login(self) -> None:
        for token in ("", "x", "x" * 5000, "\udcff"):
            self.assertIsNone(await self.halves.attempt(token))
