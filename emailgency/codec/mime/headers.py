"""Header fields out of octets nobody has checked (RFC 5322 §2.2), quickly and within bounds.

Only wanted fields are looked at: one compiled search runs over the header at C speed, and what it does not name costs
nothing. A line that is no field is passed over. Lines end in CRLF or LF.
"""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import islice
from mmap import mmap

Octets = bytes | mmap  # a message: in memory, or mapped when it is large

LIMIT = 262144  # octets of one header that are read; what follows is passed over (reliability row 25)
FIELDS = 1000  # wanted fields that are read from one header

_FOLD = re.compile(rb"(?:\r?\n[ \t]+)+")
_LOGICAL_LINE = re.compile(rb"[^\n]++(?:\n[ \t][^\n]*+)*+")
_VALUE = rb")[ \t]*+:[ \t]*+([^\n]*+(?:\n[ \t][^\n]*+)*+)"


def wanted(names: Iterable[bytes]) -> re.Pattern[bytes]:
    """A pattern for `read` that finds the fields of these lower-case names."""
    return re.compile(rb"\n(" + _any_of(list(names)) + _VALUE, re.IGNORECASE)


def _any_of(names: Sequence[bytes]) -> bytes:
    """A look at the first letter spares most lines the names: half the time. Clients may name a field without any."""
    begin = b"".join([re.escape(letter) for letter in sorted({name[:1] for name in names})])
    look = b"" if b"" in names else rb"(?=[" + begin + rb"])"
    return look + rb"(?:" + b"|".join([re.escape(name) for name in names]) + rb")"


@lru_cache(maxsize=64)
def one(name: bytes) -> re.Pattern[bytes]:
    """The pattern of a single lower-case name."""
    return wanted((name,))


def logical_lines(header: bytes) -> list[bytes]:
    """The lines of a header, folded ones as one."""
    return _LOGICAL_LINE.findall(header)


def read(octets: Octets, start: int, end: int, pattern: re.Pattern[bytes]) -> dict[bytes, list[bytes]]:
    """Lower-case name -> raw values (folded, without the final line end) of the header in octets[start:end]."""
    found: dict[bytes, list[bytes]] = {}
    header = b"\n" + octets[start : min(end, start + LIMIT)]
    for match in islice(pattern.finditer(header), FIELDS):
        name, value = match.groups()
        found.setdefault(name.lower(), []).append(value)
    return found


def unfold(value: bytes) -> bytes:
    """One line of it: each fold with the white space behind it becomes one space, as Dovecot does; ends are bare."""
    if b"\n" in value:
        value = _FOLD.sub(b" ", value)
    return value.strip(b" \t\r\n")


def header_end(octets: Octets, start: int, end: int) -> int:
    """Where the header that begins at `start` ends: behind the first empty line, or at `end` when there is none."""
    if octets[start : start + 1] == b"\n":
        return min(start + 1, end)
    if octets[start : start + 2] == b"\r\n":
        return min(start + 2, end)
    crlf = octets.find(b"\n\r\n", start, end)
    bare = octets.find(b"\n\n", start, end if crlf < 0 else crlf)
    if bare >= 0:
        return bare + 2
    return crlf + 3 if crlf >= 0 else end


def select(header: bytes, names: tuple[bytes, ...], others: bool) -> bytes:
    """HEADER.FIELDS, or with `others` HEADER.FIELDS.NOT: fields as they stand, then the empty line (RFC 3501 §6.4.5).

    Of a header longer than the limit only so much is searched; HEADER.FIELDS.NOT gives the rest as it is.
    """
    pattern = _lines_of(names)
    searched, rest = b"\n" + header[:LIMIT], header[LIMIT:]
    if others:
        return pattern.sub(b"", searched)[1:] + rest
    found = b"".join(pattern.findall(searched))
    return found + (b"\r\n" if not found or found.endswith(b"\n") else b"\r\n\r\n")


@lru_cache(maxsize=64)
def _lines_of(names: tuple[bytes, ...]) -> re.Pattern[bytes]:
    """Finds whole fields with their line end; the line end before each is looked at only."""
    return re.compile(rb"(?<=\n)" + _any_of(names) + rb"[ \t]*+:[^\n]*+(?:\n[ \t][^\n]*+)*+(?:\n|\Z)", re.IGNORECASE)
