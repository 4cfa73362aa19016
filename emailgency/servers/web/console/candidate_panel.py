"""The panel Candidate: unknown addresses that have had mail, and what becomes of them (rows A4 to A6, F1)."""

from collections.abc import Awaitable, Callable

from msgspec import Struct

from emailgency.flows.bulk import Bulk
from emailgency.flows.candidates import CandidateFlow
from emailgency.model.address import Address
from emailgency.model.bulk import Step
from emailgency.model.errors import Invalid
from emailgency.model.words import Words
from emailgency.servers.web.console.deeds import on_own, on_ticked, own, ticked
from emailgency.servers.web.console.listing import listed
from emailgency.servers.web.console.routes import Answer, Asked, Away, Page, Route, Visitor, Who
from emailgency.store.catchall import Candidate


class Row(Struct, frozen=True):
    candidate: Candidate
    sender: str


class CandidatePanel:
    def __init__(self, candidates: CandidateFlow, bulk: Bulk) -> None:
        self._candidates = candidates
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
        flow, chosen, addresses = self._candidates, asked.one("deed"), ticked(asked)

        async def to_mailbox(address: Address) -> Step:
            return await flow.to_mailbox(visitor.author, address)

        async def to_alias(address: Address) -> Step:
            return await flow.to_alias(visitor.author, address, own(visitor, asked.one("mailbox")))

        async def to_list(address: Address) -> Step:
            members = [own(visitor, text) for text in asked.one("members").replace(",", " ").split()]
            return await flow.to_list(visitor.author, address, members)

        async def banish(address: Address) -> Step | None:
            return await flow.banish(visitor.author, address)

        deeds: dict[str, tuple[Callable[[Address], Awaitable[Step | None]], Words]] = {
            "mailbox": (to_mailbox, Words("Candidates become mailboxes")),
            "alias": (to_alias, Words("Candidates become aliases")),
            "list": (to_list, Words("Candidates become distribution lists")),
            "banish": (banish, Words("Candidates are banished")),
        }
        if chosen not in deeds:
            raise Invalid("Choose what to do.")
        if chosen == "banish" and not asked.one("sure"):
            return Page("sure.html", {"addresses": addresses, "deed": chosen, "path": "/candidates"})
        deed, words = deeds[chosen]
        return await on_ticked(visitor, addresses, self._bulk, on_own(visitor, deed), words, "/candidates")
