"""Headers and bodies in the forms that signatures are made over (RFC 6376 section 3.4), for DKIM and ARC alike."""

import re
from collections import defaultdict
from hashlib import sha256
from itertools import islice

_FIELD = re.compile(rb"(?:\A|(?<=\r\n))([!-9;-~]+)[ \t]*:([^\r\n]*(?:\r\n[ \t][^\r\n]*)*)(?:\r\n|\Z)")
_BLANKS = re.compile(rb"[ \t]+")
_LINE_ENDS_BACKWARDS = re.compile(rb"(?:\n\r)*")


class Field:
    """One header field: its lower-case name, what stands behind the colon, and the octets as they came."""

    __slots__ = ("_relaxed", "name", "raw", "value")

    def __init__(self, name: bytes, value: bytes, raw: bytes) -> None:
        self.name = name
        self.value = value
        self.raw = raw
        self._relaxed: bytes | None = None

    @property
    def relaxed(self) -> bytes:
        if self._relaxed is None:
            self._relaxed = relaxed(self.name, self.value)
        return self._relaxed


class Fields:
    """A header, field by field; linear however often it is asked."""

    def __init__(self, header: bytes, most: int | None = None) -> None:
        """`most`: fields that are read, from the top; None: all."""
        self.all: list[Field] = []  # from the top
        self._by_name: dict[bytes, list[Field]] = defaultdict(list)
        for match in islice(_FIELD.finditer(header), most):
            raw = match[0] if match[0].endswith(b"\r\n") else match[0] + b"\r\n"
            field = Field(match[1].lower(), match[2], raw)
            self.all.append(field)
            self._by_name[field.name].append(field)

    def named(self, name: bytes) -> list[Field]:
        """From the top; `name` in lower case."""
        return self._by_name.get(name, [])

    def covered(self, names: tuple[bytes, ...], *, in_relaxed_form: bool) -> bytes:
        """What a signature over these names is made of: each time one is named, the lowest field of that name that is
        not yet taken (RFC 6376 section 5.4.2), or nothing.
        """
        taken: dict[bytes, int] = defaultdict(int)
        parts = []
        for name in names:
            taken[name] += 1
            there = self._by_name.get(name)
            if there and taken[name] <= len(there):
                field = there[-taken[name]]
                parts.append(field.relaxed if in_relaxed_form else field.raw)
        return b"".join(parts)


class BodyHash:
    """SHA-256 of a body in its relaxed or simple form (RFC 6376 section 3.4), however it is cut into pieces."""

    def __init__(self, *, in_relaxed_form: bool = True) -> None:
        self.length = 0  # octets of that form
        self._in_relaxed_form = in_relaxed_form
        self._hash = sha256()
        self._rest: list[bytes] = []  # the last line, as long as it has no end
        self._empty = 0  # empty lines that count only when something follows

    def feed(self, octets: bytes) -> None:
        if not octets:
            return
        border = self._rest[-1][-1:] if self._rest else b""
        self._rest.append(octets)
        if b"\r\n" in border + octets:
            whole = b"".join(self._rest)
            end = whole.rfind(b"\r\n") + 2
            self._lines(whole[:end])
            self._rest = [whole[end:]] if end < len(whole) else []

    def digest(self) -> bytes:
        """32 octets; afterwards nothing more is fed."""
        if self._rest:
            self._lines(b"".join(self._rest) + b"\r\n")
            self._rest = []
        if not self.length and not self._in_relaxed_form:
            self._take(b"\r\n")  # RFC 6376 section 3.4.3: an empty body counts as one line end
        return self._hash.digest()

    def _lines(self, lines: bytes) -> None:
        if self._in_relaxed_form:
            lines = _without_blanks(lines)
        ends = _LINE_ENDS_BACKWARDS.match(lines[::-1])
        assert ends is not None
        spoken = lines[: len(lines) - len(ends[0])]
        if not spoken:
            self._empty += len(lines) // 2
            return
        self._take(b"\r\n" * self._empty + spoken + b"\r\n")
        self._empty = len(ends[0]) // 2 - 1

    def _take(self, octets: bytes) -> None:
        self._hash.update(octets)
        self.length += len(octets)


def relaxed(name: bytes, value: bytes) -> bytes:
    """RFC 6376 section 3.4.2, with CRLF."""
    return name + b":" + _BLANKS.sub(b" ", value.replace(b"\r\n", b"")).strip(b" \t") + b"\r\n"


def _without_blanks(lines: bytes) -> bytes:
    """Section 3.4.4: white space in a row is one space, at the end of a line none.

    Each round halves what is in a row; a pattern would be four times as slow on "a\\ta\\ta\\t".
    """
    lines = lines.replace(b"\t", b" ")
    while b"  " in lines:
        lines = lines.replace(b"  ", b" ")
    return lines.replace(b" \r\n", b"\r\n")
