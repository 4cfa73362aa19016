"""`hold add|list|remove`: rules by which pending mail of a customer stays here (row D1)."""

from collections import Counter

from msgspec import Struct

from emailgency.flows.accounts.customer_accounts import CustomerAccounts
from emailgency.flows.pending.hold_rules import HoldRules
from emailgency.flows.pending.pending_view import PendingView
from emailgency.model.directory import HoldRule
from emailgency.servers.control.command import Asker, Command, Commands


class AddHold(Struct, frozen=True, forbid_unknown_fields=True):
    customer: str
    sender: str = ""
    recipient: str = ""


class ListHolds(Struct, frozen=True, forbid_unknown_fields=True):
    customer: str


class RemoveHold(Struct, frozen=True, forbid_unknown_fields=True):
    customer: str
    rule: str


class HoldCommands:
    def __init__(self, accounts: CustomerAccounts, rules: HoldRules, view: PendingView) -> None:
        self._accounts = accounts
        self._rules = rules
        self._view = view

    def table(self) -> Commands:
        return {
            "hold add": Command(AddHold, self.add),
            "hold list": Command(ListHolds, self.list),
            "hold remove": Command(RemoveHold, self.remove),
        }

    async def add(self, asked: AddHold, asker: Asker) -> object:
        customer = await self._accounts.find(asked.customer)
        rule = await self._rules.add(asker.author, customer, asked.sender, asked.recipient)
        return self._shown(customer.id, rule)

    async def list(self, asked: ListHolds, asker: Asker) -> object:
        customer = await self._accounts.find(asked.customer)
        return [self._shown(customer.id, rule) for rule in customer.holds]

    async def remove(self, asked: RemoveHold, asker: Asker) -> object:
        customer = await self._accounts.find(asked.customer)
        held = Counter(self._view.rules(customer.id))
        rule = await self._rules.remove(asker.author, customer, asked.rule)
        return self._shown(customer.id, rule) | {"customer": customer.domain, "released": held[rule.id]}

    def _shown(self, customer: str, rule: HoldRule) -> dict[str, object]:
        held = Counter(self._view.rules(customer))
        return {
            "rule": rule.id,
            "sender": rule.sender or "*",
            "recipient": rule.recipient or "*",
            "by": rule.by,
            "at": rule.at,
            "held": held[rule.id],
        }
