"""Plans and operators: what may be set, what is refused, and that it counts at once (product rows B11, F7)."""

from collections.abc import Awaitable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some
from twisted.trial.unittest import TestCase

from emailgency.flows.accounts.login import SUSPENDED, WRONG, Principal, Source
from emailgency.flows.accounts.operators import Operators
from emailgency.flows.accounts.plans import Plans
from emailgency.model.directory import PREMIUM, STANDARD, Operator, Plan, Role
from emailgency.model.envelope import Recipient
from emailgency.model.errors import Invalid
from emailgency.rules import routing
from emailgency.rules.plans import check, limits, octets, written
from tests.support.customers import AUTHOR, PASSWORD, RealCustomers

HERE = Source("web", "192.0.2.1")


async def refused(work: Awaitable[Any]) -> str:
    try:
        await work
    except Invalid as error:
        return str(error)
    raise AssertionError("not refused")


class PlanTests(TestCase):
    async def setUp(self) -> None:
        self.real = RealCustomers()
        await self.real.begin()
        self.plans = Plans(self.real.directory)
        self.operators = Operators(self.real.directory, self.real.passwords)

    async def tearDown(self) -> None:
        await self.real.stop()

    async def test_standard_and_premium_are_shipped_and_can_be_changed(self) -> None:
        assert await self.real.directory.plans() == [PREMIUM, STANDARD]
        await self.plans.set(AUTHOR, "standard", mailboxes=7, expiration_delay=14)
        await self.real.close()
        directory = await self.real.open()
        assert (await directory.plan("standard")).mailboxes == 7

    async def test_a_limit_counts_at_once_and_takes_nothing_away(self) -> None:
        await self.real.customer()
        await self.plans.set(AUTHOR, "standard", mailboxes=3, message_size=1 << 20)
        await self.real.mailbox("paul@mydomain.zz")
        await self.real.mailbox("mary@mydomain.zz")
        assert "room for 3 mailboxes" in await refused(self.real.mailbox("ringo@mydomain.zz"))
        await self.plans.set(AUTHOR, "standard", mailboxes=1)
        assert await self.real.resolver.resolve(Recipient(as_given="mary@mydomain.zz"), 0)
        route = await self.real.resolver.resolve(Recipient(as_given="paul@mydomain.zz"), 0)
        assert route.size_limit == 1 << 20

    async def test_only_plans_that_allow_it_have_customers_whose_primary_mx_we_are(self) -> None:
        await self.plans.add(AUTHOR, "gold", primary=True)
        customer = await self.real.customer(plan="gold", role=Role.PRIMARY)
        assert "primary" in await refused(self.real.accounts.set(AUTHOR, customer.id, plan="standard"))
        assert "mydomain.zz" in await refused(self.plans.set(AUTHOR, "gold", primary=False))
        assert "mydomain.zz" in await refused(self.plans.remove(AUTHOR, "gold"))
        await self.real.accounts.set(AUTHOR, customer.id, plan="standard", role=Role.BACKUP)
        await self.plans.remove(AUTHOR, "gold")
        assert "no plan gold" in await refused(self.plans.get("gold"))
        assert "no plan gold" in await refused(self.plans.set(AUTHOR, "gold", mailboxes=1))

    async def test_a_plan_has_one_name_that_can_be_typed(self) -> None:
        assert "already" in await refused(self.plans.add(AUTHOR, "standard"))
        for name in ("", "Gold", "a b", "x" * 33, "../x", "-x"):
            await refused(self.plans.add(AUTHOR, name))

    async def test_an_operator_logs_in_to_nothing_but_the_console(self) -> None:
        await self.real.customer()
        assert "small letter" in await refused(self.operators.add(AUTHOR, "Root"))
        await self.operators.add(AUTHOR, "root")
        assert "already" in await refused(self.operators.add(AUTHOR, "root"))
        login = self.real.login
        assert await login.authenticate_operator("root", "", HERE) == WRONG
        assert "8 characters" in await refused(self.operators.set_password(AUTHOR, "root", "short"))
        await self.operators.set_password(AUTHOR, "root", PASSWORD)
        found = await login.authenticate_operator("root", PASSWORD, HERE)
        assert isinstance(found, Operator)
        assert await login.authenticate_operator("nobody", PASSWORD, HERE) == WRONG
        for name in ("root", "root@operator", "root@emailgency.example"):
            assert await login.authenticate(name, PASSWORD, HERE) == WRONG
        assert await login.operator_still_valid("root", found.generation)
        await self.operators.remove(AUTHOR, "root")
        assert not await login.operator_still_valid("root", found.generation)
        await self.operators.add(AUTHOR, "root")  # another one, who is not logged in by that
        await self.operators.set_password(AUTHOR, "root", PASSWORD)
        assert not await login.operator_still_valid("root", found.generation)

    async def test_of_a_suspended_customer_nobody_logs_in_or_sends_and_no_mail_is_lost(self) -> None:
        customer = await self.real.customer()
        await self.real.mailbox("paul@mydomain.zz", PASSWORD)
        principal = await self.real.login.authenticate("paul@mydomain.zz", PASSWORD, HERE)
        assert isinstance(principal, Principal)
        await self.real.accounts.set(AUTHOR, customer.id, suspended=True)
        assert not await self.real.login.still_valid(principal)
        assert await self.real.login.authenticate("paul@mydomain.zz", PASSWORD, HERE) == SUSPENDED
        assert await self.real.login.authenticate("paul@mydomain.zz", "wrong", HERE) == WRONG
        for name in ("paul@mydomain.zz", "postmaster@mydomain.zz", f"x@{customer.alternate_domain}"):
            route = await self.real.resolver.resolve(Recipient(as_given=name), 0)
            assert (route.verdict, route.verdict.code) == (routing.SUSPENDED, 451)
        await self.real.accounts.set(AUTHOR, customer.id, suspended=False)
        assert await self.real.login.still_valid(principal)


@pytest.mark.parametrize(
    "wrong",
    [
        {"mailboxes": 0},
        {"mailboxes": -1},
        {"message_size": 21 << 20},
        {"message_size": 1},
        {"expiration_delay": 100, "expiration_delay_max": 90},
        {"pending_lifetime": 0},
        {"pending_lifetime": 366},
        {"vip_quota": 2 << 20},
        {"mailbox_quota": 1 << 20},
        {"reserve": -1},
        {"undelivered_quota": 1 << 60},
    ],
)
def test_a_plan_without_sense_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(Invalid):
        check(Plan(name="x", **wrong))


def test_shipped_plans_have_sense_and_every_limit_has_bounds() -> None:
    from emailgency.rules.plans import COUNTS, DAYS, SIZES, SWITCHES, title

    check(STANDARD)
    check(PREMIUM)
    assert limits(STANDARD).keys() == {*SIZES, *COUNTS, *DAYS, *SWITCHES}
    assert all(title(name) for name in limits(STANDARD))


@pytest.mark.parametrize(
    ("text", "size"),
    [("5 GiB", 5 << 30), ("5g", 5 << 30), ("1.5M", 3 << 19), ("20Mo", 20 << 20), ("1024", 1024), (" 2,5 kB ", 2560)],
)
def test_sizes_are_read_as_people_write_them(text: str, size: int) -> None:
    assert octets(text) == size


@pytest.mark.parametrize("text", ["", "much", "-5", "5 XB", "1e9", "9" * 20, "5 GiB 3", "½ G", "٣"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        octets(text)


@given(some.integers(0, 1 << 50))
def test_a_size_is_read_as_it_was_written(size: int) -> None:
    if size < 10**15:
        assert octets(written(size)) == size
