"""Where SEARCH and SORT look things up: texts of messages, found by folder, in memory and in the file beside a mailbox.

A cache: whatever it does not hold yet is read from the messages, which only takes longer. It is filled by a process of
its own from the time somebody reads a folder; files are read in threads. Nothing here ever fails a command.
"""

import os
import sqlite3
from array import array
from collections.abc import Callable, Collection, Iterator
from collections.abc import Set as AbstractSet
from typing import Any, TypeVar

import msgspec
from msgspec import Struct
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger

from emailgency.background import background
from emailgency.codec.mime.search_extract import FIELDS
from emailgency.codec.mime.sort_keys import SortKeys
from emailgency.model.errors import Temporary
from emailgency.store import layout
from emailgency.store.folder import UNKNOWN, Folder
from emailgency.store.searching import database
from emailgency.store.searching.blocks import Fields, Texts, in_named_field
from emailgency.store.searching.line import IndexerDied, IndexerLine
from emailgency.store.searching.messages import Forget, Index

FEW = 300  # messages; a smaller folder is read in 5 ms (headers) or 15 ms (all), which no cache of it is worth
_SOON = 0.05  # seconds until the process is asked, so that who selects a folder gets his answer before
_BATCH = 100  # messages a request, some 20 ms of the process
_AHEAD = 2  # requests that wait at the process, so that it need not

T = TypeVar("T")

_fields: msgspec.msgpack.Decoder[Fields] = msgspec.msgpack.Decoder(Fields)
_texts: msgspec.msgpack.Decoder[Texts] = msgspec.msgpack.Decoder(Texts)
_keys: msgspec.msgpack.Decoder[list[SortKeys]] = msgspec.msgpack.Decoder(list[SortKeys])


class Answer(Struct):
    """UIDs of messages that hold the text, and of all that were looked at; the others must be read."""

    found: set[int]
    covered: AbstractSet[int]


class _Known:
    """What is in memory of a folder."""

    __slots__ = ("blocks", "covered", "filling", "keyed", "keys", "looked", "octets", "refused", "uids")

    def __init__(self) -> None:
        self.refused: set[int] = set()  # what the process died of
        self.filling = False
        self.reset()

    def reset(self) -> None:
        """Nothing, but how filling goes: the file may have been wiped."""
        self.blocks: dict[int, Fields] | None = None  # by id; None: not loaded
        self.uids: set[int] = set()  # in the blocks
        self.covered: set[int] = set()  # of these, those with complete texts
        self.keys: dict[int, SortKeys] = {}
        self.keyed: set[int] = set()  # blocks whose keys are in memory
        self.octets = 0
        self.looked: object = None  # the folder as it was when it was filled last

    @property
    def weight(self) -> int:
        """About how many octets of memory it takes."""
        return self.octets + 700 * len(self.keys) + 100 * len(self.uids)

    def add(self, fields: Fields) -> None:
        assert self.blocks is not None
        self.blocks[fields.id] = fields
        uids = array("I", fields.uids)
        self.uids.update(uids)
        self.covered.update(uids)
        self.covered.difference_update(array("I", fields.parts))
        self.octets += fields.octets

    def drop(self, id: int) -> None:
        assert self.blocks is not None
        fields = self.blocks.pop(id, None)
        if fields is not None:
            self.octets -= fields.octets
            self.keyed.discard(id)


class SearchIndex:
    """`want` a folder when somebody reads it; then ask."""

    _log = Logger()

    def __init__(self, reactor: Any, held: int = 64 << 20) -> None:
        """About `held` octets stay in memory over all folders; 10,000 messages take 10 MB, once they were sorted."""
        self._reactor = reactor
        self._line = IndexerLine(reactor)
        self._most = held
        self._known: dict[Folder, _Known] = {}  # the folder used last is the last
        self._unusable: set[str] = set()
        self._waiting: dict[Folder, Any] = {}  # timers

    async def stop(self) -> None:
        for waiting in self._waiting.values():
            waiting.cancel()
        self._waiting.clear()
        await self._line.stop()

    def want(self, folder: Folder) -> None:
        """Somebody reads it: see that new messages come in. Costs next to nothing when there are none."""
        if len(folder) < FEW or folder.gone:
            return
        known = self._use(folder)
        state = (folder.uidnext, len(folder))
        if not known.filling and known.looked != state:
            known.filling = True
            known.looked = state
            self._waiting[folder] = self._reactor.callLater(_SOON, self._begin, folder, known)

    def _begin(self, folder: Folder, known: _Known) -> None:
        del self._waiting[folder]
        background("filling the search cache", self._fill(folder, known))

    async def in_field(self, folder: Folder, field: str, needle: str) -> Answer:
        """Messages with a field of this lower-case name that holds `needle` (casefolded; "" for any value)."""
        if len(folder) < FEW:
            return Answer(set(), frozenset())
        octets = needle.encode("utf-8", "replace")
        if field not in FIELDS:
            return await self._in_texts(folder, needle, lambda texts: in_named_field(field, octets)(texts.head))
        known = self._use(folder)
        await self._load(folder, known)
        found: set[int] = set()
        for fields in (known.blocks or {}).values():
            found.update(_uids_at(fields.uids, fields.columns[field].holding(octets)))
        return Answer(found, known.covered)

    async def in_text(self, folder: Folder, needle: str, with_header: bool) -> Answer:
        """Messages whose decoded body, or with the header either, holds `needle` (casefolded, not empty)."""
        if len(folder) < FEW:
            return Answer(set(), frozenset())
        octets = needle.encode("utf-8", "replace")

        def holding(texts: Texts) -> Collection[int]:
            found = texts.body.holding(octets)
            return {*found, *texts.head.holding(octets)} if with_header else found

        return await self._in_texts(folder, needle, holding)

    async def sort_keys(self, folder: Folder) -> dict[int, SortKeys]:
        """By UID, of the messages that are known; not to be changed."""
        if len(folder) < FEW:
            return {}
        known = self._use(folder)
        await self._load(folder, known)
        missing = set(known.blocks or ()) - known.keyed
        if missing:
            rows = await self._read(folder, lambda cache: _key_rows(cache, folder, missing))
            for id, keys in rows or ():
                known.keys.update(keys)
                known.keyed.add(id)
            self._use(folder)
        return known.keys

    # -- filling -------------------------------------------------------------------------------------------

    async def _fill(self, folder: Folder, known: _Known) -> None:
        waiting: list[Deferred[None]] = []
        try:
            await self._load(folder, known)
            if len(known.uids) > 2 * len(folder) + FEW:  # most of it has been expunged
                await self._line.ask(Forget(self._line.number(), self._path(folder), folder.path))
                known.reset()
                return
            missing = [uid for uid in folder.uids if uid not in known.uids and uid not in known.refused]
            for start in range(0, len(missing), _BATCH):
                if folder.gone:
                    break
                waiting.append(Deferred.fromCoroutine(self._index(folder, known, missing[start : start + _BATCH])))
                if len(waiting) > _AHEAD:
                    await waiting.pop(0)
            while waiting:
                await waiting.pop(0)
        except Temporary as error:
            for one in waiting:
                one.addErrback(lambda _: None)  # they fail like the first
            known.reset()
            self._told(self._path(folder), error)
        finally:
            known.filling = False

    async def _index(self, folder: Folder, known: _Known, uids: list[int]) -> None:
        places = [(uid, folder.index(uid)) for uid in uids]
        files = tuple((uid, folder.names[place]) for uid, place in places if place >= 0)
        line, path = self._line, self._path(folder)
        try:
            reply = await line.ask(Index(line.number(), path, folder.root, folder.path, folder.uidvalidity, files))
        except IndexerDied:
            known.refused.update(uids)
            self._log.error("indexer died with UIDs {uids} of {path!r}", uids=uids[:1] + uids[-1:], path=folder.path)
            return
        if folder.summarised != UNKNOWN:
            folder.summarised = max(folder.summarised, *uids)  # these came into that cache, too
        if known.blocks is not None:
            for id in reply.replaced:
                known.drop(id)
            for fields in reply.blocks:
                known.add(fields)

    async def _load(self, folder: Folder, known: _Known) -> None:
        """The fields of all blocks, into memory."""
        if known.blocks is not None:
            return
        rows = await self._read(folder, lambda cache: _field_rows(cache, folder))
        if known.blocks is None:
            known.blocks = {}
            for fields in rows or ():
                known.add(fields)

    # -- reading -------------------------------------------------------------------------------------------

    async def _in_texts(self, folder: Folder, needle: str, holding: Callable[[Texts], Collection[int]]) -> Answer:
        def search(cache: sqlite3.Connection) -> Answer:
            found: set[int] = set()
            for uids, octets in _candidates(cache, folder, needle):
                found.update(_uids_at(uids, holding(_texts.decode(octets))))
            return Answer(found, _covered(cache, folder))

        answer = await self._read(folder, search)
        return Answer(set(), frozenset()) if answer is None else answer

    def _path(self, folder: Folder) -> str:
        return os.path.join(folder.root, layout.mailbox_of(folder.path), database.FILE)

    async def _read(self, folder: Folder, work: Callable[[sqlite3.Connection], T]) -> T | None:
        """In a thread; None when there is no cache, or none of use."""
        path = self._path(folder)
        try:
            return await deferToThreadPool(self._reactor, self._reactor.getThreadPool(), _with, path, work)
        except (sqlite3.OperationalError, OSError) as error:
            self._told(path, error)  # busy or unreadable, not damaged
        except (sqlite3.DatabaseError, msgspec.DecodeError, ValueError, IndexError) as error:
            self._told(path, error)
            self._use(folder).reset()
            await deferToThreadPool(self._reactor, self._reactor.getThreadPool(), database.wipe, path)
        return None

    def _told(self, path: str, error: Exception) -> None:
        if path not in self._unusable:
            self._unusable.add(path)  # once, not at every search while the disk is full
            self._log.warn("search cache {path!r} not used: {error}", path=path, error=str(error))

    def _use(self, folder: Folder) -> _Known:
        """What is known of a folder; those that were not used for longest are forgotten when all is too much."""
        known = self._known.pop(folder, None) or _Known()
        self._known[folder] = known
        total = sum(one.weight for one in self._known.values())
        for other, its in list(self._known.items()):
            if total <= self._most and not other.gone:
                break
            if its is not known and not its.filling:
                total -= its.weight
                del self._known[other]
        return known


def _with(path: str, work: Callable[[sqlite3.Connection], T]) -> T | None:
    """In a thread."""
    with database.reading(path) as cache:
        return None if cache is None else work(cache)


def _uids_at(uids: bytes, places: Collection[int]) -> list[int]:
    if not places:
        return []
    column = array("I", uids)
    return [column[place] for place in places]


_ALL_TEXTS = "SELECT uids, octets FROM block JOIN text USING (id) WHERE folder = ? AND uidvalidity = ?"
_SOME_TEXTS = """SELECT uids, octets FROM block JOIN text USING (id) WHERE folder = ? AND uidvalidity = ?
  AND (indexed = 0 OR id IN (SELECT rowid FROM grams WHERE grams MATCH ?))"""
_UIDS = "SELECT uids, parts FROM block WHERE folder = ? AND uidvalidity = ?"
_FIELDS = "SELECT fields FROM block WHERE folder = ? AND uidvalidity = ?"
_KEYS = "SELECT id, uids, keys FROM block WHERE folder = ? AND uidvalidity = ?"


def _field_rows(cache: sqlite3.Connection, folder: Folder) -> list[Fields]:
    rows = cache.execute(_FIELDS, (folder.path, folder.uidvalidity))
    return [_fields.decode(fields) for (fields,) in rows]


def _covered(cache: sqlite3.Connection, folder: Folder) -> set[int]:
    covered: set[int] = set()
    for uids, parts in cache.execute(_UIDS, (folder.path, folder.uidvalidity)):
        covered.update(array("I", uids))
        covered.difference_update(array("I", parts))
    return covered


def _key_rows(cache: sqlite3.Connection, folder: Folder, wanted: set[int]) -> list[tuple[int, dict[int, SortKeys]]]:
    rows = cache.execute(_KEYS, (folder.path, folder.uidvalidity))
    return [
        (id, dict(zip(array("I", uids), _keys.decode(keys), strict=True))) for id, uids, keys in rows if id in wanted
    ]


def _candidates(cache: sqlite3.Connection, folder: Folder, needle: str) -> Iterator[tuple[bytes, bytes]]:
    """(UIDs, texts) of the blocks that may hold `needle`."""
    grams = database.grams_of(needle) if database.has_grams(cache) else None
    key = folder.path, folder.uidvalidity
    if grams is None:
        yield from cache.execute(_ALL_TEXTS, key)
    else:
        yield from cache.execute(_SOME_TEXTS, (*key, grams))
