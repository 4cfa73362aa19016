"""The panel Mailbox: all mailboxes of the customer, and deeds on many of them (rows A1, B3, B6, B8, F1)."""

from collections.abc import Callable

from msgspec import Struct

from emailgency.flows.accounts.invitations import Invitations
from emailgency.flows.addresses.address_deeds import FOR_GOOD, AddressDeeds, Choice
from emailgency.flows.addresses.addresses import Addresses
from emailgency.flows.addresses.bulk import Bulk
from emailgency.model.directory import Alias, Mailbox
from emailgency.servers.web.console.deeds import named, on_ticked, own, ticked
from emailgency.servers.web.console.listing import listed
from emailgency.servers.web.console.routes import Answer, Asked, Away, Page, Route, Visitor, Who
from emailgency.store.directory.directory import Directory


class Row(Struct, frozen=True):
    mailbox: Mailbox
    aliases: int


class MailboxesPanel:
    def __init__(
        self,
        directory: Directory,
        addresses: Addresses,
        invitations: Invitations,
        deeds: AddressDeeds,
        bulk: Bulk,
        clock: Callable[[], float],
    ) -> None:
        self._directory = directory
        self._addresses = addresses
        self._invitations = invitations
        self._deeds = deeds
        self._bulk = bulk
        self._clock = clock

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/mailboxes", Who.ADMINISTRATOR, self.show),
            Route("POST", "/mailboxes", Who.ADMINISTRATOR, self.act),
            Route("POST", "/mailboxes/add", Who.ADMINISTRATOR, self.add),
        ]

    async def show(self, visitor: Visitor, asked: Asked) -> Answer:
        entries = await self._directory.entries(visitor.known.customer)
        aliases: dict[str, int] = {}
        for entry in entries:
            if isinstance(entry, Alias):
                aliases[entry.mailbox] = aliases.get(entry.mailbox, 0) + 1
        rows = [Row(entry, aliases.get(entry.id, 0)) for entry in entries if isinstance(entry, Mailbox)]
        listing = listed(
            rows,
            asked,
            lambda row: str(row.mailbox.address),
            {
                "address": lambda row: str(row.mailbox.address),
                "aliases": lambda row: row.aliases,
                "password": lambda row: row.mailbox.password is not None,
            },
        )
        return Page("mailboxes.html", {"listing": listing})

    async def add(self, visitor: Visitor, asked: Asked) -> Answer:
        mailbox = await self._addresses.add_mailbox(visitor.author, own(visitor, asked.one("local")))
        visitor.tell("success", str(mailbox.address))
        return Away(f"/mailboxes/{mailbox.address}")

    async def act(self, visitor: Visitor, asked: Asked) -> Answer:
        choice, addresses = Choice("mailbox", asked.one("deed")), ticked(asked)
        if choice.deed == "password":
            return await self._invite(visitor, addresses)
        words = choice.words
        if (choice.kind, choice.deed) in FOR_GOOD and not asked.one("sure"):
            return Page("sure.html", {"addresses": addresses, "deed": choice.deed, "path": "/mailboxes"})
        deed = self._deeds.deed(visitor.known.customer, visitor.address.domain, choice)
        return await on_ticked(visitor, addresses, self._bulk, deed, words, "/mailboxes")

    async def _invite(self, visitor: Visitor, ticked: list[str]) -> Answer:
        """Row B2: who cannot be reached by mail now is shown with the way to set his password by hand (row B3)."""
        addresses = [own(visitor, text) for text in ticked]
        results = await self._invitations.invite(visitor.author, visitor.known.customer, addresses, self._clock())
        if done := [one.address for one in results if not one.fault]:
            visitor.tell("success", named(done))
        if failed := [one for one in results if one.fault]:
            return Page("by_hand.html", {"failed": failed})
        return Away("/mailboxes")
