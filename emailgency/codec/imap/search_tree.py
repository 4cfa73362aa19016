"""What SEARCH, SORT and THREAD look for, as a tree: one frozen Struct a key (RFC 3501 §6.4.4 and extensions)."""

import enum
from datetime import date

from msgspec import Struct

from emailgency.codec.imap.sets import SequenceSet


class All(Struct, frozen=True):
    """Every message."""


class And(Struct, frozen=True):
    """All of `keys` (never empty)."""

    keys: "tuple[SearchKey, ...]"


class Or(Struct, frozen=True):
    """Either."""

    left: "SearchKey"
    right: "SearchKey"


class Not(Struct, frozen=True):
    """The others."""

    key: "SearchKey"


class HasFlag(Struct, frozen=True):
    """Has the flag or keyword (UNSEEN is `Not(HasFlag("\\\\Seen"))`); `\\Recent` too (NEW, OLD, RECENT)."""

    flag: str


class Numbers(Struct, frozen=True):
    """Sequence numbers, or UIDs with `uid`."""

    messages: SequenceSet
    uid: bool


class Size(Struct, frozen=True):
    """LARGER (more octets than `octets`) or SMALLER (fewer)."""

    larger: bool
    octets: int


class Within(Struct, frozen=True):
    """YOUNGER (arrived within the last `seconds`), or OLDER (RFC 5032)."""

    older: bool
    seconds: int


class When(enum.Enum):
    """How a day is compared; time of day and zone are disregarded (RFC 3501 §6.4.4)."""

    BEFORE = "BEFORE"
    ON = "ON"
    SINCE = "SINCE"


class Day(Struct, frozen=True):
    """BEFORE, ON, SINCE by INTERNALDATE; with `sent` SENTBEFORE, SENTON, SENTSINCE by the Date field."""

    sent: bool
    when: When
    day: date


class SavedDay(Struct, frozen=True):
    """SAVEDBEFORE, SAVEDON, SAVEDSINCE (RFC 8514)."""

    when: When
    day: date


class Modseq(Struct, frozen=True):
    """MODSEQ: changed at this mod-sequence or behind it (RFC 7162)."""

    at_least: int


class EmailId(Struct, frozen=True):
    """EMAILID (RFC 8474)."""

    id: bytes


class ThreadId(Struct, frozen=True):
    """THREADID (RFC 8474); we give none, so it finds nothing."""

    id: bytes


class Header(Struct, frozen=True):
    """A field of this (lower-case) name whose decoded value contains `text` without regard to case.

    `text` "" matches every message that has the field. BCC, CC, FROM, SUBJECT and TO are this key too.
    """

    field: str
    text: str


class Body(Struct, frozen=True):
    """The decoded body contains `text`, or with `header` (TEXT) header or body does."""

    text: str
    header: bool


class Unsearchable(Struct, frozen=True):
    """Not keys, but why they are refused: the command is answered NO, which SAVE must hear of (RFC 5182)."""

    words: str
    code: bytes


SearchKey = (
    Unsearchable | All | And | Or | Not | HasFlag | Numbers | Size | Within | Day | Header | Body
    | SavedDay | Modseq | EmailId | ThreadId
)  # fmt: skip
