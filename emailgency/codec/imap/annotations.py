"""GETMETADATA, SETMETADATA and the METADATA response (RFC 5464 §5): grammar and words."""

import re
from collections.abc import Iterable, Mapping

from msgspec import Struct

from emailgency.codec.imap import arguments, strings
from emailgency.codec.imap.grammar import Cursor, ProtocolError

DEPTHS = {b"0": 0, b"1": 1, b"INFINITY": 1 << 10}  # levels below the entry named
ENTRIES = 128  # of one command
NAME_LIMIT = 255  # octets of an entry name
# §3.2.1: components between slashes, none empty, without wildcards and control characters
_ENTRY = re.compile(rb"/(?:private|shared)(?:/[!-$&-)+-.0-~]+)+", re.IGNORECASE)
_ROOTS = (b"/private", b"/shared")  # they have no value, but with DEPTH one asks for all that is below
_LITERAL8 = re.compile(rb"~\{([0-9]{1,9})\+?\}\r\n")
_OPTION = re.compile(rb"(MAXSIZE|DEPTH) ", re.IGNORECASE)


class GetMetadata(Struct, frozen=True):
    """`name` "" is the server. Entries in lower case, since they compare so; `depth` is how far below each to look."""

    name: str
    entries: tuple[str, ...]
    depth: int = 0
    most: int | None = None  # octets of a value worth sending


class SetMetadata(Struct, frozen=True):
    """Values to note, None to take one away."""

    name: str
    values: tuple[tuple[str, bytes | None], ...]


def read_get(cursor: Cursor) -> GetMetadata:
    """The options stand before the mailbox in the RFC's grammar and behind it in its examples: both are taken."""
    cursor.space()
    options = _options(cursor)
    if options is not None:
        cursor.space()
    name = arguments.mailbox(cursor)
    cursor.space()
    if options is None:
        options = _options(cursor)
        if options is not None:
            cursor.space()
    depth, most = options or (0, None)
    return GetMetadata(name, _entries(cursor), depth, most)


def read_set(cursor: Cursor) -> SetMetadata:
    cursor.space()
    name = arguments.mailbox(cursor)
    cursor.space()
    cursor.need(b"(")
    values: dict[str, bytes | None] = {}
    while True:
        entry = _entry(cursor)
        cursor.space()
        values[entry] = _value(cursor)
        if len(values) > ENTRIES:
            raise ProtocolError("too many entries")
        if not cursor.skip(b" "):
            cursor.need(b")")
            return SetMetadata(name, tuple(values.items()))


def _options(cursor: Cursor) -> tuple[int, int | None] | None:
    """`(MAXSIZE 1024 DEPTH 1)`; None when entries or a name stand here."""
    if not cursor.octets.startswith(b"(", cursor.at) or not _OPTION.match(cursor.octets, cursor.at + 1):
        return None
    depth, most = 0, None
    cursor.need(b"(")
    while True:
        option = cursor.match(_OPTION, "unknown option").group(1).upper()
        if option == b"MAXSIZE":
            most = cursor.number()
        else:
            word = cursor.atom().upper()
            if word not in DEPTHS:
                raise ProtocolError("DEPTH is 0, 1 or infinity")
            depth = DEPTHS[word]
        if not cursor.skip(b" "):
            cursor.need(b")")
            return depth, most


def _entries(cursor: Cursor) -> tuple[str, ...]:
    if not cursor.skip(b"("):
        return (_entry(cursor, _ROOTS),)
    found = {_entry(cursor, _ROOTS): None}
    while cursor.skip(b" "):
        found[_entry(cursor, _ROOTS)] = None
        if len(found) > ENTRIES:
            raise ProtocolError("too many entries")
    cursor.need(b")")
    return tuple(found)


def _entry(cursor: Cursor, besides: tuple[bytes, ...] = ()) -> str:
    octets = cursor.astring()
    if len(octets) > NAME_LIMIT:
        raise ProtocolError("an entry name is too long", "NO", b"LIMIT")
    if not _ENTRY.fullmatch(octets) and octets.lower() not in besides:
        raise ProtocolError("an entry begins with /private/ or /shared/ and has no empty part")
    return octets.decode("ascii").lower()


def _value(cursor: Cursor) -> bytes | None:
    """A string, a literal that may hold NUL (literal8), or NIL."""
    match = _LITERAL8.match(cursor.octets, cursor.at)
    if match is None:
        return cursor.nstring()
    cursor.at = match.end() + int(match.group(1))
    return cursor.octets[match.end() : cursor.at]


# ---- what the server says ----------------------------------------------------------------------------------


def metadata(name: bytes, values: Mapping[str, bytes | None]) -> bytes:
    """`* METADATA INBOX (/shared/comment "abc")`; `name` as it goes on the wire."""
    listed = b" ".join(b"%b %b" % (entry.encode("ascii"), _spelled(value)) for entry, value in values.items())
    return b"* METADATA %b (%b)\r\n" % (name, listed)


def changed(name: bytes, entries: Iterable[str]) -> bytes:
    """`* METADATA INBOX /shared/comment`: there is news about these entries (§4.4.2)."""
    return b"* METADATA %b %b\r\n" % (name, " ".join(entries).encode("ascii"))


def _spelled(value: bytes | None) -> bytes:
    if value is not None and b"\0" in value:
        return b"~" + strings.literal(value)
    return strings.nstring(value)
