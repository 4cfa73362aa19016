"""Reading the change journal backwards for one customer, or for all: who changed what, from where, when.

The newest segment is read first. However long the journal is, one page reads at most `_OCTETS` of it and the rest of
the segment it is in; what is older is another page. Only a thread reads; the
journal's writer is not asked and not held up.
"""

import contextlib
import os
from collections import deque
from typing import Any

from msgspec import Struct

from emailgency.background import in_thread
from emailgency.codec import records
from emailgency.store.directory.changes import Change, decode_change

_OCTETS = 16 << 20
_PIECE = 1 << 18


class AuditPage(Struct, frozen=True):
    """Changes, the newest first. `older`: the position below which the next page begins; None: this is the end."""

    changes: list[Change]
    older: int | None


class Audit:
    """`folder` is that of the change journal."""

    def __init__(self, reactor: Any, folder: str) -> None:
        self._reactor = reactor
        self._folder = folder

    async def page(self, customer: str | None, before: int | None, most: int) -> AuditPage:
        """At most `most` changes of this customer (None: of everybody, and of the server itself) with a position below
        `before` (None: the newest).
        """
        return await in_thread(self._reactor, self._page, customer, before, most)

    def _page(self, customer: str | None, before: int | None, most: int) -> AuditPage:
        """Blocks."""
        found: list[Change] = []
        read = 0
        end = before  # of the segment in hand: what stands there at or beyond it never happened (store.journal)
        for first in reversed(self._segments()):
            if end is None or first < end:
                path = os.path.join(self._folder, f"{first:012}.log")
                found += self._last(path, customer, end, most - len(found))
                read += os.path.getsize(path)
                if len(found) == most:
                    return AuditPage(found, found[-1].position)
                if read > _OCTETS:
                    return AuditPage(found, first)
                end = first
        return AuditPage(found, None)

    def _segments(self) -> list[int]:
        with contextlib.suppress(FileNotFoundError):
            return sorted(int(name[:-4]) for name in os.listdir(self._folder) if name.endswith(".log"))
        return []

    def _last(self, path: str, customer: str | None, end: int | None, most: int) -> list[Change]:
        """The last ones of a segment, newest first."""
        # Spares the others their decoding; a look at the record decides
        mark = b"" if customer is None else f'"customer":"{customer}"'.encode()
        kept: deque[Change] = deque(maxlen=most)
        reader = records.Reader()
        with open(path, "rb") as file:
            while octets := file.read(_PIECE):
                for line in reader.feed(octets):
                    if mark not in line:
                        continue
                    change = decode_change(line)
                    if end is not None and change.position >= end:
                        return list(reversed(kept))
                    if customer is None or change.customer == customer:
                        kept.append(change)
        return list(reversed(kept))
