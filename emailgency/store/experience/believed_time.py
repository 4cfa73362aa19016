"""What time it was when the wall clock was last believed, over restarts: one small file (`codec.records`).

A clock that has jumped ahead while nobody was there to see it is known by it.
"""

import os
from typing import Any

from emailgency.background import in_thread
from emailgency.codec import records
from emailgency.store import layout
from emailgency.store.storing import files

DAMAGED = float("-inf")  # older than any time: whoever rests on it believes no clock


class BelievedTime:
    """`data` is the data folder."""

    def __init__(self, reactor: Any, data: str) -> None:
        self._reactor = reactor
        self._data = data

    def read(self) -> float:
        """Seconds since the epoch. DAMAGED: the file is no good, or there is none beside mailboxes; infinity: nobody
        has any mail yet. Blocks for 0.1 ms; it is asked once a start.
        """
        path = os.path.join(self._data, layout.BELIEVED_TIME)
        try:
            if not os.path.exists(path):
                return DAMAGED if _somebody(self._data) else float("inf")
            with open(path, "rb") as file:
                return float(records.decode(file.read(100).rstrip(b"\n")) or DAMAGED)
        except (OSError, ValueError):
            return DAMAGED

    async def write(self, now: float) -> None:
        """Raises OSError; then the file is the one that was there."""
        await in_thread(self._reactor, self._replace, records.encode(b"%d" % now))

    def _replace(self, octets: bytes) -> None:
        folder = os.open(self._data, files.FOLDER)
        try:
            files.replace(folder, layout.BELIEVED_TIME, octets)
        finally:
            os.close(folder)


def _somebody(data: str) -> bool:
    """Whether a customer has a mailbox on disk."""
    customers = os.path.join(data, "customers")
    if not os.path.isdir(customers):
        return False
    with os.scandir(customers) as found:
        return any(os.path.isdir(os.path.join(customer.path, "mailboxes")) for customer in found)
