"""The caches of many mailboxes in threads of the server: a file is used by one of them at a time."""

import sqlite3
from collections.abc import Callable
from typing import TypeVar

from msgspec import Struct
from twisted.internet.defer import DeferredLock
from twisted.internet.interfaces import IReactorThreads
from twisted.internet.threads import deferToThreadPool

from emailgency.store.mailboxes.cache_file import CacheFile

_OPEN = 64  # files, three descriptors and at most a megabyte each

T = TypeVar("T")


class _Shared(Struct, frozen=True):
    """A file, and who uses it now."""

    file: CacheFile
    lock: DeferredLock


class CacheFiles:
    """Of one kind (`CacheFile`); at most so many stay open."""

    def __init__(self, reactor: IReactorThreads, tables: str, version: int, most: int = _OPEN) -> None:
        self._reactor = reactor
        self._tables = tables
        self._version = version
        self._most = most
        self._open: dict[str, _Shared] = {}  # the one used last is the last

    async def run(self, path: str, work: Callable[[sqlite3.Connection], T]) -> T:
        """`CacheFile.do` in a thread, one after the other for each file."""
        shared = self._open.pop(path, None)
        if shared is None:
            shared = _Shared(CacheFile(path, self._tables, self._version), DeferredLock())
        self._open[path] = shared
        if len(self._open) > self._most:
            self._close_one()
        pool = self._reactor.getThreadPool()
        done: T = await shared.lock.run(deferToThreadPool, self._reactor, pool, shared.file.do, work)
        return done

    def _close_one(self) -> None:
        """The one that nobody has used for longest."""
        path = next((path for path, shared in self._open.items() if not shared.lock.locked), None)
        if path is not None:
            self._reactor.getThreadPool().callInThread(self._open.pop(path).file.close)
