"""The rows of the directory: from the cache of this process, else from a working copy in Redis that is up to date.

`marks` says where the journal stands. Whenever Redis stands elsewhere (emptied, restarted from an older file, restored
from a backup), reading raises `Temporary` and the working copy is rebuilt.
"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from emailgency.background import background
from emailgency.model.directory import Customer, Domain, Entry, Operator, Plan
from emailgency.model.errors import Invalid, Temporary
from emailgency.store.directory.cache import Cache
from emailgency.store.directory.changes import Change, Edit, entry_key, row
from emailgency.store.directory.journal import Mark
from emailgency.store.directory.journal_thread import JournalThread
from emailgency.store.directory.working_copy import Stale, WorkingCopy
from emailgency.store.redis.redis import Redis

_DECODERS: dict[str, Callable[[bytes], Any]] = {
    "plan": msgspec.json.Decoder(Plan).decode,
    "customer": msgspec.json.Decoder(Customer).decode,
    "domain": msgspec.json.Decoder(Domain).decode,
    "entry": msgspec.json.Decoder(Entry).decode,
    "mailbox": msgspec.json.Decoder(str).decode,
    "operator": msgspec.json.Decoder(Operator).decode,
}
_WHOLE = 4  # customers all of whose entries are remembered; about 1 KB an entry, as of any row
_RETRY = 1.0  # seconds, when a Redis that is there refuses to be filled


class Conflict(Invalid):
    """Somebody else changed, made or removed the same thing first."""


class Rows:
    """`changing` is held while the journal and the working copy move on together."""

    log = Logger()

    def __init__(self, reactor: IReactorTime, journal: JournalThread, redis: Redis, present: int, absent: int) -> None:
        self.changing = DeferredLock()
        self._reactor = reactor
        self._journal = journal
        self._redis = redis
        self._copy = WorkingCopy(redis)
        self._caches: dict[str, Cache[Any]] = {table: Cache(present, absent) for table in _DECODERS}
        self._whole: dict[str, dict[str, Any]] = {}  # all entries of a customer, by key
        self._changes = 0  # so far
        self._marks: tuple[Mark, ...] = ()  # two while a change is on its way to Redis
        self._ready = False
        self._waiting: list[Deferred[None]] = []
        self._retry: IDelayedCall | None = None

    # -- reading -------------------------------------------------------------------------------------------

    def cached(self, table: str, key: str) -> Any:
        """The row, None when it is known not to be there, or UNKNOWN."""
        return self._caches[table].get(key)

    async def fetch(self, table: str, key: str) -> Any:
        """A row the cache does not know; None: it is not there."""
        (value,) = await self._at_the_mark([(table, key)])
        if self._ready:  # else the cache was emptied while we waited
            self._caches[table].put(key, value)
        return value

    async def all(self, table: str, customer: str = "") -> list[Any]:
        """Of the entries those of one customer, which are remembered for who asks for them again and again."""
        self._check_ready()
        whole = self._whole.get(customer) if customer else None
        if whole is not None:
            return list(whole.values())
        began, marks = self._changes, self._marks
        try:
            found = await self._copy.table(table, marks, customer)
            rows = [_decoded(table, octets) for octets in found]
        except (Stale, msgspec.DecodeError) as error:
            raise await self._out_of_date(error) from None
        if customer and self._ready and self._changes == began and len(marks) == 1:
            while len(self._whole) >= _WHOLE:
                del self._whole[next(iter(self._whole))]
            self._whole[customer] = {entry_key(customer, row.address.local): row for row in rows}
        return rows

    async def expect(self, edits: Sequence[Edit]) -> None:
        """Raises Conflict unless every row is as its edit found it. Who creates a row has found none."""
        places = [(edit.table, edit.key) for edit in edits]
        if len(set(places)) != len(places):
            raise Conflict("the same thing is changed twice")
        for edit, found in zip(edits, await self._at_the_mark(places), strict=True):
            if found != _decoded(edit.table, row(edit.before)):
                raise Conflict(
                    "%(table)s %(key)s was changed by somebody else meanwhile", table=edit.table, key=edit.key
                )

    async def _at_the_mark(self, places: Sequence[tuple[str, str]]) -> list[Any]:
        self._check_ready()
        try:
            found = await self._copy.rows(places, self._marks)
            return [_decoded(table, octets) for (table, _), octets in zip(places, found, strict=True)]
        except (Stale, msgspec.DecodeError) as error:
            raise await self._out_of_date(error) from None

    # -- changing ------------------------------------------------------------------------------------------

    async def apply(self, before: Mark, change: Change) -> None:
        """`change` has happened: when Redis does not take it, Redis is restored, and all is well for the caller."""
        after = self._journal.mark
        self._changes += 1
        self._marks = (before, after)
        try:
            await self._copy.apply(before, after, change.edits)
        except (Temporary, Stale) as error:
            await self._out_of_date(error)
        self._marks = (after,)
        for edit in change.edits:
            decoded = _decoded(edit.table, row(edit.after))
            self._caches[edit.table].put(edit.key, decoded)
            whole = self._whole.get(edit.key.partition("/")[0]) if edit.table == "entry" else None
            if whole is not None and decoded is None:
                whole.pop(edit.key, None)
            elif whole is not None:
                whole[edit.key] = decoded

    def forget(self) -> None:
        """Empty the cache."""
        self._whole.clear()
        self._changes += 1
        for cache in self._caches.values():
            cache.clear()

    # -- restoring -----------------------------------------------------------------------------------------

    def when_ready(self) -> Deferred[None]:
        """Fires when the working copy has reached the journal. May be cancelled."""
        waiting: Deferred[None] = Deferred()
        if self._ready:
            waiting.callback(None)
        else:
            self._waiting = [one for one in self._waiting if not one.called]  # the others have been cancelled
            self._waiting.append(waiting)
        return waiting

    async def restore(self) -> None:
        """Bring Redis to the end of the journal, whatever it holds now. Begins anew with every connection."""
        self._ready = False
        self.stop()
        try:
            async with self.changing:
                if self._redis.connected:
                    await self._restore()
        except Temporary as error:
            self.log.warn("the directory cannot be restored yet: {error}", error=str(error))
            if self._redis.connected:
                self._retry = self._reactor.callLater(_RETRY, self._restore_soon)

    def stop(self) -> None:
        """Nothing more is tried by itself."""
        if self._retry is not None and self._retry.active():
            self._retry.cancel()

    def _restore_soon(self) -> None:
        background("restoring the directory", self.restore())

    async def _restore(self) -> None:
        if not await self._copy.at(self._journal.mark):
            started = self._reactor.seconds()
            tables, mark = await self._journal.tables()
            await self._copy.rebuild(tables, mark)
            rows, took = sum(map(len, tables.values())), self._reactor.seconds() - started
            self.log.warn("directory restored: {rows} rows in {took:.2f} s", rows=rows, took=took)
        self._marks = (self._journal.mark,)
        self.forget()
        self._ready = True
        waiting, self._waiting = self._waiting, []
        for deferred in waiting:
            self._reactor.callLater(0, deferred.callback, None)  # out of the lock

    def _check_ready(self) -> None:
        if not self._ready:
            raise Temporary("the directory is not there now")

    async def _out_of_date(self, why: Exception) -> Temporary:
        """Begin to restore. A row nobody can read means that the working copy is not ours, whatever its mark says."""
        if self._ready:
            self._ready = False
            try:
                if isinstance(why, msgspec.DecodeError):
                    self.log.error("a row of the directory in Redis cannot be read: {why}", why=str(why))
                    await self._copy.disown()
            finally:
                self._restore_soon()
        return Temporary("the directory is being restored")


def _decoded(table: str, octets: bytes | None) -> Any:
    return None if octets is None else _DECODERS[table](octets)
