"""`plan add|list|show|set|remove` and `operator add|list|password|remove`."""

from typing import Any

from msgspec import UNSET, Struct, UnsetType

from emailgency.flows.accounts.operators import Operators
from emailgency.flows.accounts.plans import Plans
from emailgency.model.directory import Plan
from emailgency.rules.plans import SIZES, limits, octets
from emailgency.servers.control.command import Asker, Command, Commands, Nothing
from emailgency.store.directory.directory import Directory


class Limits(Struct, frozen=True, forbid_unknown_fields=True):
    """What is left out stays. Sizes as people write them, "5 GiB"."""

    plan: str
    mailboxes: int | UnsetType = UNSET
    mailbox_quota: str | UnsetType = UNSET
    vip_mailboxes: int | UnsetType = UNSET
    vip_quota: str | UnsetType = UNSET
    message_size: str | UnsetType = UNSET
    candidates: int | UnsetType = UNSET
    distribution_lists: int | UnsetType = UNSET
    undelivered_quota: str | UnsetType = UNSET
    undelivered_messages: int | UnsetType = UNSET
    expiration_delay: int | UnsetType = UNSET
    expiration_delay_max: int | UnsetType = UNSET
    reserve: str | UnsetType = UNSET
    pending_lifetime: int | UnsetType = UNSET
    sms: bool | UnsetType = UNSET
    primary: bool | UnsetType = UNSET

    def given(self) -> dict[str, Any]:
        """Raises Invalid."""
        found = {name: getattr(self, name) for name in self.__struct_fields__ if name != "plan"}
        return {name: octets(value) if name in SIZES else value for name, value in found.items() if value is not UNSET}


class NamedPlan(Struct, frozen=True, forbid_unknown_fields=True):
    plan: str


class NamedOperator(Struct, frozen=True, forbid_unknown_fields=True):
    name: str


class OperatorPassword(Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    password: str


class PlanCommands:
    def __init__(self, directory: Directory, plans: Plans, operators: Operators) -> None:
        self._directory = directory
        self._plans = plans
        self._operators = operators

    def table(self) -> Commands:
        return {
            "plan add": Command(Limits, self.add),
            "plan list": Command(Nothing, self.list),
            "plan show": Command(NamedPlan, self.show),
            "plan set": Command(Limits, self.set),
            "plan remove": Command(NamedPlan, self.remove),
            "operator add": Command(NamedOperator, self.add_operator),
            "operator list": Command(Nothing, self.list_operators),
            "operator password": Command(OperatorPassword, self.set_password),
            "operator remove": Command(NamedOperator, self.remove_operator),
        }

    async def add(self, asked: Limits, asker: Asker) -> object:
        return _shown(await self._plans.add(asker.author, asked.plan, **asked.given()))

    async def list(self, nothing: Nothing, asker: Asker) -> object:
        customers = await self._directory.customers()
        return [
            {
                "plan": plan.name,
                "customers": sum(customer.plan == plan.name for customer in customers),
                "mailboxes": plan.mailboxes,
                "mailbox_octets": plan.mailbox_quota,
                "vip_octets": plan.vip_quota,
                "message_octets": plan.message_size,
                "days": plan.expiration_delay,
                "primary": plan.primary,
            }
            for plan in await self._directory.plans()
        ]

    async def show(self, asked: NamedPlan, asker: Asker) -> object:
        return _shown(await self._plans.get(asked.plan))

    async def set(self, asked: Limits, asker: Asker) -> object:
        return _shown(await self._plans.set(asker.author, asked.plan, **asked.given()))

    async def remove(self, asked: NamedPlan, asker: Asker) -> object:
        return {"plan": (await self._plans.remove(asker.author, asked.plan)).name}

    async def add_operator(self, asked: NamedOperator, asker: Asker) -> object:
        return {"name": (await self._operators.add(asker.author, asked.name)).id}

    async def list_operators(self, nothing: Nothing, asker: Asker) -> object:
        operators = await self._directory.operators()
        return [{"name": operator.id, "password": operator.password is not None} for operator in operators]

    async def set_password(self, asked: OperatorPassword, asker: Asker) -> object:
        return {"name": (await self._operators.set_password(asker.author, asked.name, asked.password)).id}

    async def remove_operator(self, asked: NamedOperator, asker: Asker) -> object:
        return {"name": (await self._operators.remove(asker.author, asked.name)).id}


def _shown(plan: Plan) -> dict[str, Any]:
    """Sizes under a name that says they are octets."""
    found = {f"{name}_octets" if name in SIZES else name: value for name, value in limits(plan).items()}
    return {"plan": plan.name} | found
