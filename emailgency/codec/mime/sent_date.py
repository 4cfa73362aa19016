"""When a message was sent by its Date field: the day as written, and the moment (RFC 5322 section 3.3 and 4.3)."""

import re
from calendar import timegm
from datetime import date

from msgspec import Struct

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DATE = re.compile(
    rb"(?<![0-9])([0-9]{1,2})[ \t-]+([A-Za-z]{3})[A-Za-z]{0,6}[ \t-]+([0-9]{2,4})(?![0-9])"
    rb"(?:[ \t]+([0-9]{1,2})[ \t]*:[ \t]*([0-9]{2})(?:[ \t]*:[ \t]*([0-9]{2}))?)?[ \t]*([+-][0-9]{4}|[A-Za-z]{1,5})?"
)
_ZONES = {b"EDT": -4, b"EST": -5, b"CDT": -5, b"CST": -6, b"MDT": -6, b"MST": -7, b"PDT": -7, b"PST": -8}
_READ = 200  # octets of the field


class Sent(Struct, frozen=True):
    """`day` in the sender's zone; `at` in seconds since the epoch."""

    day: date
    at: int


def read(value: bytes) -> Sent | None:
    """Of the unfolded field's value; None when there is no day in it.

    RFC 5256 section 2.2: a time that is none is 00:00:00, a zone that is none is UTC.
    """
    match = _DATE.search(value[:_READ])
    if match is None:
        return None
    number, month, year_digits, hours, minutes, seconds, zone = match.groups()
    year = int(year_digits)
    if len(year_digits) < 4:  # RFC 5322 §4.3
        year += 2000 if year < 50 else 1900
    try:
        day = date(year, _MONTHS.index(month.decode("ascii").lower()) + 1, int(number))
    except ValueError:
        return None
    clock = int(hours or 0), int(minutes or 0), min(int(seconds or 0), 59)
    if clock[0] > 23 or clock[1] > 59 or int(seconds or 0) > 60:
        clock = 0, 0, 0
    return Sent(day, timegm((day.year, day.month, day.day, *clock)) - _offset(zone))


def _offset(zone: bytes | None) -> int:
    """Seconds east of Greenwich."""
    if zone is None:
        return 0
    if zone[:1] in b"+-":
        hours, minutes = int(zone[1:3]), int(zone[3:5])
        seconds = hours * 3600 + minutes * 60 if minutes < 60 else 0
        return -seconds if zone[:1] == b"-" else seconds
    return _ZONES.get(zone.upper(), 0) * 3600
