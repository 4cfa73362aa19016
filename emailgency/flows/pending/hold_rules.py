"""Rules by which mail of a customer is held come and go (product row D1); each is a change of the customer."""

from typing import TYPE_CHECKING

from emailgency.flows.accounts.customer_accounts import CustomerAccounts
from emailgency.model.directory import Customer, HoldRule
from emailgency.model.errors import Invalid
from emailgency.rules.holds import MOST_RULES, checked
from emailgency.store.directory.changes import Author

if TYPE_CHECKING:
    from collections.abc import Callable


class HoldRules:
    """Raises Invalid (in words for the person) and Temporary."""

    def __init__(self, accounts: CustomerAccounts, clock: "Callable[[], float]") -> None:
        self._accounts = accounts
        self._clock = clock

    async def add(self, author: Author, customer: Customer, sender: str, recipient: str) -> HoldRule:
        """With neither sender nor recipient it holds everything."""
        numbers = [int(rule.id) for rule in customer.holds]
        rule = HoldRule(
            id=str(max(numbers, default=0) + 1),
            sender=checked(sender),
            recipient=checked(recipient),
            by=author.who,
            at=self._clock(),
        )
        if any((rule.sender, rule.recipient) == (one.sender, one.recipient) for one in customer.holds):
            raise Invalid("there is such a rule already")
        if len(customer.holds) >= MOST_RULES:
            raise Invalid("a customer has at most %(count)s such rules", count=MOST_RULES)
        what = f"mail of {customer.domain} is held by rule {rule.id}: {_words(rule)}"
        await self._accounts.set(author, customer.id, what=what, holds=(*customer.holds, rule))
        return rule

    async def remove(self, author: Author, customer: Customer, id: str) -> HoldRule:
        """What it held may go, unless another rule holds it."""
        rule = next((one for one in customer.holds if one.id == id), None)
        if rule is None:
            raise Invalid("there is no such rule")
        left = tuple(one for one in customer.holds if one != rule)
        what = f"mail of {customer.domain} is no longer held by rule {rule.id}: {_words(rule)}"
        await self._accounts.set(author, customer.id, what=what, holds=left)
        return rule


def _words(rule: HoldRule) -> str:
    return f"from {rule.sender or 'anybody'} to {rule.recipient or 'anybody'}"
