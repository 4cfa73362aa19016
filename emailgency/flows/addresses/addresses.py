"""Addresses of a customer come, change and go (rows A1-A5, B6, B8, B13). Any of his domains may be used to name one."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from emailgency.codec.address import as_addressed, parse
from emailgency.flows.accounts.customer_accounts import OperatorLimits, new_id
from emailgency.flows.addresses.deciding import check_delay, check_plan, entry_at, entry_edits, kind, mailbox_at, owner
from emailgency.model.address import Address
from emailgency.model.directory import Alias, Banished, Customer, DistributionList, Entry, Mailbox
from emailgency.model.errors import Invalid
from emailgency.rules.rights import domains_of
from emailgency.rules.routing import POSTMASTER
from emailgency.store.directory.changes import Author, Edit
from emailgency.store.directory.directory import Directory

CHANGEABLE = frozenset({"administrator", "vip", "smtp_denied", "forwards", "keep_copy", "expiration_delay"})


class Addresses:
    """All methods raise Invalid (in words for who asked) and Temporary; what they return is on stable storage."""

    def __init__(self, directory: Directory, limits: OperatorLimits) -> None:
        self._directory = directory
        self._limits = limits

    # -- mailboxes -----------------------------------------------------------------------------------------

    async def add_mailbox(
        self,
        author: Author,
        address: Address,
        *,
        password: str | None = None,
        administrator: bool = False,
        vip: bool = False,
        forwards: Sequence[str] = (),
        keep_copy: bool = True,
    ) -> Mailbox:
        """`password` is a hash made by `store.credentials`; flows.accounts.passwords sets one later."""
        async with self._directory.deciding:
            customer, address = await owner(self._directory, address)
            mailbox = Mailbox(
                id=new_id(),
                customer=customer.id,
                address=address,
                password=password,
                administrator=administrator,
                vip=vip,
                forwards=self.checked_forwards(forwards, customer, address),
                keep_copy=keep_copy,
            )
            await self._put(author, "added", customer, mailbox)
        return mailbox

    async def set_mailbox(self, author: Author, address: Address, **changes: Any) -> Mailbox:
        """Change fields named in CHANGEABLE, keep the others."""
        unknown = changes.keys() - CHANGEABLE
        if unknown:
            raise Invalid("%(unknown)s of a mailbox cannot be changed here", unknown=", ".join(sorted(unknown)))
        async with self._directory.deciding:
            before = await mailbox_at(self._directory, address)
            customer = await self._directory.customer(before.customer)
            if "forwards" in changes:
                changes["forwards"] = self.checked_forwards(changes["forwards"], customer, before.address)
            if "expiration_delay" in changes:
                check_delay(await self._directory.plan(customer.plan), changes["expiration_delay"])
                changes["shortened_to"] = None  # should there be no room for that, it is shortened again
            after = msgspec.structs.replace(before, **changes)
            if after.address.local == POSTMASTER and not after.administrator:
                raise Invalid("postmaster keeps the administrator right")
            if after.administrator != before.administrator:
                after = msgspec.structs.replace(after, generation=before.generation + 1)
            await self._replace(author, customer, before, after)
        return after

    async def shorten(self, author: Author, mailbox: Mailbox, days: int | None) -> None:
        """Mail is kept for so many days only, for want of room; None: for as long as its user wants again (row B5)."""
        after = msgspec.structs.replace(mailbox, shortened_to=days)
        words = f"expiration delay of {mailbox.address} " + (
            "is what its user wants again" if days is None else f"shortened to {days} days for want of room"
        )
        await self._directory.change(author, words, entry_edits(mailbox, after), mailbox.customer)

    # -- other entries -------------------------------------------------------------------------------------

    async def add_alias(self, author: Author, address: Address, mailbox: Address) -> Alias:
        async with self._directory.deciding:
            customer, address = await owner(self._directory, address)
            alias = await self._alias(customer, address, mailbox)
            await self._put(author, "added", customer, alias)
        return alias

    async def set_alias(self, author: Author, address: Address, mailbox: Address) -> Alias:
        """Another name of this mailbox from now on; no change when it is already."""
        async with self._directory.deciding:
            before = await entry_at(self._directory, address)
            if not isinstance(before, Alias):
                raise Invalid("%(address)s is no alias but %(kind)s", address=before.address, kind=kind(before))
            customer = await self._directory.customer(before.customer)
            after = await self._alias(customer, before.address, mailbox)
            if after != before:
                await self._replace(author, customer, before, after)
        return after

    async def add_list(self, author: Author, address: Address, members: Sequence[Address]) -> DistributionList:
        async with self._directory.deciding:
            customer, address = await owner(self._directory, address)
            entry = DistributionList(
                customer=customer.id, address=address, members=await self._members(customer, members)
            )
            await self._put(author, "added", customer, entry)
        return entry

    async def set_list(self, author: Author, address: Address, members: Sequence[Address]) -> DistributionList:
        """These members from now on."""
        async with self._directory.deciding:
            before = await entry_at(self._directory, address)
            if not isinstance(before, DistributionList):
                raise Invalid(
                    "%(address)s is no distribution list but %(kind)s", address=before.address, kind=kind(before)
                )
            customer = await self._directory.customer(before.customer)
            after = msgspec.structs.replace(before, members=await self._members(customer, members))
            await self._replace(author, customer, before, after)
        return after

    async def banish(self, author: Author, address: Address) -> Banished:
        """An unknown address, or an alias or list in its place. A mailbox, which holds mail, is removed first."""
        async with self._directory.deciding:
            customer, address = await owner(self._directory, address)
            if address.local == POSTMASTER:
                raise Invalid("postmaster cannot be banished")
            before = await self._directory.entry(customer.id, address.local)
            if isinstance(before, Mailbox):
                raise Invalid("%(address)s is a mailbox; remove it before it can be banished", address=address)
            after = Banished(customer=customer.id, address=address)
            if before != after:
                await self._directory.change(author, f"{address} banished", entry_edits(before, after), customer.id)
        return after

    async def remove(self, author: Author, address: Address) -> Entry:
        """Forget an entry. With a mailbox go its aliases and its places in lists; its files are the caller's."""
        async with self._directory.deciding:
            entry = await entry_at(self._directory, address)
            if entry.address.local == POSTMASTER:
                raise Invalid("postmaster cannot be removed")
            edits = entry_edits(entry, None)
            if isinstance(entry, Mailbox):
                edits += _without(entry, await self._directory.entries(entry.customer))
            await self._directory.change(author, f"{entry.address} removed", edits, entry.customer)
        return entry

    # -- checks --------------------------------------------------------------------------------------------

    def checked_forwards(self, given: Sequence[str], customer: Customer, address: Address) -> tuple[str, ...]:
        """In wire form, each once; none may be the mailbox itself."""
        if len(given) > self._limits.forwards:
            raise Invalid("a mailbox forwards to at most %(count)s addresses", count=self._limits.forwards)
        forwards: dict[Address, str] = {}
        for text in given:
            forward = parse(text)
            if forward.local == address.local and forward.domain in domains_of(customer):
                raise Invalid("%(text)s is the mailbox itself", text=text)
            forwards.setdefault(forward, as_addressed(text))
        return tuple(forwards.values())

    async def _alias(self, customer: Customer, address: Address, mailbox: Address) -> Alias:
        (target,) = await self._members(customer, (mailbox,))
        others = (entry for entry in await self._directory.entries(customer.id) if entry.address != address)
        if sum(isinstance(entry, Alias) and entry.mailbox == target for entry in others) >= self._limits.aliases:
            raise Invalid("a mailbox has at most %(count)s aliases", count=self._limits.aliases)
        return Alias(customer=customer.id, address=address, mailbox=target)

    async def _members(self, customer: Customer, addresses: Iterable[Address]) -> tuple[str, ...]:
        """Ids of mailboxes of this customer, each once."""
        ids: dict[str, None] = {}
        for address in addresses:
            mailbox = await mailbox_at(self._directory, address)
            if mailbox.customer != customer.id:
                raise Invalid("%(address)s is no mailbox of %(domain)s", address=address, domain=customer.domain)
            ids[mailbox.id] = None
        if not 1 <= len(ids) <= self._limits.list_members:
            raise Invalid("a list has from 1 to %(count)s members", count=self._limits.list_members)
        return tuple(ids)

    # -- changes -------------------------------------------------------------------------------------------

    async def _put(self, author: Author, what: str, customer: Customer, entry: Entry) -> None:
        """A new entry; the address must be free."""
        found = await self._directory.entry(customer.id, entry.address.local)
        if found is not None:
            raise Invalid("%(address)s is %(kind)s already", address=entry.address, kind=kind(found))
        plan = await self._directory.plan(customer.plan)
        check_plan(plan, [*await self._directory.entries(customer.id), entry])
        words = f"{kind(entry)} {entry.address} {what}"
        await self._directory.change(author, words, entry_edits(None, entry), customer.id)

    async def _replace(self, author: Author, customer: Customer, before: Entry, after: Entry) -> None:
        if isinstance(before, Mailbox) and isinstance(after, Mailbox) and after.vip and not before.vip:
            entries = await self._directory.entries(customer.id)
            plan = await self._directory.plan(customer.plan)
            check_plan(plan, [after, *(entry for entry in entries if entry != before)])
        words = f"{kind(after)} {after.address} changed"
        await self._directory.change(author, words, entry_edits(before, after), customer.id)


def _without(mailbox: Mailbox, entries: Iterable[Entry]) -> list[Edit]:
    """Edits that take a mailbox out of its customer's aliases and lists."""
    edits: list[Edit] = []
    for entry in entries:
        if isinstance(entry, Alias) and entry.mailbox == mailbox.id:
            edits += entry_edits(entry, None)
        elif isinstance(entry, DistributionList) and mailbox.id in entry.members:
            members = tuple(id for id in entry.members if id != mailbox.id)
            edits += entry_edits(entry, msgspec.structs.replace(entry, members=members))
    return edits
