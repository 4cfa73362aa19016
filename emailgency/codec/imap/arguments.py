"""The larger arguments of IMAP (RFC 3501 §9): sets, dates, mailbox names, flags. Functions that move a cursor on."""

import re
from calendar import timegm
from datetime import date

from emailgency.codec.imap import mutf7, sets
from emailgency.codec.imap.grammar import Cursor, ProtocolError, utf8
from emailgency.codec.imap.sets import SequenceSet

_SET = re.compile(rb"[0-9*:,]++")
_PATTERN_ATOM = re.compile(rb"[!#$%&'*+,\-./0-9:;<=>?@A-Z\[\]^_`a-z|}~]++")  # an atom with wildcards
_DAY = re.compile(rb'("?)([0-9]{1,2})-([A-Za-z]{3})-([0-9]{4})\1')
_DATE_TIME = re.compile(
    rb'"([ 0-9][0-9])-([A-Za-z]{3})-([0-9]{4}) ([0-9]{2}):([0-9]{2}):([0-9]{2}) ([+-])([0-9]{2})([0-9]{2})"'
)
_MONTHS = (b"JAN", b"FEB", b"MAR", b"APR", b"MAY", b"JUN", b"JUL", b"AUG", b"SEP", b"OCT", b"NOV", b"DEC")
_SYSTEM_FLAGS = {word.upper(): "\\" + word for word in ("Answered", "Flagged", "Deleted", "Seen", "Draft", "Recent")}
_KEYWORD_LIMIT = 255
_UNSPEAKABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")  # RFC 6855 section 3


def sequence_set(cursor: Cursor) -> SequenceSet:
    """`1:*,7`, or `$`."""
    if cursor.skip(b"$"):
        return SequenceSet((), saved=True)
    found = sets.parse(cursor.match(_SET, "a message set is missing").group())
    if found is None:
        raise ProtocolError("malformed message set")
    return found


# ---- dates ---------------------------------------------------------------------------------------------------


def day(cursor: Cursor) -> date:
    """`1-Feb-1994`, bare or quoted."""
    _, number, month, year = cursor.match(_DAY, "a date is missing or malformed").groups()
    return _date(year, month, number)


def date_time(cursor: Cursor) -> int:
    """`" 1-Jan-2026 00:00:00 +0100"` in seconds since the epoch."""
    match = cursor.match(_DATE_TIME, "the date is malformed")
    number, month, year, hours, minutes, seconds, sign, zone_hours, zone_minutes = match.groups()
    when = _date(year, month, number)
    clock = int(hours), int(minutes), min(int(seconds), 59)  # a leap second becomes the one before it
    if clock[0] > 23 or clock[1] > 59 or int(seconds) > 60 or int(zone_minutes) > 59:
        raise ProtocolError("no such time of day")
    offset = int(zone_hours) * 3600 + int(zone_minutes) * 60
    return timegm((when.year, when.month, when.day, *clock)) - (offset if sign == b"+" else -offset)


def _date(year: bytes, month: bytes, number: bytes) -> date:
    try:
        return date(int(year), _MONTHS.index(month.upper()) + 1, int(number))
    except ValueError:
        raise ProtocolError("no such day") from None


# ---- mailbox names -------------------------------------------------------------------------------------------


def mailbox(cursor: Cursor) -> str:
    """A mailbox name, decoded; INBOX in any case is `INBOX`."""
    octets = cursor.astring()
    if octets.upper() == b"INBOX":
        return "INBOX"
    if cursor.utf8:
        name = utf8(octets)
        if _UNSPEAKABLE.search(name):
            raise ProtocolError("control character in a mailbox name")
        return name
    try:
        return mutf7.decode(octets)
    except ValueError:
        raise ProtocolError("the mailbox name is not modified UTF-7") from None


def mailbox_prefix(cursor: Cursor) -> str:
    """The reference of LIST: a name or the beginning of one, spelled as it is."""
    return _name(cursor, cursor.astring())


def pattern(cursor: Cursor) -> str:
    """A mailbox name with wildcards."""
    return _name(cursor, cursor.astring(_PATTERN_ATOM))


def _name(cursor: Cursor, octets: bytes) -> str:
    """Decoded; what is no modified UTF-7 stays as it is and can match nothing but itself."""
    if cursor.utf8:
        return utf8(octets)
    try:
        return mutf7.decode(octets)
    except ValueError:
        return octets.decode("latin-1")


# ---- flags ---------------------------------------------------------------------------------------------------


def flag_list(cursor: Cursor) -> tuple[str, ...]:
    """`(\\Seen $Forwarded)`, `()`."""
    cursor.need(b"(")
    if cursor.skip(b")"):
        return ()
    found = flags(cursor)
    cursor.need(b")")
    return found


def flags(cursor: Cursor) -> tuple[str, ...]:
    """Flags separated by spaces, each once. `\\Recent`, which no client can set but some copy along, is dropped."""
    found: dict[str, None] = {}
    while True:
        flag = _flag(cursor)
        if flag != "\\Recent":
            found[flag] = None
        if not cursor.skip(b" "):
            return tuple(found)


def _flag(cursor: Cursor) -> str:
    if not cursor.skip(b"\\"):
        return keyword(cursor)
    flag = _SYSTEM_FLAGS.get(cursor.word())
    if flag is None:
        raise ProtocolError("no such system flag")
    return flag


def keyword(cursor: Cursor) -> str:
    """A flag of the user's own, bounded: it will be written to a file beside the messages."""
    octets = cursor.atom()
    if len(octets) > _KEYWORD_LIMIT:
        raise ProtocolError("a keyword is too long", "NO", b"LIMIT")
    return octets.decode("ascii")
