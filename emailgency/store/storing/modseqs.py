"""Mod-sequences of one folder, and which messages have gone (RFC 7162): columns in memory, the file `modseqs` at rest.

A message without an entry has the mod-sequence `floor`. The file is written when the folder is put away and counts
only while `uids` says so (`uids.Settled`: nothing has happened since, and the octets are those). Whoever cannot be
sure calls `reset`: then every message counts as changed and no earlier expunge is known, which costs clients a
comparison of the whole folder and never a change.
"""

import sys
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable

import msgspec
from msgspec import Struct

from emailgency.codec import records
from emailgency.store.storing import files
from emailgency.store.storing.uids import Uids

NAME = "modseqs"
GONE = 20_000  # expunges remembered, 12 octets each; who comes with an older mod-sequence compares the whole folder


class Kept(Struct, frozen=True, array_like=True):
    """The file: columns of equal length, `since` is where the memory of expunges begins."""

    floor: int
    since: int
    uids: list[int]
    modseqs: list[int]
    gone: list[int]
    gone_modseqs: list[int]


_decoder = msgspec.json.Decoder(Kept)


class Modseqs:
    """Made by `Maildir`; `uids` gives fresh mod-sequences."""

    _uids: "array[int]"
    _modseqs: "array[int]"
    _gone: "array[int]"
    _gone_modseqs: "array[int]"

    def __init__(self, folder: int, numbers: Uids) -> None:
        """`folder` is a descriptor that the owner keeps open."""
        self._folder = folder
        self.numbers = numbers
        self.floor = 0
        self.since = 0  # expunges behind this mod-sequence are known
        self._checksum: int | None = None  # of a file that is still to be read
        self._clear()

    def at_rest(self, checksum: int) -> None:
        """The file with this checksum holds everything; it is read when somebody asks."""
        self._clear()
        self.since = 0
        self._checksum = checksum

    def reset(self) -> None:
        """Nothing is certain: all messages have changed just now."""
        self._checksum = None
        self.floor = self.since = self.numbers.take_modseq(uids=0)
        self._clear()

    def _clear(self) -> None:
        self._uids, self._modseqs = array("I"), array("Q")
        self._gone, self._gone_modseqs = array("I"), array("Q")

    # ---- changes -----------------------------------------------------------------------------------------

    def set(self, uid: int, modseq: int) -> None:
        """A message came or changed."""
        if not self._uids or uid > self._uids[-1]:
            self._uids.append(uid)
            self._modseqs.append(modseq)
            return
        at = bisect_left(self._uids, uid)
        if self._uids[at] == uid:
            self._modseqs[at] = modseq
        else:
            self._uids.insert(at, uid)
            self._modseqs.insert(at, modseq)

    def gone(self, uids: Iterable[int], modseq: int) -> None:
        """Messages have gone."""
        for uid in uids:
            at = bisect_left(self._uids, uid)
            if at < len(self._uids) and self._uids[at] == uid:
                del self._uids[at], self._modseqs[at]
            self._gone.append(uid)
            self._gone_modseqs.append(modseq)
        if len(self._gone) > GONE:
            self._forget(len(self._gone) - GONE // 2)

    def _forget(self, count: int) -> None:
        self.since = self._gone_modseqs[count - 1]
        del self._gone[:count], self._gone_modseqs[:count]

    # ---- questions ---------------------------------------------------------------------------------------

    def column(self, uids: Iterable[int]) -> bytes:
        """The mod-sequences of these messages, 8 octets each, as `array("Q")` of this machine holds them."""
        self._read()
        known = dict(zip(self._uids, self._modseqs, strict=True))
        floor = self.floor
        return array("Q", [known.get(uid, floor) for uid in uids]).tobytes()

    def vanished(self, since: int) -> "array[int] | None":
        """UIDs that went behind the mod-sequence `since`; None: it is not known any more."""
        self._read()
        if since < self.since:
            return None
        return self._gone[bisect_right(self._gone_modseqs, since) :]

    # ---- the file ----------------------------------------------------------------------------------------

    def save(self) -> int:
        """Write it, unsynced: a file that is not whole after a crash shows by its checksum, which is returned."""
        self._read()
        kept = Kept(
            self.floor, self.since, list(self._uids), list(self._modseqs), list(self._gone), list(self._gone_modseqs)
        )
        line = records.encode(msgspec.json.encode(kept))
        files.replace(self._folder, NAME, line, sync=False)
        return int(line[:8], 16)

    def put_away(self) -> None:
        """Out of memory; what we have to remember is in the file, of which nobody else needs to know yet."""
        self.at_rest(self.save())

    def _read(self) -> None:
        """Bring what the file holds below what has happened since."""
        expected, self._checksum = self._checksum, None
        if expected is None:
            return
        later = list(zip(self._uids, self._modseqs, strict=True))
        gone, gone_modseqs = self._gone, self._gone_modseqs
        kept = self._kept(expected)
        if kept is None:
            print(f"{NAME}: not as it was left, all messages count as changed", file=sys.stderr, flush=True)
            self.reset()
            return
        self.floor, self.since = kept.floor, max(kept.since, self.since)
        self._uids, self._modseqs = array("I", kept.uids), array("Q", kept.modseqs)
        self._gone, self._gone_modseqs = array("I", kept.gone), array("Q", kept.gone_modseqs)
        for uid, modseq in later:
            self.set(uid, modseq)
        for uid, modseq in zip(gone, gone_modseqs, strict=True):
            self.gone((uid,), modseq)

    def _kept(self, expected: int) -> Kept | None:
        line = files.read_all(self._folder, NAME) or b""
        if line[:9] != b"%08x " % expected:
            return None
        record = records.decode(line.removesuffix(b"\n"))
        try:
            return None if record is None else _decoder.decode(record)
        except msgspec.DecodeError:
            return None
