"""The indexing process: `python -m emailgency.store.searching.child`. Requests on 0, replies on 1.

Decoding mail takes 0.2 ms a message and trigrams as much again: in threads of the server it would hold up everybody
else (one interpreter runs one thread at a time). Runs at low priority and ends when it has had nothing to do for long.
"""

import contextlib
import mmap
import os
import select
import sqlite3
from array import array

import msgspec

from emailgency.codec import frames
from emailgency.codec.mime import structure
from emailgency.codec.mime.headers import Octets
from emailgency.codec.mime.search_extract import Extract, extract
from emailgency.codec.mime.sort_keys import SortKeys
from emailgency.codec.mime.summary import Summary, of_tree
from emailgency.store import layout
from emailgency.store.mailboxes import summary_rows
from emailgency.store.mailboxes.cache_file import CacheFile
from emailgency.store.searching import database
from emailgency.store.searching.blocks import Block, Column, Fields, Texts, reopened
from emailgency.store.searching.messages import Failed, Forget, Index, Indexed, Reply, Request

NICE = 15
QUIET = 0.5  # seconds without a request: while many come they come first
IDLE = 60.0  # seconds without work after which it ends
_SMALL = 65536  # octets; a larger message is mapped
_BLOCKS = 8  # whose trigrams are made in one transaction, some 50 ms

_requests: msgspec.msgpack.Decoder[Request] = msgspec.msgpack.Decoder(Request)
_encode = msgspec.msgpack.Encoder().encode
_fields: msgspec.msgpack.Decoder[Fields] = msgspec.msgpack.Decoder(Fields)
_column: msgspec.msgpack.Decoder[Column] = msgspec.msgpack.Decoder(Column)
_keys: msgspec.msgpack.Decoder[list[SortKeys]] = msgspec.msgpack.Decoder(list[SortKeys])


class Indexer:
    """Requests come first; between them trigrams are made of the blocks that have none."""

    def __init__(self) -> None:
        self._frames = frames.Frames()
        self._behind: dict[str, None] = {}  # caches that have blocks without trigrams
        self._patience = QUIET  # seconds that requests have to come before trigrams are made
        self._seen: set[str] = set()  # caches looked through for folders that are no more

    def run(self) -> None:
        """Until the server closes its end, or nothing was to be done for IDLE seconds."""
        while True:
            readable, _, _ = select.select([0], [], [], self._patience if self._behind else IDLE)
            if readable:
                octets = os.read(0, 1 << 20)
                if not octets:
                    return
                self._patience = QUIET
                for payload in self._frames.feed(octets):
                    _say(self._answer(_requests.decode(payload)))
            elif not self._behind:
                return
            else:
                self._patience = 0.0
                self._make_grams(next(iter(self._behind)))

    def _answer(self, request: Request) -> Reply:
        try:
            if isinstance(request, Forget):
                with database.writing(request.path) as cache:
                    _drop(cache, request.folder)
                return Indexed(request.number)
            reply = self._index(request)
            self._behind[request.path] = None
            return reply
        except sqlite3.OperationalError as error:
            return Failed(request.number, str(error))
        except (sqlite3.DatabaseError, msgspec.DecodeError, OSError) as error:
            database.wipe(request.path)
            return Failed(request.number, str(error))

    def _index(self, request: Index) -> Indexed:
        with database.writing(request.path) as cache:
            if request.path not in self._seen:
                self._seen.add(request.path)
                for (folder,) in cache.execute("SELECT DISTINCT folder FROM block").fetchall():
                    if not os.path.isdir(os.path.join(request.root, folder)):
                        _drop(cache, folder)
            _drop(cache, request.folder, request.uidvalidity)
            block, replaced = _last_block(cache, request)
            made: list[Fields] = []
            summaries: dict[int, Summary] = {}
            for uid, name in request.files:
                one = _read(os.path.join(request.root, request.folder, name))
                if one is None:
                    continue
                extracted, summaries[uid] = one
                block.add(uid, extracted)
                if block.full:
                    made.append(_store(cache, request, block))
                    block = Block(array("I"), [])
            if block.uids:
                made.append(_store(cache, request, block))
        _keep(request, summaries)
        return Indexed(request.number, tuple(made), replaced)

    def _make_grams(self, path: str) -> None:
        """Of some blocks."""
        try:
            with database.writing(path) as cache:
                if not database.has_grams(cache):
                    del self._behind[path]
                    return
                rows = cache.execute(
                    "SELECT id, head, body FROM block JOIN text USING (id) WHERE full = 1 AND indexed = 0 LIMIT ?",
                    (_BLOCKS,),
                ).fetchall()
                for id, head, body in rows:
                    cache.execute("INSERT INTO grams (rowid, text) VALUES (?, ?)", (id, _searchable(head, body)))
                    cache.execute("UPDATE block SET indexed = 1 WHERE id = ?", (id,))
                if len(rows) < _BLOCKS:
                    del self._behind[path]
        except (sqlite3.Error, OSError, msgspec.DecodeError):
            self._behind.pop(path, None)


def _last_block(cache: sqlite3.Connection, request: Index) -> tuple[Block, tuple[int, ...]]:
    """The folder's block that is not full, taken out, and its id; else an empty one."""
    row = cache.execute(
        "SELECT id, fields, keys, head, body FROM block JOIN text USING (id)"
        " WHERE folder = ? AND uidvalidity = ? AND full = 0",
        (request.folder, request.uidvalidity),
    ).fetchone()
    if row is None:
        return Block(array("I"), []), ()
    id, fields, keys, head, body = row
    cache.execute("DELETE FROM block WHERE id = ?", (id,))
    cache.execute("DELETE FROM text WHERE id = ?", (id,))
    texts = Texts(_column.decode(head), _column.decode(body))
    return reopened(_fields.decode(fields), texts, _keys.decode(keys)), (id,)


def _store(cache: sqlite3.Connection, request: Index, block: Block) -> Fields:
    cursor = cache.execute(
        "INSERT INTO block (folder, uidvalidity, full, keys) VALUES (?, ?, ?, ?)",
        (request.folder, request.uidvalidity, int(block.full), _encode(block.keys())),
    )
    assert cursor.lastrowid is not None
    fields = block.fields(cursor.lastrowid)
    cache.execute(
        "UPDATE block SET uids = ?, parts = ?, fields = ? WHERE id = ?",
        (fields.uids, fields.parts, _encode(fields), fields.id),
    )
    texts = block.texts()
    cache.execute("INSERT INTO text VALUES (?, ?, ?)", (fields.id, _encode(texts.head), _encode(texts.body)))
    return fields


def _drop(cache: sqlite3.Connection, folder: str, but: int | None = None) -> None:
    """Forget a folder, `but` for this UIDVALIDITY; out of the trigrams too, which want to be told the text again."""
    rows = cache.execute(
        "SELECT id, indexed, head, body FROM block JOIN text USING (id) WHERE folder = ? AND uidvalidity IS NOT ?",
        (folder, but),
    )
    for id, indexed, head, body in rows.fetchall():
        if indexed:
            text = _searchable(head, body)
            cache.execute("INSERT INTO grams (grams, rowid, text) VALUES ('delete', ?, ?)", (id, text))
        cache.execute("DELETE FROM text WHERE id = ?", (id,))
        cache.execute("DELETE FROM block WHERE id = ?", (id,))


def _searchable(head: bytes, body: bytes) -> str:
    """A block's texts as one; FTS5 would stop at NUL."""
    return (
        (_column.decode(head).octets + b"\n" + _column.decode(body).octets)
        .decode("utf-8", "replace")
        .replace("\0", "\n")
    )


def _keep(request: Index, summaries: dict[int, Summary]) -> None:
    """What FETCH of ENVELOPE and BODYSTRUCTURE will ask for: 15 us a message here, where it is read anyway."""
    path = os.path.join(request.root, layout.mailbox_of(request.folder), summary_rows.FILE)
    file = CacheFile(path, summary_rows.TABLES, summary_rows.VERSION)
    with contextlib.suppress(sqlite3.Error, OSError):
        key = request.folder, request.uidvalidity
        file.do(lambda database: summary_rows.write(database, key, summaries))
    file.close()


def _read(path: str) -> tuple[Extract, Summary] | None:
    """None when it cannot be read: not there any more, or not under this name, or something else than a file."""
    try:
        with open(path, "rb", buffering=0, opener=_opener) as file:
            begin = file.read(_SMALL)
            if len(begin) < _SMALL:
                return _parsed(begin)
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as octets:
                return _parsed(octets)
    except OSError:
        return None


def _parsed(octets: Octets) -> tuple[Extract, Summary]:
    message = structure.read(octets)
    return extract(octets, message), of_tree(octets, message)


def _opener(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW)


def _say(reply: Reply) -> None:
    waiting = memoryview(frames.encode(_encode(reply)))
    while waiting:
        waiting = waiting[os.write(1, waiting) :]


def main() -> None:
    with contextlib.suppress(OSError):
        os.nice(NICE)
    with contextlib.suppress(BrokenPipeError, KeyboardInterrupt):
        Indexer().run()


if __name__ == "__main__":
    main()
