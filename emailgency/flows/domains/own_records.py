"""The records of a customer's own names, live, and how they came to be: for console and API (rows F4, G7)."""

from msgspec import Struct

from emailgency.flows.domains.domain_look import domains_of
from emailgency.flows.domains.drift_guard import DriftGuard
from emailgency.flows.trust.signing import Signing
from emailgency.model.directory import Customer
from emailgency.model.domain_check import DnsChange, Finding, Standing
from emailgency.model.errors import Invalid
from emailgency.rules.domain_records import dkim

_ORDER = (Standing.WRONG, Standing.MISSING, Standing.DOUBTFUL, Standing.UNKNOWN, Standing.GOOD, Standing.OPTIONAL)
_BAD = (Standing.WRONG, Standing.MISSING)


class Look(Struct, frozen=True):
    """At one name: records, the worst first; whether a key signs for it; what has changed, the newest first."""

    domain: str
    findings: list[Finding]
    has_key: bool
    since: dict[str, float]  # by kind, in seconds since the epoch
    changes: list[DnsChange]


class OwnRecords:
    """Raises Invalid and Temporary."""

    def __init__(self, guard: DriftGuard, signing: Signing) -> None:
        self._guard = guard
        self._signing = signing

    def names(self, customer: Customer) -> tuple[str, ...]:
        """His domains, and the alternate one."""
        return (*domains_of(customer), customer.alternate_domain)

    async def look(self, customer: Customer, domain: str) -> Look:
        """Asks the DNS, as far as no cache knows; a dead resolver takes some seconds."""
        if domain not in self.names(customer):
            raise Invalid("%(domain)s is no domain of yours", domain=domain)
        findings, has_key = await self._guard.check(customer, domain), True
        if domain != customer.alternate_domain:
            announced = await self._signing.show(customer.id, [domain])
            has_key = bool(announced)
            findings = findings + [dkim(one.name, one.record, one.status) for one in announced]
        history = self._guard.history
        changes = [one for one in history.of(customer.id) if one.domain == domain and one.before is not None]
        return Look(
            domain,
            sorted(findings, key=lambda one: _ORDER.index(one.standing)),
            has_key,
            {one.kind: one.at for one in history.latest(customer.id) if one.domain == domain},
            changes[::-1],
        )

    async def first_key(self, customer: Customer) -> None:
        """Made unless there is one; its record then is among those to publish."""
        if not await self._signing.show(customer.id, [customer.domain]):
            await self._signing.make(customer.id)

    def troubles(self, customer: str) -> list[DnsChange]:
        """What is not in order as far as we know, without asking."""
        return [one for one in self._guard.history.latest(customer) if one.standing in _BAD]

    def seen(self, customer: str) -> bool:
        """Whether anything was looked at yet."""
        return bool(self._guard.history.latest(customer))
