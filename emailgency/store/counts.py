"""How many messages folders hold and how many octets, counted from file names in threads.

A folder is counted again when one of its two directories has changed, so asking costs two stats a folder, 5 µs.
"""

import contextlib
import os
import time
from collections.abc import Sequence

from twisted.internet.interfaces import IReactorThreads
from twisted.internet.threads import deferToThreadPool

from emailgency.rules.room import Count
from emailgency.store.folder import UNKNOWN, size_of

_TICK = 2.0  # seconds; the coarsest clock of a file system we may lie on
_KEPT = 20_000  # folders remembered, some 4 MB

Times = tuple[int, ...]


class Counts:
    """`root` is the data folder."""

    def __init__(self, reactor: IReactorThreads, root: str) -> None:
        self._reactor = reactor
        self._root = root
        self._known: dict[str, tuple[Times, Count]] = {}  # path -> mtimes of new/ and cur/ when it was counted

    async def of(self, paths: Sequence[str]) -> Count:
        """The sum over folders (paths below the data folder); one that is not there holds nothing."""
        total: Count = await deferToThreadPool(self._reactor, self._reactor.getThreadPool(), self._sum, tuple(paths))
        while len(self._known) > _KEPT:
            del self._known[next(iter(self._known))]
        return total

    def _sum(self, paths: tuple[str, ...]) -> Count:
        return sum(map(self._one, paths), Count())

    def _one(self, path: str) -> Count:
        parts = [f"{self._root}/{path}/{part}" for part in ("new", "cur")]
        looked = time.time()
        try:
            times = tuple(os.stat(part).st_mtime_ns for part in parts)
        except OSError:
            return Count()
        known = self._known.get(path)
        if known is not None and known[0] == times:
            return known[1]
        found = sum((_count(part) for part in parts), Count())
        if max(times) / 1e9 < looked - _TICK:  # a younger change may have a sister in the same tick
            self._known[path] = (times, found)
        return found


def _count(directory: str) -> Count:
    messages = octets = 0
    with contextlib.suppress(FileNotFoundError):
        for name in os.listdir(directory):
            size = size_of(name)
            if size == UNKNOWN:
                with contextlib.suppress(OSError):
                    size = os.stat(f"{directory}/{name}").st_size
            messages += 1
            octets += max(0, size)
    return Count(messages, octets)
