"""Address lists (RFC 5322 §3.4, §4.4) -> the four-part addresses of ENVELOPE; tolerant, linear, never failing.

Nearly all addresses are `name <local@domain>` or `local@domain`: one anchored match takes each of them. The rest are
read token by token, and every token moves on.
"""

import re

from msgspec import Struct

_ATEXT = rb"!#$%&'*+\-/0-9=?A-Z^_`a-z{|}~"
_SIMPLE = re.compile(
    rb"[ \t\r\n]*+(?:(?:\"([^\"\\\r\n]*+)\"[ \t]*+|([%b. \t]++))?<([%b.]++)@([%b.]++)>|([%b.]++)@([%b.]++))"
    rb"[ \t\r\n]*+(,|;|\Z)" % (_ATEXT, _ATEXT, _ATEXT, _ATEXT, _ATEXT)
)
_TOKEN = re.compile(
    rb'(?P<space>[ \t\r\n]++)|(?P<quoted>"(?:[^"\\]|\\.)*+(?:"|\\?\Z))|(?P<special>[<>,;:@.(])'
    rb'|(?P<literal>\[[^\]]*+(?:\]|\Z))|(?P<atom>[^ \t\r\n"<>,;:@.(\[]++)',
    re.DOTALL,
)
_PARENTHESIS = re.compile(rb"[()]|\\.", re.DOTALL)
_ESCAPE = re.compile(rb"\\(.)|\\\Z", re.DOTALL)
_SPACES = re.compile(rb"[ \t\r\n]+")


class Mailbox(Struct, frozen=True):
    """One address structure of ENVELOPE. A group begins with `(None, None, name, None)` and ends with all None."""

    name: bytes | None
    route: bytes | None
    local: bytes | None
    domain: bytes | None


# What stands for a missing half: NIL would mean a group (RFC 3501 §7.4.2). The words are Dovecot's.
_NO_LOCAL = b"MISSING_MAILBOX"
_NO_DOMAIN = b"MISSING_DOMAIN"
_GROUP_END = Mailbox(None, None, None, None)


def parse(value: bytes, most: int = 5000) -> list[Mailbox]:
    """The addresses of one field's unfolded value; of more than `most` the first ones."""
    found: list[Mailbox] = []
    at = 0
    in_group = False
    while at < len(value) and len(found) < most:
        match = _SIMPLE.match(value, at)
        if match is not None:
            quoted, words, local, domain, bare_local, bare_domain, terminator = match.groups()
            name = quoted or (_SPACES.sub(b" ", words.strip(b" \t")) if words else None)
            found.append(Mailbox(name or None, None, local or bare_local, domain or bare_domain))
            at = match.end()
            if in_group and terminator == b";":
                found.append(_GROUP_END)
                in_group = False
            continue
        entry = _Entry(value, at)
        at = entry.end
        if entry.opens_group and not in_group:
            found.append(Mailbox(None, None, entry.name() or b"", None))
            in_group = True
            continue
        mailbox = entry.mailbox()
        if mailbox is not None:
            found.append(mailbox)
        if entry.closes_group and in_group:
            found.append(_GROUP_END)
            in_group = False
    if in_group:
        found.append(_GROUP_END)
    return found


class _Entry:
    """The tokens of one list element, up to its comma, semicolon or group colon, sorted by where they stood."""

    def __init__(self, value: bytes, at: int) -> None:
        self.opens_group = self.closes_group = False
        self._value = value
        self._outside: list[bytes] = []  # before any angle bracket; quoted words with their quotes
        self._inside: list[bytes] | None = None  # the angle bracket
        self._comment: bytes | None = None
        self._begun = False  # something stood before: a comment in front of everything names nobody
        self.end = self._read(at)

    def _read(self, at: int) -> int:
        value = self._value
        tokens = self._outside
        while at < len(value):
            match = _TOKEN.match(value, at)
            assert match is not None  # the classes of _TOKEN cover every octet
            token, kind, at = match.group(), match.lastgroup, match.end()
            if kind != "special":
                tokens.append(token)
                self._begun = self._begun or kind != "space"
            elif token == b"(":
                at = self._skip_comment(at)
                tokens.append(b" ")
            elif token == b"<":
                if self._inside is None:
                    self._inside = tokens = []
            elif token == b">":
                tokens = []  # what follows the address belongs to nothing
            elif tokens is self._inside and token in (b",", b":"):
                tokens.append(token)  # a route
            elif token == b",":
                break
            elif token == b";":
                self.closes_group = True
                break
            elif token == b":" and self._inside is None:
                self.opens_group = True
                break
            else:
                tokens.append(token)
        return at

    def _skip_comment(self, at: int) -> int:
        """Behind the comment whose parenthesis ends at `at`; its text may be somebody's name (RFC 822 style)."""
        depth = 1
        start = at
        for match in _PARENTHESIS.finditer(self._value, at):
            token = match.group()
            if len(token) == 1:
                depth += 1 if token == b"(" else -1
            if not depth:
                self._remember(self._value[start : match.start()])
                return match.end()
        self._remember(self._value[start:])
        return len(self._value)

    def _remember(self, comment: bytes) -> None:
        if self._begun:
            self._comment = _unescape(comment).strip(b" \t") or None

    def name(self) -> bytes | None:
        """The words outside of the angle bracket."""
        words: list[bytes] = []
        for token in self._outside:
            if token[0] == 0x22:
                words.append(_unescape(_unquote(token)))
            else:
                words.append(b" " if token[0] in b" \t\r\n" else token)
        return _SPACES.sub(b" ", b"".join(words).strip(b" ")) or None

    def mailbox(self) -> Mailbox | None:
        """The address; None for an empty element, which RFC 5322 §4.4 lets a list have."""
        if self._inside is not None:
            route, local, domain = _split(self._inside)
            return Mailbox(self.name(), route, local or _NO_LOCAL, domain or _NO_DOMAIN)
        if all(token[0] in b" \t\r\n" for token in self._outside):
            return None
        _, local, domain = _split(self._outside, stop_at_space=True)
        return Mailbox(self._comment, None, local or _NO_LOCAL, domain or _NO_DOMAIN)


def _split(tokens: list[bytes], stop_at_space: bool = False) -> tuple[bytes | None, bytes, bytes]:
    """Route, local part and domain; white space counts only where it separates words without a dot or at between."""
    route = None
    if b":" in tokens:
        colon = tokens.index(b":")
        route = b"".join(token for token in tokens[:colon] if token[0] not in b" \t\r\n") or None
        tokens = tokens[colon + 1 :]
    halves: list[list[bytes]] = [[], []]
    side = 0
    gap = False
    for token in tokens:
        if token[0] in b" \t\r\n":
            gap = bool(halves[side])
        elif token == b"@":
            if side:
                break
            side, gap = 1, False
        else:
            if gap and stop_at_space and token != b"." and halves[side][-1] != b".":
                break
            halves[side].append(_unescape(_unquote(token)) if token[0] == 0x22 else token)
            gap = False
    return route, b"".join(halves[0]), b"".join(halves[1])


def _unquote(token: bytes) -> bytes:
    return token[1:-1] if len(token) > 1 and token[-1] == 0x22 else token[1:]


def _unescape(octets: bytes) -> bytes:
    return _ESCAPE.sub(rb"\1", octets) if b"\\" in octets else octets
