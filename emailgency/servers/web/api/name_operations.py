"""Aliases, distribution lists and banished addresses (rows A2, A3, A5)."""

from typing import Any

from msgspec import Struct

from emailgency.flows.addresses.addresses import Addresses
from emailgency.model.directory import Alias, Banished, DistributionList, Entry, Mailbox
from emailgency.servers.web.api.operation import Call, Caller, Created, Missing, Operation, Paging, Who, cut
from emailgency.store.directory.directory import Directory


class AliasShape(Struct, frozen=True, kw_only=True):
    address: str
    mailbox: str


class AliasPage(Struct, frozen=True, kw_only=True):
    items: list[AliasShape]
    next: str | None


class AliasTarget(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    mailbox: str


class ListShape(Struct, frozen=True, kw_only=True):
    address: str
    members: list[str]


class ListPage(Struct, frozen=True, kw_only=True):
    items: list[ListShape]
    next: str | None


class ListMembers(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    members: list[str]


class BanishedShape(Struct, frozen=True, kw_only=True):
    address: str


class BanishedPage(Struct, frozen=True, kw_only=True):
    items: list[BanishedShape]
    next: str | None


class NameOperations:
    def __init__(self, directory: Directory, addresses: Addresses) -> None:
        self._directory = directory
        self._addresses = addresses

    def operations(self) -> list[Operation]:
        found = []
        for path, tag, page, one, body, deeds in (
            ("/aliases", "Aliases", AliasPage, AliasShape, AliasTarget, self._alias_deeds()),
            ("/lists", "Distribution lists", ListPage, ListShape, ListMembers, self._list_deeds()),
            ("/banished", "Banished addresses", BanishedPage, BanishedShape, None, self._banished_deeds()),
        ):
            (listing, all_), (put, putting), (remove, removing) = deeds
            same: dict[str, Any] = {"who": Who.ADMINISTRATOR, "tag": tag}
            here = f"{path}/<address>"
            found += [
                Operation(method="GET", path=path, deed=listing, summary=all_, answer=page, query=Paging, **same),
                Operation(
                    method="PUT", path=here, deed=put, summary=putting, answer=one, body=body, makes=True, **same
                ),
                Operation(method="DELETE", path=here, deed=remove, summary=removing, **same),
            ]
        return found

    def _alias_deeds(self) -> Any:
        return (
            (self.list_aliases, "All aliases"),
            (self.put_alias, "Another name of a mailbox: made, or turned to another one"),
            (self.remove_alias, "Forget an alias"),
        )

    def _list_deeds(self) -> Any:
        return (
            (self.list_lists, "All distribution lists"),
            (self.put_list, "A list with these members: made, or changed"),
            (self.remove_list, "Forget a distribution list"),
        )

    def _banished_deeds(self) -> Any:
        return (
            (self.list_banished, "All banished addresses"),
            (self.banish_address, "Mail for it is dropped from now on"),
            (self.remove_banished, "It is unknown again"),
        )

    # -- alias ---------------------------------------------------------------------------------------------

    async def list_aliases(self, caller: Caller, call: Call) -> AliasPage:
        entries = await self._directory.entries(caller.customer)
        names = _names(entries)
        aliases = [entry for entry in entries if isinstance(entry, Alias)]
        rows, more = cut(aliases, lambda one: str(one.address), call.query)
        return AliasPage(items=[_alias(one, names) for one in rows], next=more)

    async def put_alias(self, caller: Caller, call: Call) -> AliasShape | Created:
        address, mailbox = caller.own(call.path["address"]), caller.own(call.body.mailbox)
        before = await self._directory.entry(caller.customer, address.local)
        save = self._addresses.set_alias if isinstance(before, Alias) else self._addresses.add_alias
        alias = await save(caller.author, address, mailbox)
        shown = _alias(alias, {alias.mailbox: str(mailbox)})
        return shown if isinstance(before, Alias) else Created(shown, f"/aliases/{alias.address}")

    async def remove_alias(self, caller: Caller, call: Call) -> None:
        await self._remove(caller, call, Alias)

    # -- distribution list -----------------------------------------------------------------------------------

    async def list_lists(self, caller: Caller, call: Call) -> ListPage:
        entries = await self._directory.entries(caller.customer)
        names = _names(entries)
        lists = [entry for entry in entries if isinstance(entry, DistributionList)]
        rows, more = cut(lists, lambda one: str(one.address), call.query)
        return ListPage(items=[_list(one, names) for one in rows], next=more)

    async def put_list(self, caller: Caller, call: Call) -> ListShape | Created:
        address = caller.own(call.path["address"])
        members = [caller.own(text) for text in call.body.members]
        before = await self._directory.entry(caller.customer, address.local)
        save = self._addresses.set_list if isinstance(before, DistributionList) else self._addresses.add_list
        entry = await save(caller.author, address, members)
        shown = _list(entry, _names(await self._directory.entries(caller.customer)))
        return shown if isinstance(before, DistributionList) else Created(shown, f"/lists/{entry.address}")

    async def remove_list(self, caller: Caller, call: Call) -> None:
        await self._remove(caller, call, DistributionList)

    # -- banished --------------------------------------------------------------------------------------------

    async def list_banished(self, caller: Caller, call: Call) -> BanishedPage:
        entries = await self._directory.entries(caller.customer)
        banished = [entry for entry in entries if isinstance(entry, Banished)]
        rows, more = cut(banished, lambda one: str(one.address), call.query)
        return BanishedPage(items=[BanishedShape(address=str(one.address)) for one in rows], next=more)

    async def banish_address(self, caller: Caller, call: Call) -> BanishedShape | Created:
        address = caller.own(call.path["address"])
        before = await self._directory.entry(caller.customer, address.local)
        entry = await self._addresses.banish(caller.author, address)
        shown = BanishedShape(address=str(entry.address))
        return shown if isinstance(before, Banished) else Created(shown, f"/banished/{entry.address}")

    async def remove_banished(self, caller: Caller, call: Call) -> None:
        await self._remove(caller, call, Banished)

    # -- all -------------------------------------------------------------------------------------------------

    async def _remove(self, caller: Caller, call: Call, kind: type[Entry]) -> None:
        address = caller.own(call.path["address"])
        if not isinstance(await self._directory.entry(caller.customer, address.local), kind):
            raise Missing
        await self._addresses.remove(caller.author, address)


def _names(entries: list[Entry]) -> dict[str, str]:
    return {entry.id: str(entry.address) for entry in entries if isinstance(entry, Mailbox)}


def _alias(alias: Alias, names: dict[str, str]) -> AliasShape:
    return AliasShape(address=str(alias.address), mailbox=names.get(alias.mailbox, ""))


def _list(entry: DistributionList, names: dict[str, str]) -> ListShape:
    return ListShape(address=str(entry.address), members=sorted(names.get(one, "") for one in entry.members))
