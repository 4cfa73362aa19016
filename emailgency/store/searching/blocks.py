"""Texts of some messages in one piece of octets each: a search is one `bytes.find` and a bisection a hit.

All texts are casefolded UTF-8, in which what is found as octets is found as characters.
"""

import re
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence

from msgspec import Struct

from emailgency.codec.mime.search_extract import FIELDS, Extract
from emailgency.codec.mime.sort_keys import SortKeys

OCTETS = 65536  # of a block's texts; above, it is full
MESSAGES = 256  # of a block


class Column(Struct, frozen=True, array_like=True):
    """One text a message. `ends` are native 32-bit numbers: where each ends in `octets`."""

    octets: bytes
    ends: bytes

    def texts(self) -> list[bytes]:
        ends = array("I", self.ends)
        return [self.octets[start:end] for start, end in zip([0, *ends], ends, strict=False)]

    def holding(self, needle: bytes) -> list[int]:
        """Which of the texts hold it, ascending. The empty needle is in each text that is not empty."""
        octets = self.octets
        if not needle:
            return [at for at, text in enumerate(self.texts()) if text]
        at = octets.find(needle)
        if at < 0:
            return []
        ends = array("I", self.ends)
        found = []
        while at >= 0:
            place = bisect_right(ends, at)
            end = ends[place]
            if at + len(needle) <= end:
                found.append(place)
            place += 1  # one across the border is none, nor is any that begins behind it in this text
            while place < len(ends) and ends[place] - end < len(needle):
                end = ends[place]
                place += 1
            at = octets.find(needle, end)
        return found


def column(texts: Iterable[bytes]) -> Column:
    ends = array("I")
    total = 0
    kept = list(texts)
    for text in kept:
        total += len(text)
        ends.append(total)
    return Column(b"".join(kept), ends.tobytes())


class Fields(Struct, frozen=True, array_like=True):
    """What stays in memory of a block: UIDs (native 32-bit), which of them are not whole, and the usual fields."""

    id: int
    uids: bytes
    parts: bytes  # UIDs of messages whose texts are not complete
    columns: dict[str, Column]

    @property
    def octets(self) -> int:
        """About how much memory it takes."""
        return 500 + len(self.uids) + sum(len(one.octets) + len(one.ends) + 150 for one in self.columns.values())


class Texts(Struct, frozen=True, array_like=True):
    """What stays on the disk: all header fields with their names, and the bodies."""

    head: Column
    body: Column


class Block(Struct):
    """Messages on their way to the disk."""

    uids: "array[int]"
    extracts: list[Extract]
    octets: int = 0  # of head and body

    @property
    def full(self) -> bool:
        return len(self.uids) >= MESSAGES or self.octets >= OCTETS

    def add(self, uid: int, extract: Extract) -> None:
        self.uids.append(uid)
        self.extracts.append(extract)
        self.octets += len(extract.head) + len(extract.body)

    def fields(self, id: int) -> Fields:
        parts = array("I", [uid for uid, one in zip(self.uids, self.extracts, strict=True) if not one.whole])
        columns = {name: column(one.fields[name] for one in self.extracts) for name in FIELDS}
        return Fields(id, self.uids.tobytes(), parts.tobytes(), columns)

    def texts(self) -> Texts:
        return Texts(column(one.head for one in self.extracts), column(one.body for one in self.extracts))

    def keys(self) -> list[SortKeys]:
        return [one.keys for one in self.extracts]


def reopened(fields: Fields, texts: Texts, keys: Sequence[SortKeys]) -> Block:
    """A block that is not full, to be added to."""
    parts = set(array("I", fields.parts))
    uids = array("I", fields.uids)
    columns = {name: one.texts() for name, one in fields.columns.items()}
    heads, bodies = texts.head.texts(), texts.body.texts()
    extracts = []
    for at, uid in enumerate(uids):
        fields_of_one = {name: column[at] for name, column in columns.items()}
        extracts.append(Extract(fields_of_one, heads[at], bodies[at], keys[at], uid not in parts))
    return Block(uids, extracts, len(texts.head.octets) + len(texts.body.octets))


def in_named_field(name: str, needle: bytes) -> Callable[[Column], list[int]]:
    """Which heads have a field of this name that holds `needle`; the empty needle is in each such field."""
    begin = b"\0" + name.encode("utf-8", "replace")
    field = re.compile(re.escape(begin) + rb"[ \t]*+:[ \t\r\n]*+([^\0]*+)")

    def holding(heads: Column) -> list[int]:
        octets = heads.octets
        if octets.find(needle) < 0:
            return []
        ends = array("I", heads.ends)
        places = []
        at = octets.find(begin)  # six times as fast as the pattern's own search
        while at >= 0:
            match = field.match(octets, at)
            if match is not None and needle in match[1]:
                places.append(bisect_right(ends, at))
            at = octets.find(begin, at + 1 if match is None else match.end())
        return list(dict.fromkeys(places))

    return holding
