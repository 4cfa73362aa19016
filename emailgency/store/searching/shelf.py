"""The cache files as the server reads them: in threads, never failing. What cannot be read is not there."""

import os
import sqlite3
from array import array
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import msgspec
from twisted.logger import Logger

from emailgency.background import in_thread
from emailgency.codec.mime.sort_keys import SortKeys
from emailgency.store import layout
from emailgency.store.mailboxes.folder import Folder
from emailgency.store.searching import database
from emailgency.store.searching.blocks import Column, Fields
from emailgency.store.searching.memory import Known, Memory

T = TypeVar("T")

_FROM = "FROM block JOIN text USING (id) WHERE folder = ? AND uidvalidity = ?"
_MAY_HOLD = "AND (indexed = 0 OR id IN (SELECT rowid FROM grams WHERE grams MATCH ?))"
_UIDS = "SELECT uids, parts FROM block WHERE folder = ? AND uidvalidity = ?"
_FIELDS = "SELECT fields FROM block WHERE folder = ? AND uidvalidity = ?"
_KEYS = "SELECT id, uids, keys FROM block WHERE folder = ? AND uidvalidity = ?"

_fields: msgspec.msgpack.Decoder[Fields] = msgspec.msgpack.Decoder(Fields)
_column: msgspec.msgpack.Decoder[Column] = msgspec.msgpack.Decoder(Column)
_keys: msgspec.msgpack.Decoder[list[SortKeys]] = msgspec.msgpack.Decoder(list[SortKeys])


def path_of(folder: Folder) -> str:
    return os.path.join(folder.root, layout.mailbox_of(folder.path), database.FILE)


class Shelf:
    """Every method answers None, or changes nothing, when there is no cache or none of use."""

    _log = Logger()

    def __init__(self, reactor: Any, memory: Memory) -> None:
        self._reactor = reactor
        self._memory = memory
        self._unusable: set[str] = set()

    async def load(self, folder: Folder, known: Known) -> None:
        """The fields of all blocks, into memory."""
        if known.blocks is not None:
            return
        rows = await self._read(folder, lambda cache: _field_rows(cache, folder))
        if known.blocks is None:
            known.blocks = {}
            for fields in rows or ():
                known.add(fields)

    async def load_keys(self, folder: Folder, known: Known) -> None:
        """What all its messages are sorted by, into memory."""
        missing = set(known.blocks or ()) - known.keyed
        if missing:
            for id, keys in await self._read(folder, lambda cache: _key_rows(cache, folder, missing)) or ():
                known.keys.update(keys)
                known.keyed.add(id)

    async def among_texts(
        self, folder: Folder, needle: str, columns: str, holding: Callable[..., set[int]]
    ) -> tuple[set[int], set[int]] | None:
        """UIDs of those that hold the needle, and of all that were looked at. `holding` gets the columns of a block
        (`head`, `body` or both of them), each as Column, and says which messages' do.
        """

        def search(cache: sqlite3.Connection) -> tuple[set[int], set[int]]:
            found: set[int] = set()
            for uids, *packed in _candidates(cache, folder, needle, columns):
                places = holding(*map(_column.decode, packed))
                if places:
                    column = array("I", uids)
                    found.update([column[place] for place in places])
            return found, _covered(cache, folder)

        return await self._read(folder, search)

    async def _read(self, folder: Folder, work: Callable[[sqlite3.Connection], T]) -> T | None:
        path = path_of(folder)
        try:
            return await in_thread(self._reactor, _with, path, work)
        except (sqlite3.OperationalError, OSError) as error:
            self.told(path, error)  # busy or unreadable, not damaged
        except (sqlite3.DatabaseError, msgspec.DecodeError, ValueError, IndexError) as error:
            self.told(path, error)
            self._memory.of(folder).reset()
            await in_thread(self._reactor, database.wipe, path)
        return None

    def told(self, path: str, error: Exception) -> None:
        """The log hears of trouble with a file."""
        if path not in self._unusable:
            self._unusable.add(path)  # once, not at every search while the disk is full
            self._log.warn("search cache {path!r} not used: {error}", path=path, error=str(error))


def _with(path: str, work: Callable[[sqlite3.Connection], T]) -> T | None:
    """In a thread."""
    with database.reading(path) as cache:
        return None if cache is None else work(cache)


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


def _candidates(cache: sqlite3.Connection, folder: Folder, needle: str, columns: str) -> Iterator[tuple[bytes, ...]]:
    """UIDs and these columns of the blocks that may hold `needle`."""
    grams = database.grams_of(needle) if database.has_grams(cache) else None
    key = folder.path, folder.uidvalidity
    if grams is None:
        yield from cache.execute(f"SELECT uids, {columns} {_FROM}", key)
    else:
        yield from cache.execute(f"SELECT uids, {columns} {_FROM} {_MAY_HOLD}", (*key, grams))
