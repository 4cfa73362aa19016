"""The page DNS of Domain settings: each record of each domain, live, and how it came to be (rows C8, F4, G7)."""

from emailgency.flows.domains.own_records import OwnRecords
from emailgency.servers.web.console.routes import Answer, Asked, Away, Page, Route, Visitor, Who
from emailgency.store.directory.directory import Directory


class DnsPanel:
    def __init__(self, directory: Directory, records: OwnRecords) -> None:
        self._directory = directory
        self._records = records

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/domain/dns", Who.ADMINISTRATOR, self.show),
            Route("POST", "/domain/dns/key", Who.ADMINISTRATOR, self.make_key),
        ]

    async def show(self, visitor: Visitor, asked: Asked) -> Answer:
        customer = await self._directory.customer(visitor.known.customer)
        names = self._records.names(customer)
        chosen = asked.given("domain") if asked.given("domain") in names else customer.domain
        look = await self._records.look(customer, chosen)
        facts: dict[str, object] = {
            "names": names,
            "chosen": chosen,
            "findings": look.findings,
            "has_key": look.has_key,
            "since": look.since,
            "changes": look.changes,
        }
        return Page("dns.html", facts)

    async def make_key(self, visitor: Visitor, asked: Asked) -> Answer:
        await self._records.first_key(await self._directory.customer(visitor.known.customer))
        return Away("/domain/dns")
