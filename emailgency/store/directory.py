"""The directory: customers, domains, entries and plans, as every flow and server asks for them.

The change journal is the truth, Redis the working copy, and a cache in this process the fast path. All reads raise
`Temporary` when the cache does not know and Redis is away or not up to date; "not there" is only ever said by a
working copy that has reached the end of the journal.

Changes are made one after another. Each edit names the row it found before; if that has changed meanwhile, the whole
change is refused (`Conflict`). A flow whose rule needs more than the rows it edits (a count, a free label) holds
`deciding` while it reads and changes.
"""

import time
from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta, Struct
from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger

from emailgency.background import background
from emailgency.model.directory import PREMIUM, STANDARD, Customer, Domain, Entry, Mailbox, Plan
from emailgency.model.errors import Invalid, Temporary
from emailgency.store.cache import UNKNOWN, Cache, Unknown
from emailgency.store.changes import Author, Change, Edit, edit, entry_key, row
from emailgency.store.journal import Journal, Mark
from emailgency.store.redis import Redis
from emailgency.store.working_copy import Stale, WorkingCopy

R = TypeVar("R")
_DAY = 86_400.0


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


class Conflict(Invalid):
    """Somebody else changed, made or removed the same thing first."""


class Gone(LookupError):
    """There is no customer or plan of this name any more."""


_DECODERS: dict[str, Callable[[bytes], Any]] = {
    "plan": msgspec.json.Decoder(Plan).decode,
    "customer": msgspec.json.Decoder(Customer).decode,
    "domain": msgspec.json.Decoder(Domain).decode,
    "entry": msgspec.json.Decoder(Entry).decode,
    "mailbox": msgspec.json.Decoder(str).decode,
}


class Directory:
    """`deciding` is the lock of flows that read before they change; `change` itself never takes it."""

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        journal: Journal,
        redis: Redis,
        clock: Callable[[], float] = time.time,
        settings: DirectorySettings = DirectorySettings(),  # noqa: B008 frozen
    ) -> None:
        self.deciding = DeferredLock()
        self.listeners: list[Callable[[Change], None]] = []  # called after each change
        self._reactor = reactor
        self._journal = journal
        self._redis = redis
        self._clock = clock
        self._settings = settings
        self._copy = WorkingCopy(redis)
        self._caches: dict[str, Cache[Any]] = {
            table: Cache(settings.remembered, settings.remembered_absent) for table in _DECODERS
        }
        self._changing = DeferredLock()
        self._marks: tuple[Mark, ...] = ()  # the end of the journal; two while a change is on its way to Redis
        self._ready = False
        self._waiting: list[Deferred[None]] = []
        self._snapshot_due = 0.0
        self._snapshot_octets = 0

    # -- start and restoration -----------------------------------------------------------------------------

    async def start(self) -> None:
        """Read the journal; then the working copy is checked at each new connection. Broken, Corrupt: do not serve."""
        await self._in_thread(self._journal.open)
        if self._journal.mark.position == 0:
            await self._in_thread(self._journal.append, self._shipped_plans())
        self._marks = (self._journal.mark,)
        self._snapshot_due = self._clock() + _DAY
        self._redis.on_connect.append(self._restore)
        if self._redis.connected:
            await self._restore()

    def when_ready(self) -> Deferred[None]:
        """Fires when the working copy has reached the journal."""
        waiting: Deferred[None] = Deferred()
        if self._ready:
            waiting.callback(None)
        else:
            self._waiting.append(waiting)
        return waiting

    async def stop(self) -> None:
        async with self._changing:
            await self._in_thread(self._journal.close)

    async def _restore(self) -> None:
        """Bring Redis to the end of the journal, whatever it holds now."""
        self._ready = False
        async with self._changing:
            if not self._redis.connected:
                return  # comes again with the next connection
            if not await self._copy.at(self._journal.mark):
                started = self._reactor.seconds()
                tables, mark = await self._in_thread(self._journal.tables)
                await self._copy.rebuild(tables, mark)
                rows = sum(map(len, tables.values()))
                took = self._reactor.seconds() - started
                self.log.warn("directory restored: {rows} rows in {took:.2f} s", rows=rows, took=took)
            self._marks = (self._journal.mark,)
            self.forget()
            self._ready = True
        waiting, self._waiting = self._waiting, []
        for deferred in waiting:
            deferred.callback(None)

    def _out_of_date(self) -> Temporary:
        if self._ready:
            self._ready = False
            background("restoring the directory", self._restore())
        return Temporary("the directory is being restored")

    def forget(self) -> None:
        """Empty the cache."""
        for cache in self._caches.values():
            cache.clear()

    # -- reading -------------------------------------------------------------------------------------------

    async def domain(self, name: str) -> Domain | None:
        kept: Domain | Unknown | None = self._caches["domain"].get(name)
        return await self._fetch("domain", name) if kept is UNKNOWN else kept

    async def customer(self, id: str) -> Customer:
        """Raises Gone."""
        kept: Customer | Unknown | None = self._caches["customer"].get(id)
        found: Customer | None = await self._fetch("customer", id) if kept is UNKNOWN else kept
        return _there(found, f"customer {id}")

    async def plan(self, name: str) -> Plan:
        """Raises Gone."""
        kept: Plan | Unknown | None = self._caches["plan"].get(name)
        found: Plan | None = await self._fetch("plan", name) if kept is UNKNOWN else kept
        return _there(found, f"plan {name}")

    async def entry(self, customer: str, local: str) -> Entry | None:
        """`local` is canonical, in the customer's main domain."""
        key = entry_key(customer, local)
        kept: Entry | Unknown | None = self._caches["entry"].get(key)
        return await self._fetch("entry", key) if kept is UNKNOWN else kept

    async def mailbox(self, id: str) -> Mailbox | None:
        kept: str | Unknown | None = self._caches["mailbox"].get(id)
        key: str | None = await self._fetch("mailbox", id) if kept is UNKNOWN else kept
        if key is None:
            return None
        customer, _, local = key.partition("/")
        found = await self.entry(customer, local)
        return found if isinstance(found, Mailbox) and found.id == id else None

    async def customers(self) -> list[Customer]:
        return sorted(await self._table("customer"), key=lambda customer: str(customer.domain))

    async def plans(self) -> list[Plan]:
        return sorted(await self._table("plan"), key=lambda plan: str(plan.name))

    async def entries(self, customer: str) -> list[Entry]:
        return sorted(await self._table("entry", customer), key=lambda entry: str(entry.address))

    async def _fetch(self, table: str, key: str) -> Any:
        if not self._ready:
            raise Temporary("the directory is not there now")
        try:
            (found,) = await self._copy.rows([(table, key)], self._marks)
        except Stale:
            raise self._out_of_date() from None
        value = _decoded(table, found)
        if self._ready:  # else the cache was emptied while we waited
            self._caches[table].put(key, value)
        return value

    async def _table(self, table: str, customer: str = "") -> list[Any]:
        if not self._ready:
            raise Temporary("the directory is not there now")
        try:
            rows = await self._copy.table(table, self._marks, customer)
        except Stale:
            raise self._out_of_date() from None
        return [_DECODERS[table](row) for row in rows]

    # -- changing ------------------------------------------------------------------------------------------

    async def change(self, author: Author, what: str, edits: Sequence[Edit], customer: str | None = None) -> None:
        """All edits or none; returns when they are on stable storage. Raises Conflict, Temporary."""
        async with self._changing:
            await self._verify(edits)
            change = Change(
                position=self._journal.mark.position + 1,
                at=self._clock(),
                who=author.who,
                source=author.source,
                what=what,
                customer=customer,
                edits=tuple(edits),
            )
            before = self._journal.mark
            try:
                after = await self._in_thread(self._journal.append, change)
            except OSError as error:
                raise Temporary(f"the change journal cannot be written: {error}") from error
            await self._apply(before, after, change)
        self.log.info("change {position}: {what}", position=change.position, what=what, who=author.who)
        for listener in self.listeners:
            listener(change)
        self._snapshot_when_due(change)

    async def _verify(self, edits: Sequence[Edit]) -> None:
        """Uniqueness needs nothing else: who creates a row has found none."""
        if not self._ready:
            raise Temporary("the directory is not there now")
        places = [(each.table, each.key) for each in edits]
        if len(set(places)) != len(places):
            raise Conflict("the same thing is changed twice")
        try:
            rows = await self._copy.rows(places, self._marks)
        except Stale:
            raise self._out_of_date() from None
        for each, found in zip(edits, rows, strict=True):
            if _decoded(each.table, found) != _decoded(each.table, row(each.before)):
                raise Conflict(f"{each.table} {each.key} was changed by somebody else meanwhile")

    async def _apply(self, before: Mark, after: Mark, change: Change) -> None:
        """The change has happened: when Redis does not take it, Redis is restored, and the caller told all is well."""
        self._marks = (before, after)
        try:
            await self._copy.apply(before, after, change.edits)
        except (Temporary, Stale):
            self._out_of_date()
        self._marks = (after,)
        for each in change.edits:
            self._caches[each.table].put(each.key, _decoded(each.table, row(each.after)))

    def _snapshot_when_due(self, change: Change) -> None:
        self._snapshot_octets += sum(len(bytes(each.after)) + 100 for each in change.edits)
        if self._snapshot_octets > self._settings.snapshot_octets or self._clock() > self._snapshot_due:
            self._snapshot_octets = 0
            self._snapshot_due = self._clock() + _DAY
            background("writing a snapshot of the directory", self._snapshot())

    async def _snapshot(self) -> None:
        async with self._changing:
            await self._in_thread(self._journal.snapshot)

    # -- parts ---------------------------------------------------------------------------------------------

    def _shipped_plans(self) -> Change:
        edits = tuple(edit("plan", plan.name, None, plan) for plan in (STANDARD, PREMIUM))
        return Change(1, self._clock(), "emailgency", "first start", "plans standard and premium", None, edits)

    async def _in_thread(self, function: Callable[..., R], *arguments: object) -> R:
        result: R = await deferToThreadPool(self._reactor, self._reactor.getThreadPool(), function, *arguments)
        return result


def _decoded(table: str, octets: bytes | None) -> Any:
    return None if octets is None else _DECODERS[table](octets)


def _there(row: R | None, what: str) -> R:
    if row is None:
        raise Gone(what)
    return row
