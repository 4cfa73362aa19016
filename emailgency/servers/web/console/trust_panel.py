"""The page Trust of Domain settings: what makes the customer's own server believe us, and a test of it (row G7)."""

from emailgency.flows.relaying.relay import RelayFlow
from emailgency.flows.trust.trust_letters import Tested, TrustLetters
from emailgency.rules.trust_snippets import snippets
from emailgency.servers.web.console.routes import Answer, Asked, Away, Page, Route, Visitor, Who
from emailgency.store.directory.directory import Directory


class TrustPanel:
    def __init__(self, directory: Directory, trust: TrustLetters, relay: RelayFlow) -> None:
        self._relay = relay
        self._directory = directory
        self._trust = trust

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/domain/trust", Who.ADMINISTRATOR, self.show),
            Route("POST", "/domain/trust/accept", Who.ADMINISTRATOR, self.accept),
            Route("POST", "/domain/trust/test", Who.ADMINISTRATOR, self.test),
        ]

    async def show(self, visitor: Visitor, asked: Asked) -> Answer:
        return await self._page(visitor, str(visitor.address))

    async def test(self, visitor: Visitor, asked: Asked) -> Answer:
        """Two letters go out while he waits."""
        customer = await self._directory.customer(visitor.known.customer)
        address = asked.one("address")
        return await self._page(visitor, address, await self._trust.test(customer, address))

    async def accept(self, visitor: Visitor, asked: Asked) -> Answer:
        """Whoever answers now is his server (flows/relaying/impostor.py)."""
        await self._relay.accept_server(visitor.known.customer)
        visitor.tell("success", visitor.address.domain)
        return Away("/pending")

    async def _page(self, visitor: Visitor, address: str, tested: Tested | None = None) -> Page:
        customer = await self._directory.customer(visitor.known.customer)
        sealers = await self._trust.sealers(customer)
        seal = sealers.seal if sealers.switched_on else ""
        facts: dict[str, object] = {
            "customer": customer,
            "us": sealers,
            "address": address,
            "tested": tested,
            "snippets": snippets(sealers.name, sealers.addresses, seal),
        }
        return Page("trust.html", facts)
