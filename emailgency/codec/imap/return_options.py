"""What SEARCH, SORT and FETCH are to give back of what they find: `RETURN (MIN COUNT PARTIAL -1:-100 SAVE)`.

RFC 4731 (ESEARCH), RFC 5182 (SAVE), RFC 5267 (SORT takes the same), RFC 9394 (PARTIAL, and a modifier of FETCH).
"""

import re
from typing import TypeVar

from msgspec import Struct

from emailgency.codec.imap.grammar import Cursor, ProtocolError

T = TypeVar("T")

_RANGE = re.compile(rb"(-?)([1-9][0-9]{0,9}):(-?)([1-9][0-9]{0,9})(?=[ )])")
_LARGEST = (1 << 32) - 1
_WORDS = frozenset({"MIN", "MAX", "ALL", "COUNT", "SAVE"})


class Partial(Struct, frozen=True):
    """A page of a list, places from `first` to `last` counted from 1; `backwards` from its end."""

    first: int
    last: int
    backwards: bool

    def cut(self, found: list[T]) -> list[T]:
        """The page in the list's own order."""
        if not self.backwards:
            return found[self.first - 1 : self.last]
        return found[max(0, len(found) - self.last) : max(0, len(found) - self.first + 1)]


class Returns(Struct, frozen=True):
    """Options without PARTIAL in capitals. None of them means ALL, unless there is `partial`."""

    words: frozenset[str]
    partial: Partial | None = None
    page: bytes = b""  # `partial` as the client spelled it: the answer repeats it

    @property
    def only_save(self) -> bool:
        """Nothing but SAVE: then nothing is told (RFC 5182 section 2.1)."""
        return self.words == {"SAVE"} and self.partial is None

    @property
    def all(self) -> bool:
        return "ALL" in self.words or (not self.words and self.partial is None)


def read(cursor: Cursor) -> Returns | None:
    """`RETURN (…)` with the space behind it, if it stands at the cursor."""
    if not cursor.skip_word(b"RETURN"):
        return None
    cursor.need(b" (")
    words: set[str] = set()
    partial, page = None, b""
    while not cursor.skip(b")"):
        if words or partial is not None:
            cursor.space()
        word = cursor.word()
        if word == "PARTIAL" and partial is None:
            cursor.space()
            partial, page = read_range(cursor)
        elif word in _WORDS and word not in words:
            words.add(word)
        else:
            raise ProtocolError("unknown or repeated return option")
    if partial is not None and "ALL" in words:
        raise ProtocolError("PARTIAL and ALL exclude each other")  # RFC 9394 section 3.1
    cursor.space()
    return Returns(frozenset(words), partial, page)


def read_range(cursor: Cursor) -> tuple[Partial, bytes]:
    """`1:500`, or `-1:-100` from the end; in either order. Also as it was spelled."""
    match = cursor.match(_RANGE, "a range is missing or malformed")
    sign, first, other_sign, last = match.groups()
    low, high = sorted((int(first), int(last)))
    if sign != other_sign or high > _LARGEST:
        raise ProtocolError("malformed range")
    return Partial(low, high, bool(sign)), match.group()
