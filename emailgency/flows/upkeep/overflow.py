"""Mailboxes that hold more than their quota (product row B12, attack row 29).

Mail from outside is taken all the same, until all mailboxes of a customer together have used up his reserve: then RCPT
gets 452 4.2.2. What is asked at RCPT is in memory: sizes as counted last, and what has been delivered since.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from emailgency.flows.receiving.unknown_recipients import HELD
from emailgency.model.envelope import Deliver, Target
from emailgency.model.verdict import Verdict
from emailgency.rules.expiry import FULL
from emailgency.store.mailboxes.counts import octets_of

if TYPE_CHECKING:
    from emailgency.flows.receiving.unknown_recipients import Release, Settle
    from emailgency.store.directory.changes import Change
    from emailgency.store.directory.directory import Directory
    from emailgency.store.storing.replies import Delivered

NO_ROOM = Verdict(452, "4.2.2", "this mailbox is full, and so is the space kept in reserve; try again later")
_KEPT = 100_000  # mailboxes, 20 MB
_NEVER_COUNTED = 1 << 62  # octets of a quota that nothing reaches


class _Entry(Struct):
    """Of an entry what is asked here."""

    id: str = ""


class Size(Struct):
    """Octets in one mailbox. `granted`: to open transactions. `coming`: accepted, and not delivered yet. `added`: by
    what was delivered, ever.
    """

    customer: str
    quota: int = _NEVER_COUNTED
    octets: int = 0
    added: int = 0
    granted: int = 0
    coming: int = 0

    @property
    def taken(self) -> int:
        return self.octets + self.granted + self.coming

    @property
    def beyond(self) -> int:
        return max(0, self.taken - self.quota)


class Overflow:
    """One for all doors. `due` are mailboxes that somebody should count, or make room in."""

    def __init__(self, directory: "Directory", root: str) -> None:
        """`root` is the data folder."""
        self.due: set[str] = set()
        self._directory = directory
        self._root = root
        self._sizes: dict[str, Size] = {}  # by id of the mailbox
        self._beyond: dict[str, int] = {}  # customer -> octets by which his mailboxes pass their quotas

    def added(self, mailbox: str) -> int:
        """Octets that have been delivered so far, to be asked before counting begins."""
        size = self._sizes.get(mailbox)
        return size.added if size is not None else 0

    def counted(self, customer: str, mailbox: str, octets: int, quota: int, added_before: int = 0) -> None:
        """What is there. What has been delivered since `added_before` may have been counted or not."""
        size = self._sizes.pop(mailbox, None) or Size(customer)
        self._sizes[mailbox] = size
        since = size.added - added_before
        before, size.octets, size.quota, size.coming = size.beyond, octets + since, quota, 0
        self._note(size, before)
        if not since:
            self.due.discard(mailbox)
        while len(self._sizes) > _KEPT:
            self.forget(next(iter(self._sizes)))

    def forget(self, mailbox: str) -> None:
        """It has gone."""
        self.due.discard(mailbox)
        size = self._sizes.pop(mailbox, None)
        if size is not None:
            before, size.quota = size.beyond, _NEVER_COUNTED
            self._note(size, before)

    def delivered(self, event: "Delivered") -> None:
        """Called for each message that lies in a mailbox now."""
        for placed in event.placed:
            parts = placed.folder.split("/")
            if len(parts) != 4 or parts[2] != "mailboxes":  # as layout.is_mailbox; once a message, so quickly
                continue
            mailbox = parts[3]
            size = self._sizes.get(mailbox)
            if size is None:
                size = self._sizes[mailbox] = Size(parts[1])
            octets = octets_of(f"{self._root}/{placed.folder}/{placed.subfolder}", placed.name)
            size.added += octets
            self._change(size, octets, 0, -min(octets, size.coming))
            if size.quota == _NEVER_COUNTED or size.octets > size.quota * FULL or size.beyond:
                self.due.add(mailbox)

    def changed(self, change: "Change") -> None:
        """The directory is another one now: quotas may be, too."""
        for edit in change.edits:
            if edit.table == "plan":
                self.due.update(self._sizes)
            elif edit.table == "customer":
                self.due.update(id for id, size in self._sizes.items() if size.customer == edit.key)
            elif edit.table == "entry" and b'"mailbox"' in bytes(edit.after):
                entry = msgspec.json.decode(edit.after, type=_Entry)
                if entry.id in self._sizes:
                    self.due.add(entry.id)

    async def claim(self, targets: Iterable[Target], ip: str | None, octets: int) -> "Settle | Verdict | None":
        """Room for a recipient with these targets; arguments and answer as of `UnknownRecipients.claim`."""
        sizes, held = self._sizes_of(targets), min(octets, HELD)
        if not sizes:
            return None
        if not await self._take(sizes, octets, held):
            return NO_ROOM

        def settle(stored: int | None) -> None:
            for size in sizes:
                self._change(size, 0, -held, stored or 0)

        return settle

    async def more(self, targets: Iterable[Target], octets: int) -> "Release | Verdict | None":
        """The rest of a message that has come; arguments and answer as of `UnknownRecipients.more`."""
        sizes = self._sizes_of(targets)
        if not sizes:
            return None
        if not await self._take(sizes, octets, octets):
            return NO_ROOM

        def release() -> None:
            for size in sizes:
                self._change(size, 0, -octets, 0)

        return release

    def _sizes_of(self, targets: Iterable[Target]) -> list[Size]:
        found = (self._sizes.get(target.mailbox) for target in targets if isinstance(target, Deliver))
        return [size for size in found if size is not None]

    async def _take(self, sizes: list[Size], octets: int, held: int) -> bool:
        """Whether there is room for so many octets in each; then `held` of them are granted."""
        tight = {size.customer for size in sizes if size.taken + octets > size.quota}
        reserves = {customer: await self._reserve(customer) for customer in tight}
        for customer, reserve in reserves.items():
            his = [size for size in sizes if size.customer == customer]
            more = sum(max(0, size.taken + octets - size.quota) - size.beyond for size in his)
            if self._beyond.get(customer, 0) + more > reserve:
                return False
        for size in sizes:
            self._change(size, 0, held, 0)
        return True

    async def _reserve(self, customer: str) -> int:
        return (await self._directory.plan((await self._directory.customer(customer)).plan)).reserve

    def _change(self, size: Size, octets: int, granted: int, coming: int) -> None:
        before = size.taken
        size.octets += octets
        size.granted += granted
        size.coming += coming
        if before > size.quota or before + octets + granted + coming > size.quota:
            self._note(size, max(0, before - size.quota))

    def _note(self, size: Size, before: int) -> None:
        """It was `before` octets beyond its quota until now."""
        beyond = self._beyond.get(size.customer, 0) + size.beyond - before
        if beyond:
            self._beyond[size.customer] = beyond
        else:
            self._beyond.pop(size.customer, None)
