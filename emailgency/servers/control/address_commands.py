"""`alias|list|banished …`, `banish`, and the lists of all kinds of addresses."""

from typing import Any

from msgspec import Struct

from emailgency.codec.address import parse
from emailgency.flows.accounts.customer_accounts import CustomerAccounts
from emailgency.flows.addresses.addresses import Addresses
from emailgency.flows.addresses.deciding import entry_at, kind
from emailgency.model.directory import Alias, Banished, DistributionList, Entry, Mailbox
from emailgency.model.errors import Invalid
from emailgency.servers.control.command import Asker, Command, Commands
from emailgency.servers.control.mailbox_commands import mailbox_fields
from emailgency.store.directory.directory import Directory


class Named(Struct, frozen=True, forbid_unknown_fields=True):
    address: str


class OfCustomer(Struct, frozen=True, forbid_unknown_fields=True):
    customer: str


class AddAlias(Struct, frozen=True, forbid_unknown_fields=True):
    address: str
    mailbox: str


class Members(Struct, frozen=True, forbid_unknown_fields=True):
    address: str
    members: tuple[str, ...]


class AddressCommands:
    def __init__(self, directory: Directory, accounts: CustomerAccounts, addresses: Addresses) -> None:
        self._directory = directory
        self._accounts = accounts
        self._addresses = addresses

    def table(self) -> Commands:
        table = {
            "alias add": Command(AddAlias, self.add_alias),
            "list add": Command(Members, self.add_list),
            "list set": Command(Members, self.set_list),
            "banish": Command(Named, self.banish),
        }
        for word, wanted in WORDS.items():
            table[f"{word} list"] = Command(OfCustomer, self._list_of(wanted))
        for word in ("alias", "list"):
            table[f"{word} show"] = Command(Named, self._show_of(WORDS[word]))
        for word in ("alias", "list", "banished"):
            table[f"{word} remove"] = Command(Named, self._remove_of(WORDS[word]))
        return table

    async def add_alias(self, asked: AddAlias, asker: Asker) -> object:
        alias = await self._addresses.add_alias(asker.author, parse(asked.address), parse(asked.mailbox))
        return await self._fields(alias)

    async def add_list(self, asked: Members, asker: Asker) -> object:
        members = [parse(member) for member in asked.members]
        return await self._fields(await self._addresses.add_list(asker.author, parse(asked.address), members))

    async def set_list(self, asked: Members, asker: Asker) -> object:
        members = [parse(member) for member in asked.members]
        return await self._fields(await self._addresses.set_list(asker.author, parse(asked.address), members))

    async def banish(self, asked: Named, asker: Asker) -> object:
        return await self._fields(await self._addresses.banish(asker.author, parse(asked.address)))

    # -- what is the same for all kinds ----------------------------------------------------------------------

    def _list_of(self, wanted: type[Entry]) -> Any:
        async def listing(asked: OfCustomer, asker: Asker) -> object:
            customer = await self._accounts.find(asked.customer)
            entries = await self._directory.entries(customer.id)
            return [await self._fields(entry) for entry in entries if isinstance(entry, wanted)]

        return listing

    def _show_of(self, wanted: type[Entry]) -> Any:
        async def show(asked: Named, asker: Asker) -> object:
            return await self._fields(await self._entry(asked.address, wanted))

        return show

    def _remove_of(self, wanted: type[Entry]) -> Any:
        async def remove(asked: Named, asker: Asker) -> object:
            entry = await self._entry(asked.address, wanted)
            return await self._fields(await self._addresses.remove(asker.author, entry.address))

        return remove

    async def _entry(self, address: str, wanted: type[Entry]) -> Entry:
        """Raises Invalid when it is of another kind: `alias remove` never removes a mailbox."""
        entry = await entry_at(self._directory, parse(address))
        if not isinstance(entry, wanted):
            raise Invalid(f"{entry.address} is {kind(entry)}")
        return entry

    async def _fields(self, entry: Entry) -> dict[str, Any]:
        address = str(entry.address)
        if isinstance(entry, Alias):
            return {"address": address, "mailbox": await self._name(entry.mailbox)}
        if isinstance(entry, DistributionList):
            return {"address": address, "members": [await self._name(member) for member in entry.members]}
        if isinstance(entry, Banished):
            return {"address": address}
        return mailbox_fields(entry)

    async def _name(self, id: str) -> str:
        """The address of a mailbox; it may be removed this very moment."""
        mailbox = await self._directory.mailbox(id)
        return str(mailbox.address) if mailbox else f"({id})"


WORDS: dict[str, type[Entry]] = {
    "mailbox": Mailbox,
    "alias": Alias,
    "list": DistributionList,
    "banished": Banished,
}
