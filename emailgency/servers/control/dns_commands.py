"""`dns check|show`: what the DNS says of customers' domains, what it should say, and since when (row G7)."""

from typing import Any

from msgspec import Struct

from emailgency.flows.accounts.customer_accounts import CustomerAccounts
from emailgency.flows.domains.drift_guard import DriftGuard
from emailgency.model.domain_check import DnsChange, Finding, Standing
from emailgency.servers.control.command import Asker, Command, Commands, domain_of
from emailgency.store.directory.directory import Directory


class NamedCustomer(Struct, frozen=True, forbid_unknown_fields=True):
    customer: str


class AnyCustomer(Struct, frozen=True, forbid_unknown_fields=True):
    customer: str = ""


class DnsCommands:
    def __init__(self, directory: Directory, accounts: CustomerAccounts, guard: DriftGuard) -> None:
        self._directory = directory
        self._accounts = accounts
        self._guard = guard

    def table(self) -> Commands:
        return {"dns check": Command(NamedCustomer, self.check), "dns show": Command(AnyCustomer, self.show)}

    async def check(self, asked: NamedCustomer, asker: Asker) -> object:
        """Asks the DNS now."""
        customer = await self._accounts.find(asked.customer)
        found = await self._guard.check_all(customer)
        findings = [(domain, finding) for domain, some in found.items() for finding in some]
        return {
            "customer": customer.domain,
            "records": [_found(domain, finding) for domain, finding in findings],
            "to_type": [row for _, finding in findings for row in _to_type(finding)],
        }

    async def show(self, asked: AnyCustomer, asker: Asker) -> object:
        """What the guard has seen; of all customers only what is not in order."""
        if not asked.customer:
            return [
                {"customer": await domain_of(self._directory, customer), **_latest(change)}
                for customer in self._guard.history.customers()
                for change in self._guard.history.latest(customer)
                if change.standing is not Standing.GOOD
            ]
        customer = await self._accounts.find(asked.customer)
        history = self._guard.history
        return {
            "customer": customer.domain,
            "records": [_latest(change) for change in history.latest(customer.id)],
            "changes": [_change(one) for one in reversed(history.of(customer.id)) if one.before is not None],
        }


def _found(domain: str, finding: Finding) -> dict[str, Any]:
    return {
        "domain": domain,
        "record": finding.kind,
        "standing": finding.standing.value,
        "found": list(finding.found),
        "words": str(finding.words),
    }


def _to_type(finding: Finding) -> list[dict[str, Any]]:
    steps = [("add", one) for one in finding.to_add] + [("remove", one) for one in finding.to_remove]
    return [{"step": step, "name": finding.name, "type": finding.type, "value": value} for step, value in steps]


def _latest(change: DnsChange) -> dict[str, Any]:
    return {
        "domain": change.domain,
        "record": change.kind,
        "standing": change.standing.value,
        "since_at": change.at,
        "found": list(change.after),
        "words": str(change.words),
    }


def _change(change: DnsChange) -> dict[str, Any]:
    return {
        "at": change.at,
        "domain": change.domain,
        "record": change.kind,
        "standing": change.standing.value,
        "before": list(change.before or ()),
        "after": list(change.after),
        "words": str(change.words),
    }
