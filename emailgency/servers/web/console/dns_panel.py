"""The page DNS of Domain settings: each record of each domain, live, and how it came to be (rows C8, F4, G7)."""

from emailgency.flows.domains.domain_look import domains_of
from emailgency.flows.domains.drift_guard import DriftGuard
from emailgency.flows.trust.signing import Signing
from emailgency.model.domain_check import DnsChange, Finding, Standing
from emailgency.rules.domain_records import dkim
from emailgency.servers.web.console.routes import Answer, Asked, Away, Page, Route, Visitor, Who
from emailgency.store.directory.directory import Directory


class DnsPanel:
    def __init__(self, directory: Directory, guard: DriftGuard, signing: Signing) -> None:
        self._directory = directory
        self._guard = guard
        self._signing = signing

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/domain/dns", Who.ADMINISTRATOR, self.show),
            Route("POST", "/domain/dns/key", Who.ADMINISTRATOR, self.make_key),
        ]

    async def show(self, visitor: Visitor, asked: Asked) -> Answer:
        """Asks the DNS, as far as no cache knows; a dead resolver takes some seconds."""
        customer = await self._directory.customer(visitor.known.customer)
        names = (*domains_of(customer), customer.alternate_domain)
        chosen = asked.given("domain") if asked.given("domain") in names else customer.domain
        findings = await self._guard.check(customer, chosen)
        keys = 0
        if chosen != customer.alternate_domain:
            announced = await self._signing.show(customer.id, [chosen])
            keys = len(announced)
            findings = findings + [dkim(one.name, one.record, one.status) for one in announced]
        history = self._guard.history
        return Page(
            "dns.html",
            {
                "names": names,
                "chosen": chosen,
                "findings": sorted(findings, key=_worst_first),
                "has_key": keys > 0 or chosen == customer.alternate_domain,
                "since": {one.kind: one.at for one in history.latest(customer.id) if one.domain == chosen},
                "changes": [
                    one for one in reversed(history.of(customer.id)) if one.domain == chosen and one.before is not None
                ],
            },
        )

    async def make_key(self, visitor: Visitor, asked: Asked) -> Answer:
        """A first key; its record then stands on the page."""
        customer = visitor.known.customer
        if not await self._signing.show(customer, [visitor.address.domain]):
            await self._signing.make(customer)
        return Away("/domain/dns")


_ORDER = (Standing.WRONG, Standing.MISSING, Standing.DOUBTFUL, Standing.UNKNOWN, Standing.GOOD, Standing.OPTIONAL)


def _worst_first(finding: Finding) -> int:
    return _ORDER.index(finding.standing)


def troubles(guard: DriftGuard, customer: str) -> list[DnsChange]:
    """What is not in order as far as we know, without asking: for the overview."""
    bad = (Standing.WRONG, Standing.MISSING)
    return [one for one in guard.history.latest(customer) if one.standing in bad]
