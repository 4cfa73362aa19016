"""What FETCH says of a message besides its text, kept so that each message is parsed once: an SQLite file a mailbox.

A cache and nothing else: it lies beside the mailbox on this machine, is written without syncing, and is deleted and
made anew when it is damaged. SQLite works in threads; in memory the summaries hang on the folder's snapshot, within
a bound over all folders (10,000 messages take about 12 MB). Nothing here ever fails a command.
"""

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import msgspec
from twisted.internet.interfaces import IReactorThreads
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger

from emailgency.background import background
from emailgency.codec.mime.summary import Summary
from emailgency.store import layout
from emailgency.store.folder import UNKNOWN, Folder

FILE = "summaries.sqlite"
VERSION = 1  # grows when the serialised form changes; other versions are thrown away
_TABLES = """
CREATE TABLE IF NOT EXISTS summary (folder TEXT, uidvalidity INTEGER, uid INTEGER, packed BLOB,
  PRIMARY KEY (folder, uidvalidity, uid)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS recent (folder TEXT PRIMARY KEY, uidvalidity INTEGER, told INTEGER) WITHOUT ROWID;
"""

T = TypeVar("T")

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Summary).decode


class Summaries:
    """Read and write the cache of every mailbox."""

    _log = Logger()

    def __init__(self, reactor: IReactorThreads, held: int = 50_000) -> None:
        """At most `held` summaries stay in memory over all folders, some 1.2 kB each."""
        self._reactor = reactor
        self._most = held
        self._unusable: set[str] = set()
        self._held: dict[Folder, int] = {}  # how many; the folder used last is the last

    async def load(self, folder: Folder, low: int, high: int) -> None:
        """Bring the summaries of UIDs `low` to `high` that the cache knows into `folder.summaries`."""
        key = (folder.path, folder.uidvalidity)

        def read(database: sqlite3.Connection) -> list[tuple[int, Summary]]:
            rows = database.execute(
                "SELECT uid, packed FROM summary WHERE folder = ? AND uidvalidity = ? AND uid BETWEEN ? AND ?",
                (*key, low, high),
            )
            return [(uid, _decode(packed)) for uid, packed in rows]

        gone = []
        for uid, summary in await self._run(folder, read) or ():
            if folder.index(uid) == UNKNOWN:
                gone.append(uid)
            else:
                folder.summaries.setdefault(uid, summary)
        self._used(folder)
        if gone:
            background("forgetting summaries", self._run(folder, _forgetting(key, gone)))

    def keep(self, folder: Folder, summaries: dict[int, Summary]) -> None:
        """These have just been made; they are on the snapshot already."""
        self._used(folder)
        key = (folder.path, folder.uidvalidity)

        def write(database: sqlite3.Connection) -> None:
            rows = [(*key, uid, _encode(summary)) for uid, summary in summaries.items()]
            database.execute("DELETE FROM summary WHERE folder = ? AND uidvalidity <> ?", key)
            database.executemany("INSERT OR REPLACE INTO summary VALUES (?, ?, ?, ?)", rows)

        background("keeping summaries", self._run(folder, write))

    async def load_recent(self, folder: Folder) -> None:
        """Set `folder.recent_from` from what sessions were told, else from what nobody has touched yet (new/)."""
        key = (folder.path, folder.uidvalidity)

        def read(database: sqlite3.Connection) -> int | None:
            row = database.execute("SELECT told FROM recent WHERE folder = ? AND uidvalidity = ?", key).fetchone()
            return row[0] if row else None

        told = await self._run(folder, read)
        if told is None:
            untouched = (uid for uid, name in zip(folder.uids, folder.names, strict=True) if name.startswith("new/"))
            told = next(untouched, folder.uidnext)
        folder.recent_from = max(folder.recent_from, told)

    def keep_recent(self, folder: Folder) -> None:
        """Remember `folder.recent_from`; losing it makes some messages \\Recent twice."""
        row = (folder.path, folder.uidvalidity, folder.recent_from)

        def write(database: sqlite3.Connection) -> None:
            database.execute("INSERT OR REPLACE INTO recent VALUES (?, ?, ?)", row)

        background("keeping \\Recent", self._run(folder, write))

    def _used(self, folder: Folder) -> None:
        """Count, and drop the summaries of the folders unused for longest beyond the bound."""
        self._held.pop(folder, None)
        if folder.summaries and not folder.gone:
            self._held[folder] = len(folder.summaries)
        total = sum(self._held.values())
        for other in list(self._held):
            if total <= self._most:
                break
            total -= self._held.pop(other)
            other.summaries.clear()

    async def _run(self, folder: Folder, work: Callable[[sqlite3.Connection], T]) -> T | None:
        """Do `work` in a thread; None when the cache could not be used."""
        path = os.path.join(folder.root, layout.mailbox_of(folder.path), FILE)
        try:
            done = await deferToThreadPool(self._reactor, self._reactor.getThreadPool(), _with_database, path, work)
            self._unusable.discard(path)
            return done
        except (sqlite3.Error, OSError) as error:
            if path not in self._unusable:
                self._unusable.add(path)  # told once, not at every FETCH while the disk is full
                self._log.warn("summary cache {path!r} not used: {error}", path=path, error=str(error))
            return None


def _forgetting(key: tuple[str, int], uids: Iterable[int]) -> Callable[[sqlite3.Connection], None]:
    def delete(database: sqlite3.Connection) -> None:
        rows = [(*key, uid) for uid in uids]
        database.executemany("DELETE FROM summary WHERE folder = ? AND uidvalidity = ? AND uid = ?", rows)

    return delete


def _with_database(path: str, work: Callable[[sqlite3.Connection], T]) -> T:
    """In a thread. A damaged file is deleted and the work tried once more on a new one."""
    try:
        with _opened(path) as database:
            return work(database)
    except (sqlite3.DatabaseError, msgspec.DecodeError) as error:
        if isinstance(error, sqlite3.OperationalError):
            raise  # busy, full or read-only, not damaged
        for suffix in ("", "-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path + suffix)
        with _opened(path) as database:
            return work(database)


@contextlib.contextmanager
def _opened(path: str) -> Iterator[sqlite3.Connection]:
    with contextlib.closing(sqlite3.connect(path, timeout=2.0)) as database:
        if database.execute("PRAGMA user_version").fetchone()[0] != VERSION:
            database.executescript("DROP TABLE IF EXISTS summary; DROP TABLE IF EXISTS recent;")
            database.executescript(_TABLES)
            database.execute("PRAGMA journal_mode = WAL")
            database.execute(f"PRAGMA user_version = {VERSION}")
        database.execute("PRAGMA synchronous = OFF")
        with database:
            yield database
