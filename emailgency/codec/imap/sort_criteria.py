"""The arguments of SORT and THREAD before their search keys (RFC 5256 section 5, RFC 5957 section 3)."""

import enum

from msgspec import Struct

from emailgency.codec.imap.grammar import Cursor, ProtocolError

_LIMIT = 32  # criteria of one command; there are nine


class Key(enum.Enum):
    """What messages are ordered by."""

    ARRIVAL = "ARRIVAL"
    CC = "CC"
    DATE = "DATE"
    DISPLAYFROM = "DISPLAYFROM"
    DISPLAYTO = "DISPLAYTO"
    FROM = "FROM"
    SIZE = "SIZE"
    SUBJECT = "SUBJECT"
    TO = "TO"


class Criterion(Struct, frozen=True):
    key: Key
    reverse: bool


class Algorithm(enum.Enum):
    """How THREAD finds what belongs together."""

    ORDEREDSUBJECT = "ORDEREDSUBJECT"
    REFERENCES = "REFERENCES"


def read(cursor: Cursor) -> tuple[Criterion, ...]:
    """`(SUBJECT REVERSE DATE)`; of a key that stands there twice only the first can decide anything."""
    cursor.need(b"(")
    found: dict[Key, Criterion] = {}
    count = 0
    while not cursor.skip(b")"):
        if count:
            cursor.space()
        word = cursor.word()
        reverse = word == "REVERSE"
        if reverse:
            cursor.space()
            word = cursor.word()
        key = _KEYS.get(word)
        count += 1
        if key is None or count > _LIMIT:
            raise ProtocolError("unknown sort key, or too many")
        found.setdefault(key, Criterion(key, reverse))
    if not found:
        raise ProtocolError("a sort key is missing")
    return tuple(found.values())


def algorithm(cursor: Cursor) -> Algorithm:
    word = cursor.word()
    try:
        return Algorithm(word)
    except ValueError:
        raise ProtocolError("unknown threading algorithm") from None


_KEYS = {key.value: key for key in Key}
