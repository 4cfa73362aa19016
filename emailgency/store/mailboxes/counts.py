"""How many messages folders hold, how many octets and since when, counted from file names in threads.

A folder is counted again when one of its two directories has changed, so asking costs two stats a folder, 5 µs.
"""

import contextlib
import os
import time
from collections.abc import Sequence

from msgspec import Struct
from twisted.internet.interfaces import IReactorThreads

from emailgency.background import in_thread
from emailgency.rules.room import Count
from emailgency.store.mailboxes.folder import UNKNOWN, size_of

_TICK = 2.0  # seconds; the coarsest clock of a file system we may lie on
_KEPT = 20_000  # folders remembered, some 4 MB

NEVER = float("inf")
_DIGITS = 11  # of a time in seconds

Times = tuple[int, ...]


class Holding(Struct, frozen=True):
    """`oldest`: when the oldest message came, seconds since the epoch; NEVER: none has."""

    count: Count = Count()
    oldest: float = NEVER


class Counts:
    """`root` is the data folder."""

    def __init__(self, reactor: IReactorThreads, root: str) -> None:
        self._reactor = reactor
        self._root = root
        self._known: dict[str, tuple[Times, Holding]] = {}  # path -> mtimes of new/ and cur/ when it was counted

    async def of(self, paths: Sequence[str]) -> Count:
        """The sum over folders (paths below the data folder); one that is not there holds nothing."""
        return (await self.holding(paths)).count

    async def holding(self, paths: Sequence[str]) -> Holding:
        """The same, with the second at which the oldest message came."""
        total = await in_thread(self._reactor, self._sum, tuple(paths))
        while len(self._known) > _KEPT:
            del self._known[next(iter(self._known))]
        return total

    def _sum(self, paths: tuple[str, ...]) -> Holding:
        found = [self._one(path) for path in paths]
        return Holding(sum((one.count for one in found), Count()), min((one.oldest for one in found), default=NEVER))

    def _one(self, path: str) -> Holding:
        parts = [f"{self._root}/{path}/{part}" for part in ("new", "cur")]
        looked = time.time()
        try:
            times = tuple(os.stat(part).st_mtime_ns for part in parts)
        except OSError:
            return Holding()
        known = self._known.get(path)
        if known is not None and known[0] == times:
            return known[1]
        found = _count(parts)
        if max(times) / 1e9 < looked - _TICK:  # a younger change may have a sister in the same tick
            self._known[path] = (times, found)
        return found


def came_at(name: str) -> float:
    """The second at which a message came to this mailbox, from its file name; NEVER when that does not say.

    A move leaves it as it is, a copy is new; what a mail program says of the date of an upload does not matter.
    """
    seconds, dot, _ = name.partition(".")
    return float(seconds) if dot and len(seconds) <= _DIGITS and seconds.isascii() and seconds.isdigit() else NEVER


def octets_of(directory: str, name: str) -> int:
    """Of a message, from its file name; a name that does not say costs a stat."""
    size = size_of(name)
    if size == UNKNOWN:
        with contextlib.suppress(OSError):
            size = os.stat(f"{directory}/{name}").st_size
    return max(0, size)


def _count(parts: Sequence[str]) -> Holding:
    messages = octets = 0
    oldest = NEVER
    for part in parts:
        with contextlib.suppress(FileNotFoundError):
            for name in os.listdir(part):
                messages += 1
                octets += octets_of(part, name)
                oldest = min(oldest, came_at(name))
    return Holding(Count(messages, octets), oldest)
