"""The directory: customers, domains, entries and plans, as every flow and server asks for them.

The change journal is the truth, Redis the working copy, and a cache in this process the fast path. All reads raise
`Temporary` when the cache does not know and Redis is away or not up to date; "not there" is only ever said by a
working copy that has reached the end of the journal.

Changes are made one after another. Each edit names the row it found before; if that has changed meanwhile, the whole
change is refused (`Conflict`). A flow whose rule needs more than the rows it edits (a count, a free label) holds
`deciding` while it reads and changes.
"""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeVar

from msgspec import Meta, Struct
from twisted.internet.defer import Deferred, DeferredLock
from twisted.logger import Logger

from emailgency.background import background, to_its_end
from emailgency.model.directory import PREMIUM, STANDARD, Customer, Domain, Entry, Mailbox, Operator, Plan
from emailgency.store.directory.cache import UNKNOWN, Unknown
from emailgency.store.directory.changes import Author, Change, Edit, edit, entry_key
from emailgency.store.directory.journal import Journal
from emailgency.store.directory.journal_thread import JournalThread
from emailgency.store.directory.rows import Conflict, Rows
from emailgency.store.redis.redis import Redis

__all__ = ["Conflict", "Directory", "DirectorySettings", "Gone"]

R = TypeVar("R")


class DirectorySettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much of the directory a process remembers, and when its journal is summed up."""

    remembered: Annotated[
        int, Meta(ge=100, description="Domains, customers and addresses remembered in memory (about 1 KB each).")
    ] = 50_000
    remembered_absent: Annotated[
        int, Meta(ge=100, description="Unknown addresses remembered in memory (about 200 octets each).")
    ] = 20_000
    snapshot_octets: Annotated[
        int, Meta(ge=1 << 16, description="Octets of change journal after which a snapshot is written; else daily.")
    ] = 8 << 20


class Gone(LookupError):
    """There is no customer or plan of this name any more."""


class Directory:
    """`deciding` is the lock of flows that read before they change; `change` itself never takes it."""

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        journal: Journal,
        redis: Redis,
        clock: Callable[[], float],
        settings: DirectorySettings,
    ) -> None:
        self.deciding = DeferredLock()
        self.listeners: list[Callable[[Change], None]] = []  # called after each change
        self._redis = redis
        self._clock = clock
        self._journal = JournalThread(reactor, journal, clock, settings.snapshot_octets)
        self._rows = Rows(reactor, self._journal, redis, settings.remembered, settings.remembered_absent)

    async def start(self) -> None:
        """Read the journal; then the working copy is checked at each new connection. Broken, Corrupt: do not serve."""
        await self._journal.open()
        if self._journal.mark.position == 0:
            await self._journal.append(self._shipped_plans())
        self._redis.on_connect.append(self._rows.restore)
        if self._redis.connected:
            await self._rows.restore()

    def when_ready(self) -> Deferred[None]:
        """Fires when the working copy has reached the journal."""
        return self._rows.when_ready()

    def forget(self) -> None:
        """Empty the cache."""
        self._rows.forget()

    async def stop(self) -> None:
        self._rows.stop()
        async with self._rows.changing:
            await self._journal.close()

    # -- reading -------------------------------------------------------------------------------------------

    async def domain(self, name: str) -> Domain | None:
        kept: Domain | Unknown | None = self._rows.cached("domain", name)
        return await self._rows.fetch("domain", name) if kept is UNKNOWN else kept

    async def customer(self, id: str) -> Customer:
        """Raises Gone."""
        kept: Customer | Unknown | None = self._rows.cached("customer", id)
        found: Customer | None = await self._rows.fetch("customer", id) if kept is UNKNOWN else kept
        return _there(found, f"customer {id}")

    async def plan(self, name: str) -> Plan:
        """Raises Gone."""
        kept: Plan | Unknown | None = self._rows.cached("plan", name)
        found: Plan | None = await self._rows.fetch("plan", name) if kept is UNKNOWN else kept
        return _there(found, f"plan {name}")

    async def entry(self, customer: str, local: str) -> Entry | None:
        """`local` is canonical, in the customer's main domain."""
        key = entry_key(customer, local)
        kept: Entry | Unknown | None = self._rows.cached("entry", key)
        return await self._rows.fetch("entry", key) if kept is UNKNOWN else kept

    async def mailbox(self, id: str) -> Mailbox | None:
        kept: str | Unknown | None = self._rows.cached("mailbox", id)
        key: str | None = await self._rows.fetch("mailbox", id) if kept is UNKNOWN else kept
        if key is None:
            return None
        customer, _, local = key.partition("/")
        found = await self.entry(customer, local)
        return found if isinstance(found, Mailbox) and found.id == id else None

    async def operator(self, id: str) -> Operator | None:
        kept: Operator | Unknown | None = self._rows.cached("operator", id)
        return await self._rows.fetch("operator", id) if kept is UNKNOWN else kept

    async def operators(self) -> list[Operator]:
        return sorted(await self._rows.all("operator"), key=lambda operator: str(operator.id))

    async def customers(self) -> list[Customer]:
        return sorted(await self._rows.all("customer"), key=lambda customer: str(customer.domain))

    async def plans(self) -> list[Plan]:
        return sorted(await self._rows.all("plan"), key=lambda plan: str(plan.name))

    async def entries(self, customer: str) -> list[Entry]:
        """By local part: all are in his main domain."""
        return sorted(await self._rows.all("entry", customer), key=lambda entry: str(entry.address.local))

    # -- changing ------------------------------------------------------------------------------------------

    async def change(self, author: Author, what: str, edits: Sequence[Edit], customer: str | None = None) -> None:
        """All edits or none; returns when they are on stable storage. Raises Conflict, Temporary.

        Whoever asked may go away (a browser that loads its page anew): the journal is never written by two at once.
        """
        await to_its_end("a change of the directory", self._changed(author, what, edits, customer))

    async def _changed(self, author: Author, what: str, edits: Sequence[Edit], customer: str | None) -> None:
        async with self._rows.changing:
            await self._rows.expect(edits)
            before = self._journal.mark
            change = Change(
                position=before.position + 1,
                at=self._clock(),
                who=author.who,
                source=author.source,
                what=what,
                customer=customer,
                edits=tuple(edits),
            )
            await self._journal.append(change)
            await self._rows.apply(before, change)
        self._tell(change)
        if self._journal.snapshot_due:
            background("writing a snapshot of the directory", self._snapshot())

    def _tell(self, change: Change) -> None:
        self.log.info(
            "change {position}: {what} by {who} from {source}",
            position=change.position,
            what=change.what,
            who=repr(change.who),
            source=change.source,
        )
        for listener in self.listeners:
            try:
                listener(change)
            except Exception:  # the change has happened, whatever they make of it
                self.log.failure("a listener failed at change {position}", position=change.position)

    async def _snapshot(self) -> None:
        async with self._rows.changing:
            if self._journal.snapshot_due:
                await self._journal.snapshot()

    def _shipped_plans(self) -> Change:
        edits = tuple(edit("plan", plan.name, None, plan) for plan in (STANDARD, PREMIUM))
        return Change(1, self._clock(), "emailgency", "first start", "plans standard and premium", None, edits)


def _there(row: R | None, what: str) -> R:
    if row is None:
        raise Gone(what)
    return row
