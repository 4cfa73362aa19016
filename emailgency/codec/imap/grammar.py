"""The words of IMAP (RFC 3501 §9): a cursor that steps over one command and takes atoms, strings, sets, flags, dates.

The command is whole: each literal's octets stand behind its `{n}CRLF`. Every step is one anchored match of a regular
expression that cannot backtrack, so reading is linear.
"""

import re
from calendar import timegm
from datetime import date

from emailgency.codec.imap import mutf7, sets
from emailgency.codec.imap.sets import SequenceSet

# atom-char: not ( ) { SP CTL % * " \ ]; astring-char adds ]; a list pattern adds % and *; a tag lacks +
_ATOM = re.compile(rb"[!#$&'+,\-./0-9:;<=>?@A-Z\[^_`a-z|}~]++")
_ASTRING_ATOM = re.compile(rb"[!#$&'+,\-./0-9:;<=>?@A-Z\[\]^_`a-z|}~]++")
_PATTERN_ATOM = re.compile(rb"[!#$%&'*+,\-./0-9:;<=>?@A-Z\[\]^_`a-z|}~]++")
_TAG = re.compile(rb"[!#$&',\-./0-9:;<=>?@A-Z\[\]^_`a-z|}~]{1,128}+(?= )")
_QUOTED = re.compile(rb'"((?:[\x01-\x09\x0b\x0c\x0e-\x21\x23-\x5b\x5d-\x7f]|\\["\\])*+)"')
_QUOTED_UTF8 = re.compile(rb'"((?:[\x01-\x09\x0b\x0c\x0e-\x21\x23-\x5b\x5d-\x7f\x80-\xff]|\\["\\])*+)"')
_ESCAPED = re.compile(rb'\\(["\\])')
_LITERAL = re.compile(rb"\{([0-9]{1,9})\+?\}\r\n")
_ANNOUNCED = re.compile(rb"\{[0-9]++\+?\}\r\n")
_BASE64 = re.compile(rb"[A-Za-z0-9+/=]++")
_NUMBER = re.compile(rb"[0-9]{1,10}+")
_SET = re.compile(rb"[0-9*:,]++")
_DAY = re.compile(rb'("?)([0-9]{1,2})-([A-Za-z]{3})-([0-9]{4})\1')
_DATE_TIME = re.compile(
    rb'"([ 0-9][0-9])-([A-Za-z]{3})-([0-9]{4}) ([0-9]{2}):([0-9]{2}):([0-9]{2}) ([+-])([0-9]{2})([0-9]{2})"'
)
_MONTHS = {
    name: number
    for number, name in enumerate(
        (b"JAN", b"FEB", b"MAR", b"APR", b"MAY", b"JUN", b"JUL", b"AUG", b"SEP", b"OCT", b"NOV", b"DEC"), 1
    )
}
_SYSTEM_FLAGS = {word.upper(): "\\" + word for word in ("Answered", "Flagged", "Deleted", "Seen", "Draft", "Recent")}
_KEYWORD_LIMIT = 255
_LARGEST = (1 << 32) - 1


class ProtocolError(Exception):
    """The client is wrong; `condition`, `code` and `words` are our reply."""

    def __init__(self, words: str, condition: str = "BAD", code: bytes = b"") -> None:
        super().__init__(words)
        self.words = words
        self.condition = condition
        self.code = code


class Cursor:
    """A place in a command. Methods take what they name and step behind it, or raise ProtocolError."""

    __slots__ = ("at", "octets", "utf8")

    def __init__(self, octets: bytes, utf8: bool = False) -> None:
        self.octets = octets
        self.at = 0
        self.utf8 = utf8  # quoted strings and names may be UTF-8 (RFC 6855)

    # ---- structure

    def space(self) -> None:
        if not self.skip(b" "):
            raise ProtocolError("a space is missing")

    def skip(self, token: bytes) -> bool:
        """Step over `token` if it stands here."""
        if self.octets.startswith(token, self.at):
            self.at += len(token)
            return True
        return False

    def need(self, token: bytes) -> None:
        if not self.skip(token):
            raise ProtocolError(f"expected {token.decode('ascii')}")

    def skip_word(self, word: bytes) -> bool:
        """Step over `word`, in any case and followed by a space, if it stands here."""
        end = self.at + len(word)
        if self.octets[self.at : end].upper() != word or not self.octets.startswith(b" ", end):
            return False
        self.at = end
        return True

    def announces(self) -> bool:
        """Whether what is left announces a literal: `{310}CRLF` or `{310+}CRLF` at the end of the octets."""
        match = _ANNOUNCED.match(self.octets, self.at)
        return match is not None and match.end() == len(self.octets)

    def end(self) -> None:
        if not (self.skip(b"\r\n") and self.at == len(self.octets)):
            raise ProtocolError("unexpected argument")

    def match(self, pattern: re.Pattern[bytes], missing: str) -> re.Match[bytes]:
        """Step over `pattern`; `missing` says what should have stood here."""
        match = pattern.match(self.octets, self.at)
        if match is None:
            raise ProtocolError(missing)
        self.at = match.end()
        return match

    # ---- words

    def tag(self) -> bytes:
        return self.match(_TAG, "a command begins with a tag").group()

    def atom(self) -> bytes:
        return self.match(_ATOM, "an atom is missing").group()

    def word(self) -> str:
        """An atom in capitals: a name of the protocol."""
        return self.atom().upper().decode("ascii")

    def string(self) -> bytes | None:
        """A quoted string or a literal; None when something else stands here."""
        match = (_QUOTED_UTF8 if self.utf8 else _QUOTED).match(self.octets, self.at)
        if match is not None:
            self.at = match.end()
            text = match.group(1)
            return _ESCAPED.sub(rb"\1", text) if b"\\" in text else text
        match = _LITERAL.match(self.octets, self.at)
        if match is None:
            return None
        start = match.end()
        self.at = start + int(match.group(1))
        octets = self.octets[start : self.at]
        if b"\0" in octets:
            raise ProtocolError("NUL in a literal")
        return octets

    def astring(self, atom: re.Pattern[bytes] = _ASTRING_ATOM) -> bytes:
        match = atom.match(self.octets, self.at)
        if match is not None:
            self.at = match.end()
            return match.group()
        octets = self.string()
        if octets is None:
            raise ProtocolError("a string is missing or malformed")
        return octets

    def base64(self) -> bytes:
        return self.match(_BASE64, "base64 is missing").group()

    def nstring(self) -> bytes | None:
        octets = self.string()
        if octets is None and self.word() != "NIL":
            raise ProtocolError("a string or NIL is missing")
        return octets

    def text(self) -> str:
        """An astring that must be UTF-8."""
        return _utf8(self.astring())

    # ---- numbers, sets, dates

    def number(self) -> int:
        value = int(self.match(_NUMBER, "a number is missing").group())
        if value > _LARGEST:
            raise ProtocolError("a number is too large")
        return value

    def sequence_set(self) -> SequenceSet:
        if self.skip(b"$"):
            return SequenceSet((), saved=True)
        found = sets.parse(self.match(_SET, "a message set is missing").group())
        if found is None:
            raise ProtocolError("malformed message set")
        return found

    def day(self) -> date:
        """`1-Feb-1994`, bare or quoted."""
        _, day, month, year = self.match(_DAY, "a date is missing or malformed").groups()
        return _date(year, month, day)

    def date_time(self) -> int:
        """`" 1-Jan-2026 00:00:00 +0100"` in seconds since the epoch."""
        match = self.match(_DATE_TIME, "the date is malformed")
        day, month, year, hours, minutes, seconds, sign, zone_hours, zone_minutes = match.groups()
        when = _date(year, month, day)
        clock = int(hours), int(minutes), min(int(seconds), 59)  # a leap second becomes the one before it
        if clock[0] > 23 or clock[1] > 59 or int(seconds) > 60 or int(zone_minutes) > 59:
            raise ProtocolError("no such time of day")
        offset = int(zone_hours) * 3600 + int(zone_minutes) * 60
        return timegm((when.year, when.month, when.day, *clock)) - (offset if sign == b"+" else -offset)

    # ---- names and flags

    def mailbox(self) -> str:
        """A mailbox name, decoded; INBOX in any case is `INBOX`."""
        octets = self.astring()
        if octets.upper() == b"INBOX":
            return "INBOX"
        if self.utf8:
            return _utf8(octets)
        try:
            return mutf7.decode(octets)
        except ValueError:
            raise ProtocolError("the mailbox name is not modified UTF-7") from None

    def mailbox_prefix(self) -> str:
        """The reference of LIST: a name or the beginning of one, spelled as it is."""
        return self._name(self.astring())

    def pattern(self) -> str:
        """A mailbox name with wildcards."""
        return self._name(self.astring(_PATTERN_ATOM))

    def _name(self, octets: bytes) -> str:
        """Decoded; what is no modified UTF-7 stays as it is and can match nothing but itself."""
        try:
            return _utf8(octets) if self.utf8 else mutf7.decode(octets)
        except ValueError:
            return octets.decode("latin-1")

    def flag_list(self) -> tuple[str, ...]:
        self.need(b"(")
        if self.skip(b")"):
            return ()
        flags = self.flags()
        self.need(b")")
        return flags

    def flags(self) -> tuple[str, ...]:
        """Flags separated by spaces, each once. `\\Recent`, which no client can set but some copy along, is dropped."""
        found: dict[str, None] = {}
        while True:
            flag = self.flag()
            if flag != "\\Recent":
                found[flag] = None
            if not self.skip(b" "):
                return tuple(found)

    def flag(self) -> str:
        if not self.skip(b"\\"):
            return self.keyword()
        flag = _SYSTEM_FLAGS.get(self.word())
        if flag is None:
            raise ProtocolError("no such system flag")
        return flag

    def keyword(self) -> str:
        """A flag of the user's own, bounded: it will be written to a file beside the messages."""
        octets = self.atom()
        if len(octets) > _KEYWORD_LIMIT:
            raise ProtocolError("a keyword is too long", "NO", b"LIMIT")
        return octets.decode("ascii")


def _utf8(octets: bytes) -> str:
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        raise ProtocolError("a string is not UTF-8") from None


def _date(year: bytes, month: bytes, day: bytes) -> date:
    try:
        return date(int(year), _MONTHS[month.upper()], int(day))
    except (KeyError, ValueError):
        raise ProtocolError("no such day") from None
