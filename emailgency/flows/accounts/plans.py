"""What customers may have, set by the operator (product row B11). A change counts at once, for all in the plan."""

from typing import Any

import msgspec

from emailgency.model.directory import Customer, Plan, Role
from emailgency.model.errors import Invalid
from emailgency.rules.plans import check
from emailgency.store.directory.changes import Author, edit
from emailgency.store.directory.directory import Directory, Gone

_MOST = 1000  # plans


class Plans:
    """All methods raise Invalid (in words for who asked) and Temporary; what they return is on stable storage."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    async def get(self, name: str) -> Plan:
        try:
            return await self._directory.plan(name)
        except Gone:
            raise Invalid("there is no plan %(name)s", name=name) from None

    async def add(self, author: Author, name: str, **limits: Any) -> Plan:
        """`limits` are fields of Plan; those left out are as in a plan that says nothing."""
        async with self._directory.deciding:
            known = [plan.name for plan in await self._directory.plans()]
            if name in known:
                raise Invalid("there is a plan %(name)s already", name=name)
            if len(known) >= _MOST:
                raise Invalid("there are at most %(count)s plans", count=_MOST)
            plan = Plan(name=name, **limits)
            check(plan)
            await self._directory.change(author, f"plan {name} added", [edit("plan", name, None, plan)])
        return plan

    async def set(self, author: Author, name: str, **limits: Any) -> Plan:
        """What a customer has already stays, also beyond a smaller number; he may only not have one more."""
        async with self._directory.deciding:
            before = await self.get(name)
            after = msgspec.structs.replace(before, **limits)
            check(after)
            if before.primary and not after.primary:
                primary = [one.domain for one in await self._customers(name) if one.role is Role.PRIMARY]
                if primary:
                    raise Invalid(
                        "%(domains)s: we are the primary MX, which the plan %(name)s must allow",
                        domains=_named(primary),
                        name=name,
                    )
            if after != before:
                await self._directory.change(author, f"plan {name} changed", [edit("plan", name, before, after)])
        return after

    async def remove(self, author: Author, name: str) -> Plan:
        """One that nobody has."""
        async with self._directory.deciding:
            plan = await self.get(name)
            have = [customer.domain for customer in await self._customers(name)]
            if have:
                raise Invalid("the plan %(name)s is that of %(domains)s", name=name, domains=_named(have))
            await self._directory.change(author, f"plan {name} removed", [edit("plan", name, plan, None)])
        return plan

    async def _customers(self, plan: str) -> list[Customer]:
        return [customer for customer in await self._directory.customers() if customer.plan == plan]


def _named(domains: list[str]) -> str:
    more = f" + {len(domains) - 3}" if len(domains) > 3 else ""
    return ", ".join(domains[:3]) + more
