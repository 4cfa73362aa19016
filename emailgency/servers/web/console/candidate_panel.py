"""The panel Candidate: unknown addresses that have had mail, and what becomes of them (rows A4 to A6, F1)."""

from msgspec import Struct

from emailgency.flows.addresses.address_deeds import FOR_GOOD, AddressDeeds, Choice
from emailgency.flows.addresses.bulk import Bulk
from emailgency.flows.addresses.candidates import CandidateFlow
from emailgency.servers.web.console.deeds import on_ticked, own, ticked
from emailgency.servers.web.console.listing import listed
from emailgency.servers.web.console.routes import Answer, Asked, Away, Page, Route, Visitor, Who
from emailgency.store.mailboxes.catchall import Candidate


class Row(Struct, frozen=True):
    candidate: Candidate
    sender: str


class CandidatePanel:
    def __init__(self, candidates: CandidateFlow, deeds: AddressDeeds, bulk: Bulk) -> None:
        self._candidates = candidates
        self._deeds = deeds
        self._bulk = bulk

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/candidates", Who.ADMINISTRATOR, self.show),
            Route("POST", "/candidates", Who.ADMINISTRATOR, self.act),
            Route("POST", "/candidates/tidy", Who.ADMINISTRATOR, self.tidy),
            Route("GET", "/received/<address>", Who.ADMINISTRATOR, self.received),
        ]

    async def show(self, visitor: Visitor, asked: Asked) -> Answer:
        listing = listed(
            await self._candidates.of(visitor.known.customer),
            asked,
            lambda one: str(one.address),
            {
                "address": lambda one: str(one.address),
                "messages": lambda one: one.messages,
                "size": lambda one: one.size,
                "last": lambda one: one.last_at,
            },
        )
        senders = await self._candidates.senders(listing.rows)
        rows = [Row(one, sender) for one, sender in zip(listing.rows, senders, strict=True)]
        return Page("candidates.html", {"listing": listing, "rows": rows})

    async def tidy(self, visitor: Visitor, asked: Asked) -> Answer:
        await self._candidates.tidy(visitor.known.customer)
        return Away("/candidates")

    async def received(self, visitor: Visitor, asked: Asked) -> Answer:
        address = own(visitor, asked.path["address"])
        letters = await self._candidates.letters(visitor.known.customer, address)
        return Page("received.html", {"address": address, "letters": letters})

    async def act(self, visitor: Visitor, asked: Asked) -> Answer:
        members = tuple(asked.one("members").replace(",", " ").split())
        choice = Choice("candidate", asked.one("deed"), asked.one("mailbox"), members)
        addresses, words = ticked(asked), choice.words
        if (choice.kind, choice.deed) in FOR_GOOD and not asked.one("sure"):
            return Page("sure.html", {"addresses": addresses, "deed": choice.deed, "path": "/candidates"})
        deed = self._deeds.deed(visitor.known.customer, visitor.address.domain, choice)
        return await on_ticked(visitor, addresses, self._bulk, deed, words, "/candidates")
