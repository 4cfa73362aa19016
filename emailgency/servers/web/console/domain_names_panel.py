"""The customer's names, and how he claims one more (row A8, attack row 45)."""

from emailgency.flows.accounts.domain_claims import DomainClaims, Proof
from emailgency.model.words import Words
from emailgency.servers.web.console.routes import Answer, Asked, Away, Page, Route, Visitor, Who
from emailgency.store.directory.directory import Directory


class DomainNamesPanel:
    def __init__(self, directory: Directory, claims: DomainClaims) -> None:
        self._directory = directory
        self._claims = claims

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/domain/names", Who.ADMINISTRATOR, self.show),
            Route("POST", "/domain/names/claim", Who.ADMINISTRATOR, self.claim),
        ]

    async def show(self, visitor: Visitor, asked: Asked) -> Answer:
        """With a domain in the address line, what proves that it is his: nobody is asked for that."""
        wanted = asked.given("domain")
        claim = self._claims.claim(visitor.known.customer, wanted) if wanted else None
        customer = await self._directory.customer(visitor.known.customer)
        return Page("domain_names.html", {"customer": customer, "claim": claim, "fault": None})

    async def claim(self, visitor: Visitor, asked: Asked) -> Answer:
        """His when the DNS shows it; else the record again, and what was seen."""
        customer = await self._directory.customer(visitor.known.customer)
        claim = await self._claims.look(customer.id, asked.one("domain"))
        if claim.proof is Proof.THERE:
            await self._claims.take(visitor.author, customer.id, claim.domain)
            visitor.tell("success", Words("%(domain)s is yours here.", {"domain": claim.domain}))
            return Away("/domain/names")
        fault = (
            Words("The DNS does not answer just now. Try again in a minute.")
            if claim.proof is Proof.UNKNOWN
            else Words("The record is not there yet. The DNS may take some minutes to show it.")
        )
        return Page("domain_names.html", {"customer": customer, "claim": claim, "fault": fault})
