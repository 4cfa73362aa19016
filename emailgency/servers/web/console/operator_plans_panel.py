"""The operator's panel Plans: what customers may have (rows B11, F7)."""

from typing import Any

from emailgency.flows.accounts.plans import Plans
from emailgency.model.errors import Invalid
from emailgency.rules.plans import COUNTS, DAYS, SIZES, SWITCHES, octets, title, written
from emailgency.servers.web.console.routes import Answer, Asked, Away, Page, Route, Visitor, Who
from emailgency.store.directory.directory import Directory


class OperatorPlansPanel:
    def __init__(self, directory: Directory, plans: Plans) -> None:
        self._directory = directory
        self._plans = plans

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/operator/plans", Who.OPERATOR, self.show),
            Route("POST", "/operator/plans/add", Who.OPERATOR, self.add),
            Route("GET", "/operator/plans/<plan>", Who.OPERATOR, self.show_one),
            Route("POST", "/operator/plans/<plan>", Who.OPERATOR, self.save),
            Route("POST", "/operator/plans/<plan>/remove", Who.OPERATOR, self.remove),
        ]

    async def show(self, visitor: Visitor, asked: Asked) -> Answer:
        customers = await self._directory.customers()
        plans = [
            (plan, sum(customer.plan == plan.name for customer in customers)) for plan in await self._directory.plans()
        ]
        return Page("operator_plans.html", {"plans": plans})

    async def add(self, visitor: Visitor, asked: Asked) -> Answer:
        plan = await self._plans.add(visitor.author, asked.one("name").strip())
        visitor.tell("success", plan.name)
        return Away(f"/operator/plans/{plan.name}")

    async def show_one(self, visitor: Visitor, asked: Asked) -> Answer:
        plan = await self._plans.get(asked.path["plan"])
        names = [customer.domain for customer in await self._directory.customers() if customer.plan == plan.name]
        facts = {
            "plan": plan,
            "sizes": [(name, title(name), written(getattr(plan, name))) for name in SIZES],
            "counts": [(name, title(name), getattr(plan, name), bounds) for name, bounds in COUNTS.items()],
            "days": [(name, title(name), getattr(plan, name), bounds) for name, bounds in DAYS.items()],
            "switches": [(name, title(name), getattr(plan, name)) for name in SWITCHES],
            "customers": names,
        }
        return Page("operator_plan.html", facts)

    async def save(self, visitor: Visitor, asked: Asked) -> Answer:
        plan = await self._plans.set(visitor.author, asked.path["plan"], **_limits(asked))
        visitor.tell("success", plan.name)
        return Away(f"/operator/plans/{plan.name}")

    async def remove(self, visitor: Visitor, asked: Asked) -> Answer:
        plan = await self._plans.remove(visitor.author, asked.path["plan"])
        visitor.tell("success", plan.name)
        return Away("/operator/plans")


def _limits(asked: Asked) -> dict[str, Any]:
    """All of them, as the form has them."""
    found: dict[str, Any] = {name: octets(asked.one(name)) for name in SIZES}
    for name in (*COUNTS, *DAYS):
        text = asked.one(name).strip()
        if not (text.isascii() and text.isdecimal() and len(text) < 12):
            raise Invalid("%(limit)s: a whole number", limit=title(name))
        found[name] = int(text)
    return found | {name: asked.one(name) == "yes" for name in SWITCHES}
