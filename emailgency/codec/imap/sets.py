"""Sequence sets (RFC 3501 §9 `sequence-set`): intervals, never expanded, clipped to the mailbox when used.

`1:4294967295` costs as much as `1`; a set of 64 KB is parsed and resolved in time linear in its length
(plus one sort), whatever it says (reliability row 27).
"""

import re
from collections.abc import Iterable
from itertools import pairwise

from msgspec import Struct

STAR = 1 << 32  # `*`: greater than every nz-number, so that `5:*` orders without a special case
_NUMBER = rb"(?:[1-9][0-9]{0,9}|\*)"
_SET = re.compile(rb"%b(?::%b)?(?:,%b(?::%b)?)*+" % (_NUMBER, _NUMBER, _NUMBER, _NUMBER))


class SequenceSet(Struct, frozen=True):
    """Intervals as the client wrote them, each (low, high) with low <= high; STAR is the largest number in use.

    `saved` is `$`, the result of the last SEARCH (RFC 5182); then there are no intervals.
    """

    intervals: tuple[tuple[int, int], ...]
    saved: bool = False

    def resolve(self, largest: int) -> list[tuple[int, int]]:
        """Ascending, disjoint intervals of numbers from 1 to `largest`, the number `*` stands for.

        With UIDs `largest` is the largest UID in the mailbox: `900:*` then always holds it, even when it is
        below 900 (RFC 3501 §6.4.8). In an empty mailbox (0) nothing is left.
        """
        found: list[tuple[int, int]] = []
        for low, high in self.intervals:
            first = min(low, largest) if high == STAR else low
            if 0 < first <= largest:
                found.append((first, min(high, largest)))
        if len(found) > 1:
            found.sort()
        return _merged(found)

    def beyond(self, largest: int) -> bool:
        """Whether a number (not `*`) above `largest` is named: with sequence numbers a mistake of the client."""
        return any(largest < low < STAR or largest < high < STAR for low, high in self.intervals)


def _merged(ascending: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for low, high in ascending:
        if merged and low <= merged[-1][1] + 1:
            if high > merged[-1][1]:
                merged[-1] = (merged[-1][0], high)
        else:
            merged.append((low, high))
    return merged


def parse(text: bytes) -> SequenceSet | None:
    """The set `text` spells, or None when it spells none (a number of 0 or above 2**32-1, a stray comma)."""
    if not _SET.fullmatch(text):
        return None
    intervals = []
    for element in text.split(b","):
        low, colon, high = element.partition(b":")
        first = STAR if low == b"*" else int(low)
        last = first if not colon else STAR if high == b"*" else int(high)
        if (first >= STAR and low != b"*") or (last >= STAR and colon and high != b"*"):
            return None
        intervals.append((first, last) if first <= last else (last, first))
    return SequenceSet(tuple(intervals))


def compress(numbers: Iterable[int]) -> bytes:
    """`1:3,7` for 1, 2, 3, 7 in this order; runs only where they ascend by one (COPYUID pairs both sets by place)."""
    column = list(numbers)
    begins = [0, *(at for at, (one, next) in enumerate(pairwise(column), 1) if next != one + 1)]
    runs = [(column[begin], column[end - 1]) for begin, end in pairwise([*begins, len(column)])] if column else []
    return b",".join([b"%d" % low if low == high else b"%d:%d" % (low, high) for low, high in runs])
