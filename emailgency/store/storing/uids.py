"""The file `uids` of a folder: its UIDVALIDITY and ceilings no given UID or mod-sequence has reached (`codec.records`).

UIDs are reserved in blocks: one fdatasync a block, and after a crash the rest of the block is skipped, so that no UID
is ever given twice. Mod-sequences (RFC 7162) are the clock in microseconds but always growing, and reserved with the
UIDs for an hour ahead: a clock that steps back at a crash repeats none. A clean stop writes the exact next ones, and
`Settled`, which says that the file `modseqs` is true. The last record of each kind counts.
"""

import contextlib
import os
import time

import msgspec
from msgspec import Struct

from emailgency.codec import records
from emailgency.store import layout
from emailgency.store.storing import files

BLOCK = 1000
HOUR = 3_600_000_000  # of mod-sequences
NAME = "uids"
_COMPACT_AT = 64 << 10  # octets: some thousand records, a millisecond to read


class Validity(Struct, frozen=True, tag="validity", tag_field="record"):
    """UIDVALIDITY (RFC 3501 section 2.3.1.1)."""

    value: int


class Reserved(Struct, frozen=True, tag="reserved", tag_field="record"):
    """UIDs and mod-sequences below these may have been given. Voids a `Settled` before it."""

    below: int
    modseq: int = 0


class Settled(Struct, frozen=True, tag="settled", tag_field="record"):
    """A clean stop: as long as the folder looks like this, the file `modseqs` of this checksum tells all of it."""

    modseq: int  # HIGHESTMODSEQ
    looks: tuple[int, ...]  # `Maildir.looks`
    checksum: int


Known = Validity | Reserved | Settled
_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[Known] = msgspec.json.Decoder(Known)


def _line(record: Known) -> bytes:
    return records.encode(_encoder.encode(record))


class Uids:
    """The numbers of one folder. `next` is UIDNEXT, `highest` HIGHESTMODSEQ."""

    def __init__(self, folder: int, validity: int, below: int, modseq: int = 0) -> None:
        """`folder` is a descriptor that the owner keeps open; `modseq` is the ceiling of mod-sequences."""
        self._folder = folder
        self.validity = validity
        self.next = below
        self.highest = max(0, modseq - 1)
        self.settled: Settled | None = None  # nothing has changed since
        self._below = below
        self._modseq_below = modseq
        self._synced = True  # the file, and its name; else it is before the first number of it is given
        self._whole = True  # it does not end in half a line

    @classmethod
    def make(cls, folder: int, validity: int, below: int, *, sync: bool = True) -> "Uids":
        """The file of a new folder, written. Without `sync` a loss of power may give the folder another UIDVALIDITY as
        long as it has given no UID.
        """
        uids = cls(folder, validity, below)
        uids._modseq_below = _now() + HOUR
        uids.write(sync=sync)
        uids._synced = sync
        return uids

    @classmethod
    def load(cls, folder: int, *, repair: bool = True) -> "Uids | None":
        """None: no such file, or none of its records can be trusted. `repair`: cut off a torn end, compact."""
        octets = files.read_all(folder, NAME)
        if octets is None:
            return None
        validity, below, modseq = 0, 1, 0
        settled: Settled | None = None
        reader = records.Reader()
        try:
            for record in reader.feed(octets):
                known = _decoder.decode(record)
                if isinstance(known, Validity):
                    validity = known.value
                elif isinstance(known, Settled):
                    settled = known
                else:
                    below, modseq, settled = max(below, known.below), max(modseq, known.modseq), None
        except (records.Corrupt, msgspec.ValidationError):
            return None
        if not validity:
            return None
        uids = cls(folder, validity, below, modseq)
        uids._whole = not reader.torn
        if settled is not None and not reader.torn:
            uids.settled, uids.highest = settled, settled.modseq
        if repair and (reader.torn or reader.position > _COMPACT_AT):
            uids.write()
        return uids

    def write(self, *, sync: bool = True) -> None:
        """Write the file anew, compact and synced."""
        lines = _line(Validity(self.validity)) + _line(Reserved(self._below, self._modseq_below))
        files.replace(self._folder, NAME, lines + (_line(self.settled) if self.settled else b""), sync=sync)
        self._whole = self._synced = True

    def take(self) -> int:
        """The next UID; durable in the sense that nobody gets it again, whatever happens."""
        if self.next >= self._below:
            self.reserve(self.next + BLOCK)
        uid = self.next
        self.next += 1
        return uid

    def take_modseq(self, uids: int = BLOCK) -> int:
        """A mod-sequence above all others of the folder, to be taken before the change itself is made.

        When it has to be reserved, so many `uids` that may follow are reserved by the same sync.
        """
        modseq = max(self.highest + 1, _now())
        if self.settled is not None or modseq >= self._modseq_below:
            # On a full disk flags can still be changed and mail be removed; that the folder does not look as
            # `Settled` says then speaks for itself, and only a clock that steps back as well could do harm.
            with contextlib.suppress(OSError):
                self.reserve(max(self._below, self.next + uids), modseq)
        self.highest = modseq
        return modseq

    def reserve(self, below: int, modseq: int = 0) -> None:
        """Raise both ceilings; that of the mod-sequences to an hour above `modseq` and the clock."""
        before = self._below, self._modseq_below
        self._below, self._modseq_below = below, max(self._modseq_below, max(modseq, _now()) + HOUR)
        self.settled = None
        try:
            self._append(Reserved(self._below, self._modseq_below), sync=True)
        except OSError:
            self._below, self._modseq_below = before
            raise

    def settle(self, settled: Settled | None) -> None:
        """A clean stop: give back UIDs that were reserved and not used. None: nobody can say what `modseqs` is worth.

        When there are none to give back nothing is synced: who opens ten thousand folders closes most of them again,
        and what a loss of power takes of `Settled` costs clients a comparison of the folder.
        """
        if self.settled is not None:
            return
        self.settled = settled
        try:
            if self._below > self.next:
                self._below, self._modseq_below = self.next, self.highest + 1
                self.write()
            elif settled is not None:
                self._append(settled, sync=False)
        except OSError:
            self.settled = None
            raise

    def _append(self, record: Known, *, sync: bool) -> None:
        """`record` is of what the fields say already."""
        if self._whole and (self._synced or not sync):
            self._whole = False
            with contextlib.suppress(OSError):
                descriptor = os.open(NAME, files.APPEND, dir_fd=self._folder)
                try:
                    files.write_all(descriptor, _line(record))
                    if sync:
                        os.fdatasync(descriptor)
                finally:
                    os.close(descriptor)
                self._whole = True
                return
        self.write()  # a new file: nothing can follow half a line, nor can pages be trusted that failed to be synced


def _now() -> int:
    return int(time.time() * 1e6)


class Validities:
    """UIDVALIDITY values: the time in seconds, but growing even when the clock steps back."""

    def __init__(self, root: int) -> None:
        self._root = root
        octets = files.read_all(root, layout.UIDVALIDITY)
        self._below = int(octets) if octets and octets.strip().isdigit() else 1
        self._last = self._below - 1

    def take(self, now: float) -> int:
        """A fresh value. Values are reserved in blocks as UIDs are."""
        value = max(self._last + 1, int(now))
        if value >= self._below:
            below = value + BLOCK
            files.replace(self._root, layout.UIDVALIDITY, b"%d\n" % below)
            self._below = below
        self._last = value
        return value
