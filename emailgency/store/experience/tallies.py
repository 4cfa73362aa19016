"""How much happened for each customer: by the hour for two days, by the day for a year; one SQLite file.

Counted in memory and written once a minute in a thread, so counting costs a dictionary entry, and a kill loses a minute
of it. A customer has at most so many rows, however much happens.
"""

import contextlib
import os
from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from twisted.logger import Logger

from emailgency.background import in_thread
from emailgency.model.errors import Temporary

if TYPE_CHECKING:
    import sqlite3  # 3 ms and 1 MB that the first banner need not wait for

HOUR, DAY = 3600, 86_400
KEPT = {HOUR: 49 * HOUR, DAY: 400 * DAY}  # seconds that the buckets of a span are kept
_WAITING = 200_000  # numbers in memory, some 40 MB, while the disk takes none; what is beyond is not counted
_TABLE = """
CREATE TABLE IF NOT EXISTS tally (
    customer TEXT, span INTEGER, at INTEGER, what TEXT, number INTEGER,
    PRIMARY KEY (customer, span, what, at)
) WITHOUT ROWID
"""
_ADD = "INSERT INTO tally VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET number = number + excluded.number"
_HIGHEST = "INSERT INTO tally VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET number = max(number, excluded.number)"


class Tally(Enum):
    """What is counted. PENDING is a level: the most that waited at once."""

    RECEIVED = "received"  # messages from other servers
    SENT = "sent"  # messages that users have sent
    REFUSED = "refused"  # recipients that a server was told no, for now or for good
    PENDING = "pending"  # messages that waited for the customer's server


class Bucket(Struct, frozen=True):
    """An hour or a day, by the second at which it begins; UTC."""

    at: int
    number: int


Key = tuple[str, int, int, str]  # customer, span, beginning, what


class Tallies:
    """One for all customers; `path` is its file."""

    _log = Logger()

    def __init__(self, reactor: Any, path: str, clock: Callable[[], float]) -> None:
        self._reactor = reactor
        self._path = path
        self._clock = clock
        self._more: dict[Key, int] = {}
        self._levels: dict[Key, int] = {}
        self._pruned = 0

    def count(self, customer: str, what: Tally) -> None:
        """One more, now."""
        now = int(self._clock())
        for span in KEPT:
            key = (customer, span, now - now % span, what.value)
            if key in self._more or len(self._more) < _WAITING:
                self._more[key] = self._more.get(key, 0) + 1

    def level(self, customer: str, what: Tally, number: int) -> None:
        """So many there are now."""
        now = int(self._clock())
        for span in KEPT:
            key = (customer, span, now - now % span, what.value)
            if key in self._levels or len(self._levels) < _WAITING:
                self._levels[key] = max(number, self._levels.get(key, 0))

    async def write(self) -> None:
        """What was counted since the last time; on failure it is kept for the next one."""
        more, self._more = self._more, {}
        levels, self._levels = self._levels, {}
        now = int(self._clock())
        prune = now >= self._pruned + HOUR
        try:
            await self._in_thread(self._write, more, levels, now if prune else None)
        except Temporary as error:
            self._log.error("counts are not written: {error}", error=str(error))
            for key, number in more.items():
                self._more[key] = self._more.get(key, 0) + number
            for key, number in levels.items():
                self._levels[key] = max(number, self._levels.get(key, 0))
            return
        if prune:
            self._pruned = now

    async def stop(self) -> None:
        """Nothing is counted any more."""
        await self.write()

    async def series(self, customer: str, what: Tally, span: int, count: int) -> list[Bucket]:
        """The last `count` hours or days, up to now; those in which nothing happened too."""
        now = int(self._clock())
        first = now - now % span - (count - 1) * span
        try:
            found: dict[int, int] = await self._in_thread(self._read, customer, what.value, span, first)
        except Temporary as error:
            self._log.error("counts are not read: {error}", error=str(error))
            found = {}
        buckets = []
        for at in range(first, first + count * span, span):
            key = (customer, span, at, what.value)
            number = found.get(at, 0) + self._more.get(key, 0)
            buckets.append(Bucket(at, max(number, self._levels.get(key, 0))))
        return buckets

    # ---- in a thread ---------------------------------------------------------------------------------------

    def _write(self, more: dict[Key, int], levels: dict[Key, int], prune: int | None) -> None:
        with contextlib.closing(self._opened()) as database, database:
            database.executemany(_ADD, [(*key, number) for key, number in more.items()])
            database.executemany(_HIGHEST, [(*key, number) for key, number in levels.items()])
            if prune is not None:
                for span, kept in KEPT.items():
                    database.execute("DELETE FROM tally WHERE span = ? AND at < ?", (span, prune - kept))

    def _read(self, customer: str, what: str, span: int, first: int) -> dict[int, int]:
        wanted = "SELECT at, number FROM tally WHERE customer = ? AND span = ? AND what = ? AND at >= ?"
        with contextlib.closing(self._opened()) as database:
            return dict(database.execute(wanted, (customer, span, what, first)))

    def _opened(self) -> "sqlite3.Connection":
        """A damaged file is put aside: these are only numbers."""
        import sqlite3

        try:
            return self._connected()
        except sqlite3.OperationalError:
            raise  # busy, full or read-only, not damaged
        except sqlite3.DatabaseError as error:
            self._log.error("{path} is damaged and put aside: {error}", path=self._path, error=str(error))
            os.replace(self._path, f"{self._path}.damaged")
            return self._connected()

    def _connected(self) -> "sqlite3.Connection":
        import sqlite3

        database = sqlite3.connect(self._path, timeout=10)
        try:
            database.execute(_TABLE)
        except BaseException:
            database.close()
            raise
        return database

    def _guarded(self, function: Callable[..., Any], *arguments: object) -> Any:
        import sqlite3

        try:
            return function(*arguments)
        except (sqlite3.Error, OSError) as error:
            raise Temporary(str(error)) from error

    async def _in_thread(self, function: Callable[..., Any], *arguments: object) -> Any:
        """Raises Temporary."""
        return await in_thread(self._reactor, self._guarded, function, *arguments)
