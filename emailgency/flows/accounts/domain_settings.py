"""What an administrator may change of his own customer, and within which bounds (row F2); the rest is operators'."""

from typing import Any

from emailgency.flows.accounts.customer_accounts import CustomerAccounts
from emailgency.flows.relaying.transport_check import TransportCheck
from emailgency.model.directory import Customer
from emailgency.model.errors import Invalid
from emailgency.store.directory.changes import Author
from emailgency.store.directory.directory import Directory

HIS_OWN = frozenset(
    {
        "learn_recipients",
        "sender_notices",
        "relay",
        "smtp_transport",
        "stealth",
        "smtp_denied",
        "banished_refused",
        "authentication",
        "pending_lifetime",
        "language",
        "second_factor_required",
    }
)


class DomainSettings:
    """Raises Invalid (in words for the person) and Temporary."""

    def __init__(self, directory: Directory, accounts: CustomerAccounts, transports: TransportCheck) -> None:
        self._directory = directory
        self._accounts = accounts
        self._transports = transports

    async def set(self, author: Author, id: str, **changes: Any) -> Customer:
        """`changes`: fields of `Customer` named in HIS_OWN. Nothing is written when nothing is different."""
        if unknown := changes.keys() - HIS_OWN:
            raise Invalid("%(unknown)s: only the operator changes that", unknown=", ".join(sorted(unknown)))
        customer = await self._accounts.get(id)
        changes = {name: value for name, value in changes.items() if getattr(customer, name) != value}
        if not changes:
            return customer
        if transport := changes.get("smtp_transport"):
            await self._transports.check(transport)
        if (days := changes.get("pending_lifetime")) is not None:
            plan = await self._directory.plan(customer.plan)
            if not 1 <= days <= plan.pending_lifetime:
                raise Invalid(
                    "the plan %(name)s keeps pending mail for 1 to %(days)s days",
                    name=plan.name,
                    days=plan.pending_lifetime,
                )
        return await self._accounts.set(author, id, **changes)
