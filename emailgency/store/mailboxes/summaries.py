"""What FETCH says of a message besides its text, kept so that each message is parsed once: an SQLite file a mailbox.

A cache and nothing else (`cache_files`). In memory the summaries hang on the folder's snapshot, within a bound over
all folders (10,000 messages take about 12 MB). Nothing here ever fails a command.
"""

import os
import sqlite3
from collections.abc import Callable, Sequence
from typing import TypeVar

from twisted.internet.interfaces import IReactorThreads
from twisted.logger import Logger

from emailgency.background import background
from emailgency.codec.mime.summary import Summary
from emailgency.store import layout
from emailgency.store.mailboxes import summary_rows
from emailgency.store.mailboxes.cache_files import CacheFiles
from emailgency.store.mailboxes.folder import UNKNOWN, Folder

T = TypeVar("T")


class Summaries:
    """Read and write the cache of every mailbox."""

    _log = Logger()

    def __init__(self, reactor: IReactorThreads, held: int = 50_000) -> None:
        """At most `held` summaries stay in memory over all folders, some 1.2 kB each."""
        self._files = CacheFiles(reactor, summary_rows.TABLES, summary_rows.VERSION)
        self._most = held
        self._unusable: set[str] = set()
        self._held: dict[Folder, int] = {}  # how many; the folder used last is the last

    async def load(self, folder: Folder, uids: Sequence[int]) -> None:
        """Bring those of these messages (ascending, none in memory) that the cache knows into `folder.summaries`."""
        self._make_room(folder, len(uids))
        if not uids or (folder.summarised != UNKNOWN and uids[0] > folder.summarised):
            return
        key = (folder.path, folder.uidvalidity)

        def read(database: sqlite3.Connection) -> tuple[int, list[tuple[int, Summary]]]:
            return summary_rows.highest(database, key), summary_rows.read(database, key, uids[0], uids[-1])

        folder.summarised, found = await self._read(folder, read) or (0, [])
        gone = []
        for uid, summary in found:
            if folder.index(uid) == UNKNOWN:
                gone.append(uid)
            else:
                folder.summaries.setdefault(uid, summary)
        if gone:
            background(
                "forgetting summaries", self.run(folder, lambda database: summary_rows.forget(database, key, gone))
            )

    def keep(self, folder: Folder, summaries: dict[int, Summary]) -> None:
        """These have just been made; they are on the snapshot already."""
        key = (folder.path, folder.uidvalidity)
        folder.summarised = max(folder.summarised, *summaries)

        background("keeping summaries", self.run(folder, lambda database: summary_rows.write(database, key, summaries)))

    async def load_recent(self, folder: Folder) -> None:
        """Set `folder.recent_from` from what sessions were told, else from what nobody has touched yet (new/)."""
        key = (folder.path, folder.uidvalidity)

        def read(database: sqlite3.Connection) -> tuple[int, int | None]:
            row = database.execute("SELECT told FROM recent WHERE folder = ? AND uidvalidity = ?", key).fetchone()
            return summary_rows.highest(database, key), row[0] if row else None

        folder.summarised, told = await self._read(folder, read) or (0, None)
        if told is None:
            untouched = (uid for uid, name in zip(folder.uids, folder.names, strict=True) if name.startswith("new/"))
            told = next(untouched, folder.uidnext)
        folder.recent_from = max(folder.recent_from, told)

    def keep_recent(self, folder: Folder) -> None:
        """Remember `folder.recent_from`; losing it makes some messages \\Recent twice."""
        row = (folder.path, folder.uidvalidity, folder.recent_from)

        def write(database: sqlite3.Connection) -> None:
            database.execute("INSERT OR REPLACE INTO recent VALUES (?, ?, ?)", row)

        background("keeping \\Recent", self.run(folder, write))

    def _make_room(self, folder: Folder, more: int) -> None:
        """For `more` summaries of `folder`: drop those of the folders unused for longest beyond the bound."""
        self._held.pop(folder, None)
        self._held[folder] = len(folder.summaries) + more
        total = sum(self._held.values())
        for other in list(self._held):
            if total <= self._most:
                break
            total -= self._held.pop(other)
            other.summaries.clear()

    async def _read(self, folder: Folder, work: Callable[[sqlite3.Connection], T]) -> T | None:
        """None when there is no cache yet, too, without making one."""
        return await self.run(folder, work) if os.path.exists(_path(folder)) else None

    async def run(self, folder: Folder, work: Callable[[sqlite3.Connection], T]) -> T | None:
        """Do `work` in a thread; None when the cache could not be used."""
        path = _path(folder)
        try:
            done = await self._files.run(path, work)
            self._unusable.discard(path)
            return done
        except (sqlite3.Error, OSError) as error:
            if path not in self._unusable:
                self._unusable.add(path)  # told once, not at every FETCH while the disk is full
                self._log.warn("summary cache {path!r} not used: {error}", path=path, error=str(error))
            return None


def _path(folder: Folder) -> str:
    return os.path.join(folder.root, layout.mailbox_of(folder.path), summary_rows.FILE)
