"""The keys of SEARCH (RFC 3501 §6.4.4, RFC 5032) -> one tree, at most 32 deep (reliability row 27)."""

import re
from collections.abc import Callable

from emailgency.codec.imap import arguments, modseqs
from emailgency.codec.imap.grammar import Cursor, ProtocolError
from emailgency.codec.imap.search_tree import (
    All,
    And,
    Body,
    Day,
    EmailId,
    HasFlag,
    Header,
    Modseq,
    Not,
    Numbers,
    Or,
    SavedDay,
    SearchKey,
    Size,
    ThreadId,
    Unsearchable,
    When,
    Within,
)

_DEPTH_LIMIT = 32
_KEY_LIMIT = 1000  # keys of one command: a message is held against each
# The name in a command -> the codec of its strings. No other name reaches Python's codec registry.
_CHARSETS = {
    b"US-ASCII": "ascii",
    b"ASCII": "ascii",
    b"UTF-8": "utf-8",
    b"ISO-8859-1": "latin-1",
    b"ISO-8859-15": "iso8859-15",
    b"WINDOWS-1252": "cp1252",
}
_OBJECT_ID = re.compile(rb"[A-Za-z0-9_-]{1,255}+")  # RFC 8474 section 7
_BAD_CHARSET = b"BADCHARSET (US-ASCII UTF-8)"


class _RefusedError(Exception):
    """What the client says makes sense, but we will not: words and code of the answer."""

    def __init__(self, words: str, code: bytes) -> None:
        super().__init__(words, code)
        self.words = words
        self.code = code


def read(cursor: Cursor) -> SearchKey:
    """The keys at the cursor up to the end of the command; 8-bit literals are UTF-8 or nothing."""
    return _keys(cursor, "utf-8")


def read_with_charset(cursor: Cursor) -> SearchKey:
    """The same behind the name of their charset, which SORT and THREAD must have (RFC 5256 section 3)."""
    charset = _CHARSETS.get(cursor.astring().upper())
    cursor.space()
    return _keys(cursor, charset)


def _keys(cursor: Cursor, charset: str | None) -> SearchKey:
    try:
        if charset is None:
            raise _RefusedError("the charset is not supported", _BAD_CHARSET)
        return _Reader(cursor, charset).keys(0)
    except _RefusedError as refused:
        cursor.skip_all()
        return Unsearchable(refused.words, refused.code)


class _Reader:
    """Reads keys by descent; `depth` counts the parentheses, NOTs and ORs around."""

    def __init__(self, cursor: Cursor, charset: str) -> None:
        self.cursor = cursor
        self.charset = charset
        self._count = 0

    def keys(self, depth: int) -> SearchKey:
        """One key or more, all of which must hold."""
        found = [self.key(depth)]
        while self.cursor.skip(b" "):
            found.append(self.key(depth))
        return found[0] if len(found) == 1 else And(tuple(found))

    def key(self, depth: int) -> SearchKey:
        self._count += 1
        if depth > _DEPTH_LIMIT or self._count > _KEY_LIMIT:
            raise _RefusedError("the search is too complex", b"LIMIT")
        cursor = self.cursor
        if cursor.skip(b"("):
            inner = self.keys(depth + 1)
            cursor.need(b")")
            return inner
        if cursor.at < len(cursor.octets) and cursor.octets[cursor.at] in b"0123456789*$":
            return Numbers(arguments.sequence_set(cursor), uid=False)
        word = cursor.word()
        plain = _PLAIN.get(word)
        if plain is not None:
            return plain
        reader = _READERS.get(word)
        if reader is None:
            raise ProtocolError("unknown search key")
        cursor.space()
        return reader(self, depth)

    def text(self) -> str:
        try:
            return self.cursor.astring().decode(self.charset)
        except UnicodeDecodeError:
            raise _RefusedError("a string is not in the charset", _BAD_CHARSET) from None


def _not(reader: _Reader, depth: int) -> SearchKey:
    return Not(reader.key(depth + 1))


def _or(reader: _Reader, depth: int) -> SearchKey:
    left = reader.key(depth + 1)
    reader.cursor.space()
    return Or(left, reader.key(depth + 1))


def _keyword(reader: _Reader, depth: int) -> SearchKey:
    return HasFlag(arguments.keyword(reader.cursor))


def _unkeyword(reader: _Reader, depth: int) -> SearchKey:
    return Not(HasFlag(arguments.keyword(reader.cursor)))


def _header(reader: _Reader, depth: int) -> SearchKey:
    # Names are compared as octets; an 8-bit one is no name of any field and finds nothing.
    field = reader.cursor.astring().decode("latin-1").lower()
    reader.cursor.space()
    return Header(field, reader.text())


def _uid(reader: _Reader, depth: int) -> SearchKey:
    return Numbers(arguments.sequence_set(reader.cursor), uid=True)


def _field(name: str) -> Callable[[_Reader, int], SearchKey]:
    return lambda reader, depth: Header(name, reader.text())


def _body(header: bool) -> Callable[[_Reader, int], SearchKey]:
    return lambda reader, depth: Body(reader.text(), header)


def _size(larger: bool) -> Callable[[_Reader, int], SearchKey]:
    return lambda reader, depth: Size(larger, reader.cursor.number())


def _within(older: bool) -> Callable[[_Reader, int], SearchKey]:
    def read(reader: _Reader, depth: int) -> SearchKey:
        seconds = reader.cursor.number()
        if not seconds:
            raise ProtocolError("an interval is at least a second")
        return Within(older, seconds)

    return read


def _saved(when: When) -> Callable[[_Reader, int], SearchKey]:
    return lambda reader, depth: SavedDay(when, arguments.day(reader.cursor))


def _object_id(make: type[EmailId] | type[ThreadId]) -> Callable[[_Reader, int], SearchKey]:
    return lambda reader, depth: make(reader.cursor.match(_OBJECT_ID, "an object id is missing").group())


def _modseq(reader: _Reader, depth: int) -> SearchKey:
    return Modseq(modseqs.search_argument(reader.cursor))


def _day(sent: bool, when: When) -> Callable[[_Reader, int], SearchKey]:
    return lambda reader, depth: Day(sent, when, arguments.day(reader.cursor))


_FLAGS = {flag.upper(): HasFlag("\\" + flag) for flag in ("Answered", "Deleted", "Draft", "Flagged", "Seen", "Recent")}
_PLAIN: dict[str, SearchKey] = {
    "ALL": All(),
    "SAVEDATESUPPORTED": All(),  # RFC 8514 section 4.3: all folders here have it
    "NEW": And((_FLAGS["RECENT"], Not(_FLAGS["SEEN"]))),
    "OLD": Not(_FLAGS["RECENT"]),
    **_FLAGS,
    **{"UN" + word: Not(key) for word, key in _FLAGS.items() if word != "RECENT"},
}
_READERS: dict[str, Callable[[_Reader, int], SearchKey]] = {
    "NOT": _not,
    "OR": _or,
    "KEYWORD": _keyword,
    "UNKEYWORD": _unkeyword,
    "HEADER": _header,
    "UID": _uid,
    "BCC": _field("bcc"),
    "CC": _field("cc"),
    "FROM": _field("from"),
    "SUBJECT": _field("subject"),
    "TO": _field("to"),
    "BODY": _body(header=False),
    "TEXT": _body(header=True),
    "MODSEQ": _modseq,
    "EMAILID": _object_id(EmailId),
    "THREADID": _object_id(ThreadId),
    **{"SAVED" + when.value: _saved(when) for when in When},
    "LARGER": _size(larger=True),
    "SMALLER": _size(larger=False),
    "OLDER": _within(older=True),
    "YOUNGER": _within(older=False),
    **{when.value: _day(sent=False, when=when) for when in When},
    **{"SENT" + when.value: _day(sent=True, when=when) for when in When},
}
