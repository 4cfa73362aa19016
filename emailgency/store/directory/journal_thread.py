"""The change journal as the reactor sees it: its blocking calls in a thread, and snapshots when they are due.

Whoever calls holds the lock of the directory's changes, so the journal is never called twice at once.
"""

from collections.abc import Callable
from typing import Any

from emailgency.background import in_thread
from emailgency.model.errors import Temporary
from emailgency.store.directory.changes import Change
from emailgency.store.directory.journal import Journal, Mark, Tables

_DAY = 86_400.0


class JournalThread:
    """`snapshot_octets` of changes, or a day, make a snapshot due."""

    def __init__(self, reactor: Any, journal: Journal, clock: Callable[[], float], snapshot_octets: int) -> None:
        self._reactor = reactor
        self._journal = journal
        self._clock = clock
        self._snapshot_octets = snapshot_octets
        self._octets = 0
        self._due = 0.0

    @property
    def mark(self) -> Mark:
        """The last change."""
        return self._journal.mark

    @property
    def snapshot_due(self) -> bool:
        return self._octets > self._snapshot_octets or self._clock() > self._due

    async def open(self) -> None:
        """Raises Broken, Corrupt."""
        await in_thread(self._reactor, self._journal.open)
        self._octets = await in_thread(self._reactor, self._journal.size_after_snapshot)
        self._due = self._clock() + _DAY

    async def append(self, change: Change) -> Mark:
        """Returns when it is on stable storage; Temporary: it did not happen."""
        self._octets += sum(len(bytes(edit.after)) + 100 for edit in change.edits)
        try:
            return await in_thread(self._reactor, self._journal.append, change)
        except OSError as error:
            raise Temporary(f"the change journal cannot be written: {error}") from error

    async def tables(self) -> tuple[Tables, Mark]:
        return await in_thread(self._reactor, self._journal.tables)

    async def snapshot(self) -> None:
        self._octets, self._due = 0, self._clock() + _DAY
        await in_thread(self._reactor, self._journal.snapshot)

    async def close(self) -> None:
        await in_thread(self._reactor, self._journal.close)
