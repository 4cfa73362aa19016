"""The panels Alias, Distribution list and Banished (rows A2, A3, A5): names that stand for something else."""

from collections.abc import Sequence

from msgspec import Struct

from emailgency.flows.addresses.address_deeds import AddressDeeds, Choice
from emailgency.flows.addresses.addresses import Addresses
from emailgency.flows.addresses.bulk import Bulk
from emailgency.model.directory import Alias, Banished, DistributionList, Mailbox
from emailgency.model.errors import Invalid
from emailgency.servers.web.console.deeds import on_ticked, own, ticked
from emailgency.servers.web.console.listing import listed
from emailgency.servers.web.console.routes import Answer, Asked, Away, Page, Route, Visitor, Who
from emailgency.store.directory.directory import Directory


class Row(Struct, frozen=True):
    """`leads_to` are mailboxes, as addresses."""

    address: str
    leads_to: tuple[str, ...] = ()


class NamesPanel:
    def __init__(self, directory: Directory, addresses: Addresses, deeds: AddressDeeds, bulk: Bulk) -> None:
        self._directory = directory
        self._addresses = addresses
        self._deeds = deeds
        self._bulk = bulk

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/aliases", Who.ADMINISTRATOR, self.aliases),
            Route("POST", "/aliases", Who.ADMINISTRATOR, self.act_on_aliases),
            Route("POST", "/aliases/add", Who.ADMINISTRATOR, self.add_alias),
            Route("GET", "/lists", Who.ADMINISTRATOR, self.lists),
            Route("POST", "/lists", Who.ADMINISTRATOR, self.act_on_lists),
            Route("POST", "/lists/save", Who.ADMINISTRATOR, self.save_list),
            Route("GET", "/banished", Who.ADMINISTRATOR, self.banished),
            Route("POST", "/banished", Who.ADMINISTRATOR, self.act_on_banished),
            Route("POST", "/banished/add", Who.ADMINISTRATOR, self.banish),
        ]

    # -- alias ---------------------------------------------------------------------------------------------

    async def aliases(self, visitor: Visitor, asked: Asked) -> Answer:
        entries = await self._directory.entries(visitor.known.customer)
        names = {entry.id: str(entry.address) for entry in entries if isinstance(entry, Mailbox)}
        rows = [
            Row(str(entry.address), (names.get(entry.mailbox, ""),)) for entry in entries if isinstance(entry, Alias)
        ]
        return _panel("aliases.html", rows, asked)

    async def add_alias(self, visitor: Visitor, asked: Asked) -> Answer:
        alias = await self._addresses.add_alias(
            visitor.author, own(visitor, asked.one("address")), own(visitor, asked.one("mailbox"))
        )
        visitor.tell("success", str(alias.address))
        return Away("/aliases")

    async def act_on_aliases(self, visitor: Visitor, asked: Asked) -> Answer:
        return await self._act(visitor, asked, "alias", "/aliases")

    # -- distribution list -----------------------------------------------------------------------------------

    async def lists(self, visitor: Visitor, asked: Asked) -> Answer:
        entries = await self._directory.entries(visitor.known.customer)
        names = {entry.id: str(entry.address) for entry in entries if isinstance(entry, Mailbox)}
        rows = [
            Row(str(entry.address), tuple(sorted(names.get(member, "") for member in entry.members)))
            for entry in entries
            if isinstance(entry, DistributionList)
        ]
        return _panel("lists.html", rows, asked)

    async def save_list(self, visitor: Visitor, asked: Asked) -> Answer:
        """A new list, or other members of one that is there."""
        address = own(visitor, asked.one("address"))
        members = [own(visitor, text) for text in asked.one("members").replace(",", "\n").split()]
        entry = await self._directory.entry(visitor.known.customer, address.local)
        save = self._addresses.set_list if isinstance(entry, DistributionList) else self._addresses.add_list
        await save(visitor.author, address, members)
        visitor.tell("success", str(address))
        return Away("/lists")

    async def act_on_lists(self, visitor: Visitor, asked: Asked) -> Answer:
        return await self._act(visitor, asked, "list", "/lists")

    # -- banished --------------------------------------------------------------------------------------------

    async def banished(self, visitor: Visitor, asked: Asked) -> Answer:
        entries = await self._directory.entries(visitor.known.customer)
        return _panel("banished.html", [Row(str(one.address)) for one in entries if isinstance(one, Banished)], asked)

    async def banish(self, visitor: Visitor, asked: Asked) -> Answer:
        address = own(visitor, asked.one("address"))
        if await self._directory.entry(visitor.known.customer, address.local) is not None:
            raise Invalid("%(address)s is in use: it is banished where it stands.", address=str(address))
        await self._addresses.banish(visitor.author, address)
        visitor.tell("success", str(address))
        return Away("/banished")

    async def act_on_banished(self, visitor: Visitor, asked: Asked) -> Answer:
        return await self._act(visitor, asked, "banished", "/banished")

    # -- all -------------------------------------------------------------------------------------------------

    async def _act(self, visitor: Visitor, asked: Asked, kind: str, panel: str) -> Answer:
        choice = Choice(kind, asked.one("deed"))
        deed = self._deeds.deed(visitor.known.customer, visitor.address.domain, choice)
        return await on_ticked(visitor, ticked(asked), self._bulk, deed, choice.words, panel)


def _panel(template: str, rows: Sequence[Row], asked: Asked) -> Page:
    listing = listed(
        rows,
        asked,
        lambda row: " ".join((row.address, *row.leads_to)),
        {"address": lambda row: row.address, "mailbox": lambda row: row.leads_to},
    )
    return Page(template, {"listing": listing})
