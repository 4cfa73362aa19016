"""The file `uids` of a folder: its UIDVALIDITY and a ceiling no given UID has reached (lines of `codec.records`).

UIDs are reserved in blocks: one fdatasync a block, and after a crash the rest of the block is skipped, so that no UID
is ever given twice. A clean stop writes the exact next one. Later records of other kinds (mod-sequences, expunge
log) may stand between; the last of each kind counts.
"""

import os

import msgspec
from msgspec import Struct

from emailgency.codec import records
from emailgency.store import layout
from emailgency.store.storing import files

BLOCK = 1000
NAME = "uids"
_COMPACT_AT = 64 << 10  # octets: some thousand records, a millisecond to read


class Validity(Struct, frozen=True, tag="validity", tag_field="record"):
    """UIDVALIDITY (RFC 3501 section 2.3.1.1)."""

    value: int


class Reserved(Struct, frozen=True, tag="reserved", tag_field="record"):
    """UIDs below this may have been given."""

    below: int


_Known = Validity | Reserved
_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[_Known] = msgspec.json.Decoder(_Known)


def _line(record: _Known) -> bytes:
    return records.encode(_encoder.encode(record))


class Uids:
    """The numbers of one folder. `next` is UIDNEXT."""

    def __init__(self, folder: int, validity: int, below: int) -> None:
        """`folder` is a descriptor that the owner keeps open."""
        self._folder = folder
        self.validity = validity
        self.next = below
        self._below = below

    @classmethod
    def load(cls, folder: int, *, repair: bool = True) -> "Uids | None":
        """None: no such file, or none of its records can be trusted. `repair`: cut off a torn end, compact."""
        octets = files.read_all(folder, NAME)
        if octets is None:
            return None
        validity, below = 0, 1
        reader = records.Reader()
        try:
            for record in reader.feed(octets):
                known = _decoder.decode(record)
                if isinstance(known, Validity):
                    validity = known.value
                else:
                    below = max(below, known.below)
        except (records.Corrupt, msgspec.ValidationError):
            return None
        if not validity:
            return None
        uids = cls(folder, validity, below)
        if repair and (reader.torn or reader.position > _COMPACT_AT):
            uids.write()
        return uids

    def write(self) -> None:
        """Write the file anew, compact and synced."""
        files.replace(self._folder, NAME, _line(Validity(self.validity)) + _line(Reserved(self._below)))

    def take(self) -> int:
        """The next UID; durable in the sense that nobody gets it again, whatever happens."""
        if self.next >= self._below:
            self.reserve(self.next + BLOCK)
        uid = self.next
        self.next += 1
        return uid

    def reserve(self, below: int) -> None:
        """Raise the ceiling."""
        try:
            descriptor = os.open(NAME, files.APPEND, dir_fd=self._folder)
            try:
                files.write_all(descriptor, _line(Reserved(below)))
                os.fdatasync(descriptor)
            finally:
                os.close(descriptor)
        except OSError:
            self._below, before = below, self._below
            try:
                self.write()  # a new file: the old one's pages cannot be trusted after a failed sync
            except OSError:
                self._below = before
                raise
        self._below = below

    def settle(self) -> None:
        """A clean stop: give back what was reserved and not used."""
        if self._below != self.next:
            self._below = self.next
            self.write()


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
