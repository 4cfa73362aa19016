"""`mailbox|alias|list|banished …`, `banish` and `password`."""

from typing import Any

from msgspec import UNSET, Struct, UnsetType

from emailgency.codec.address import parse
from emailgency.flows.addresses import Addresses
from emailgency.flows.customer_accounts import CustomerAccounts
from emailgency.flows.deciding import entry_at, kind, mailbox_at
from emailgency.flows.forget_mail import ForgetMail
from emailgency.flows.mailbox_status import MailboxStatus
from emailgency.flows.passwords import Passwords
from emailgency.model.directory import Alias, Banished, DistributionList, Entry, Mailbox
from emailgency.model.errors import Invalid
from emailgency.servers.control.command import Asker, Command, Commands
from emailgency.store.directory import Directory


class Named(Struct, frozen=True, forbid_unknown_fields=True):
    address: str


class OfCustomer(Struct, frozen=True, forbid_unknown_fields=True):
    customer: str


class AddMailbox(Struct, frozen=True, forbid_unknown_fields=True):
    address: str
    administrator: bool = False
    vip: bool = False
    forward: tuple[str, ...] = ()
    keep_copy: bool = True


class SetMailbox(Struct, frozen=True, forbid_unknown_fields=True):
    """What is left out stays."""

    address: str
    administrator: bool | UnsetType = UNSET
    vip: bool | UnsetType = UNSET
    smtp_denied: bool | UnsetType = UNSET
    forward: tuple[str, ...] | UnsetType = UNSET
    keep_copy: bool | UnsetType = UNSET


class AddAlias(Struct, frozen=True, forbid_unknown_fields=True):
    address: str
    mailbox: str


class Members(Struct, frozen=True, forbid_unknown_fields=True):
    address: str
    members: tuple[str, ...]


class SetPassword(Struct, frozen=True, forbid_unknown_fields=True):
    address: str
    password: str


class AddressCommands:
    def __init__(
        self,
        directory: Directory,
        accounts: CustomerAccounts,
        addresses: Addresses,
        passwords: Passwords,
        status: MailboxStatus,
        forget_mail: ForgetMail,
    ) -> None:
        self._directory = directory
        self._accounts = accounts
        self._addresses = addresses
        self._passwords = passwords
        self._status = status
        self._forget_mail = forget_mail

    def table(self) -> Commands:
        table = {
            "mailbox add": Command(AddMailbox, self.add_mailbox),
            "mailbox set": Command(SetMailbox, self.set_mailbox),
            "mailbox show": Command(Named, self.show_mailbox),
            "mailbox remove": Command(Named, self.remove_mailbox),
            "alias add": Command(AddAlias, self.add_alias),
            "list add": Command(Members, self.add_list),
            "list set": Command(Members, self.set_list),
            "banish": Command(Named, self.banish),
            "password": Command(SetPassword, self.set_password),
        }
        for word, wanted in WORDS.items():
            table[f"{word} list"] = Command(OfCustomer, self._list_of(wanted))
            table.setdefault(f"{word} show", Command(Named, self._show_of(wanted)))
            table.setdefault(f"{word} remove", Command(Named, self._remove_of(wanted)))
        del table["banished show"]
        return table

    # -- mailboxes -----------------------------------------------------------------------------------------

    async def add_mailbox(self, asked: AddMailbox, asker: Asker) -> object:
        mailbox = await self._addresses.add_mailbox(
            asker.author,
            parse(asked.address),
            administrator=asked.administrator,
            vip=asked.vip,
            forwards=asked.forward,
            keep_copy=asked.keep_copy,
        )
        return await self._fields(mailbox)

    async def set_mailbox(self, asked: SetMailbox, asker: Asker) -> object:
        given = {
            "administrator": asked.administrator,
            "vip": asked.vip,
            "smtp_denied": asked.smtp_denied,
            "keep_copy": asked.keep_copy,
            "forwards": asked.forward if asked.forward is UNSET else tuple(filter(None, asked.forward)),
        }
        changes: dict[str, Any] = {name: value for name, value in given.items() if value is not UNSET}
        return await self._fields(await self._addresses.set_mailbox(asker.author, parse(asked.address), **changes))

    async def show_mailbox(self, asked: Named, asker: Asker) -> object:
        mailbox = await mailbox_at(self._directory, parse(asked.address))
        aliases, lists = await self._status.names(mailbox)
        more = {"id": mailbox.id, "aliases": aliases, "lists": lists, "folders": await self._status.folders(mailbox)}
        return await self._fields(mailbox) | more

    async def remove_mailbox(self, asked: Named, asker: Asker) -> object:
        mailbox = await mailbox_at(self._directory, parse(asked.address))
        await self._addresses.remove(asker.author, mailbox.address)
        return {"address": str(mailbox.address)} | await self._forget_mail.of_mailbox(mailbox, asker.progress)

    async def set_password(self, asked: SetPassword, asker: Asker) -> object:
        mailbox = await self._passwords.set(asker.author, parse(asked.address), asked.password)
        return {"address": str(mailbox.address)}

    # -- others --------------------------------------------------------------------------------------------

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
        return {
            "address": address,
            "password": entry.password is not None,
            "administrator": entry.administrator,
            "vip": entry.vip,
            "smtp_denied": entry.smtp_denied,
            "forward": list(entry.forwards),
            "keep_copy": entry.keep_copy,
        }

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
