"""The words of IMAP (RFC 3501 §9): a cursor that steps over one command and takes atoms, strings, numbers.

The command is whole: each literal's octets stand behind its `{n}CRLF`. Every step is one anchored match of a regular
expression that cannot backtrack, so reading is linear.
"""

import re

# atom-char: not ( ) { SP CTL % * " \ ]; astring-char adds ]; a tag lacks +
_ATOM = re.compile(rb"[!#$&'+,\-./0-9:;<=>?@A-Z\[^_`a-z|}~]++")
_ASTRING_ATOM = re.compile(rb"[!#$&'+,\-./0-9:;<=>?@A-Z\[\]^_`a-z|}~]++")
_TAG = re.compile(rb"[!#$&',\-./0-9:;<=>?@A-Z\[\]^_`a-z|}~]{1,128}+(?= )")
_QUOTED = re.compile(rb'"((?:[\x01-\x09\x0b\x0c\x0e-\x21\x23-\x5b\x5d-\x7f]|\\["\\])*+)"')
_QUOTED_UTF8 = re.compile(rb'"((?:[\x01-\x09\x0b\x0c\x0e-\x21\x23-\x5b\x5d-\x7f\x80-\xff]|\\["\\])*+)"')
_ESCAPED = re.compile(rb'\\(["\\])')
_LITERAL = re.compile(rb"\{([0-9]{1,9})\+?\}\r\n")
_ANNOUNCED = re.compile(rb"\{[0-9]++\+?\}\r\n")
_NUMBER = re.compile(rb"[0-9]{1,10}+")
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

    def skip_all(self) -> None:
        """Over all that is left of the command."""
        self.at = len(self.octets) - 2

    def match(self, pattern: re.Pattern[bytes], missing: str) -> re.Match[bytes]:
        """Step over `pattern`; `missing` says what should have stood here."""
        match = pattern.match(self.octets, self.at)
        if match is None:
            raise ProtocolError(missing)
        self.at = match.end()
        return match

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
            if self.utf8 and not text.isascii():
                utf8(text)  # RFC 6855 section 3: BAD if it is none
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

    def nstring(self) -> bytes | None:
        octets = self.string()
        if octets is None and self.word() != "NIL":
            raise ProtocolError("a string or NIL is missing")
        return octets

    def text(self) -> str:
        """An astring that must be UTF-8."""
        return utf8(self.astring())

    def number(self) -> int:
        """A number of 32 bits."""
        value = int(self.match(_NUMBER, "a number is missing").group())
        if value > _LARGEST:
            raise ProtocolError("a number is too large")
        return value


def utf8(octets: bytes) -> str:
    """What a client's string says, once it may be more than ASCII."""
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        raise ProtocolError("a string is not UTF-8") from None
