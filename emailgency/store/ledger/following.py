"""Reads the spool journal behind its writer, record by record, and knows how far it has come.

A position is (segment, octet). What comes before the position that was marked last is read again at a start, as far as
it still stands there: the envelopes of all live messages do, and without them nobody knows whose a message is.
"""

import os
from collections.abc import Iterator

import msgspec
from msgspec import Struct

from emailgency.codec import records
from emailgency.store import layout
from emailgency.store.spool import records as spool_records
from emailgency.store.spool.records import Record

_PIECE = 1 << 20

Position = tuple[int, int]


class Read(Struct, frozen=True):
    """What one piece of the journal held. `again`: it was read before."""

    records: list[Record]
    again: bool


class Following:
    """`complaints` are sentences for the log."""

    def __init__(self, data: str, marked: Position) -> None:
        """Begins with the oldest segment there is; up to `marked` all is known already."""
        self.complaints: list[str] = []
        self._folder = os.path.join(data, layout.JOURNAL)
        self._segment = 0
        self._octet = 0  # where the next piece begins
        self._reader = records.Reader()
        self.marked = self._checked(marked)

    @property
    def position(self) -> Position:
        """All before has been given."""
        return (self._segment, self._reader.position)

    def pieces(self) -> Iterator[Read]:
        """Up to what is there now. A torn last line waits for its end."""
        for number in self._numbers():
            if number < self._segment:
                continue
            if number > self._segment:  # nothing is appended to a segment once there is a younger one
                if 0 < self._segment < number - 1:
                    self.complaints.append(f"journal segments up to {number - 1} went before the ledger had read them")
                self._enter(number)
            while octets := self._piece():
                # A piece that goes beyond the mark is given as new: to write twice does no harm
                again = (self._segment, self._octet) <= self.marked
                yield Read(self._records(octets), again)

    def _checked(self, marked: Position) -> Position:
        numbers = self._numbers() or [0]
        if marked[0] > numbers[-1]:
            return (0, 0)  # the journal was begun anew
        if 0 < marked[0] < numbers[0] - 1:
            self.complaints.append(f"journal segments up to {numbers[0] - 1} went before the ledger had read them")
        return marked

    def _enter(self, number: int) -> None:
        self._segment, self._octet, self._reader = number, 0, records.Reader()

    def _piece(self) -> bytes:
        path = os.path.join(self._folder, os.path.basename(layout.segment(self._segment)))
        try:
            with open(path, "rb") as segment:
                segment.seek(self._octet)
                octets = segment.read(_PIECE)
        except FileNotFoundError:
            return b""
        self._octet += len(octets)
        return octets

    def _records(self, octets: bytes) -> list[Record]:
        found: list[bytes] = []
        while True:
            try:
                found += self._reader.feed(octets)
                break
            except records.Corrupt as error:  # recovery keeps the evidence
                found += error.records
                octets = b""
        decoded: list[Record] = []
        for record in found:
            try:
                decoded.append(spool_records.decode(record))
            except msgspec.MsgspecError as error:
                self.complaints.append(f"a record of segment {self._segment} is not understood: {error}")
        return decoded

    def _numbers(self) -> list[int]:
        try:
            return sorted(int(name[:-4]) for name in os.listdir(self._folder) if name.endswith(".log"))
        except FileNotFoundError:
            return []
