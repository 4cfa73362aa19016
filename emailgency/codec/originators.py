"""Who a message says it is from, read strictly: what two programs might read differently is refused (rows 10, 43).

`codec.mime.addresses` is the tolerant reader for showing mail; this one guards the sender's name of submitted mail.
Linear: a token is read once, and every token moves on.
"""

import re
from collections.abc import Callable, Sequence

from emailgency.codec.address import parse
from emailgency.model.address import Address
from emailgency.model.errors import Invalid

# RFC 5322 section 2.2.3: a field goes on over lines that begin with white space
_FIELD = re.compile(rb"(?:\A|\r\n)([!-9;-~]+)[ \t]*:([^\r\n]*(?:\r\n[ \t][^\r\n]*)*)")
_FOLD = re.compile(r"\r\n(?=[ \t])")
_TOKEN = re.compile(r'(?:[ \t]+|"(?:[^"\\\r\n]|\\[^\r\n])*"|[<>@,:;(]|\[[^\[\]\\\r\n]*\]|[^ \t\r\n"<>@,:;()\[\]\\]+)')
_COMMENT = re.compile(r"[^()\\]+|[()]|\\.")
_FROM = 8192  # octets of a From that is read for its domain: at most 7 ms


def fields(header: bytes) -> list[tuple[str, bytes]]:
    """Lower-case name and raw value of every field of a header."""
    return [(match[1].decode("ascii").lower(), match[2]) for match in _FIELD.finditer(header)]


def without(header: bytes, names: frozenset[str]) -> bytes:
    """`header` without the fields of these lower-case names."""
    return without_fields(header, lambda name, _: name in names)


def without_fields(header: bytes, unwanted: Callable[[str, bytes], bool]) -> bytes:
    """`header` without the fields that `unwanted` picks by lower-case name and raw value."""
    kept, start = [], 0
    for match in _FIELD.finditer(header):
        if unwanted(match[1].decode("ascii").lower(), match[2]):
            begin = match.start() + (2 if header.startswith(b"\r\n", match.start()) else 0)
            kept.append(header[start:begin])
            start = match.end() + 2
    return b"".join([*kept, header[start:]]) if kept else header


def mailboxes(value: bytes) -> list[Address]:
    """The addresses of a From or Sender field (RFC 5322 section 3.4). Raises Invalid for whatever is not plain."""
    try:
        text = _FOLD.sub("", value.decode("utf-8"))
    except UnicodeDecodeError:
        raise Invalid("it is not UTF-8") from None
    found: list[Address] = []
    outside: list[str] = []
    angle: list[str] | None = None
    inside, at = False, 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise Invalid("it is malformed")
        piece, at = match[0], match.end()
        if piece == "(":
            at = _behind_comment(text, at)
        elif piece == "<" and angle is None:
            angle, inside = [], True
        elif piece == ">" and inside:
            inside = False
        elif inside and angle is not None:
            angle.append(piece)
        elif piece in ("<", ">"):
            raise Invalid("its angle brackets are unpaired")
        elif piece in (",", ";"):
            found += _one(outside, angle)
            outside, angle = [], None
        elif piece == ":":
            if angle is not None or "@" in outside:
                raise Invalid("it has a colon where none belongs")
            outside = []  # the name of a group, RFC 6854
        else:
            outside.append(piece)
    if inside:
        raise Invalid("its angle brackets are unpaired")
    return found + _one(outside, angle)


def author_domain(header: bytes) -> str | None:
    """The domain of the one author in From; None when that is not clear, and then nobody vouches for it."""
    return sole_domain([value for name, value in fields(header) if name == "from"])


def sole_domain(values: Sequence[bytes]) -> str | None:
    """The same, of the From fields that a header has. One that is very long names nobody clearly."""
    if len(values) != 1 or len(values[0]) > _FROM:
        return None
    try:
        domains = {address.domain for address in mailboxes(values[0])}
    except Invalid:
        return None
    return domains.pop() if len(domains) == 1 else None


def _one(outside: list[str], angle: list[str] | None) -> list[Address]:
    spoken = "".join(outside).strip(" \t")
    if angle is None:
        return [parse(spoken)] if spoken else []
    address = "".join(angle).strip(" \t")
    if "@" in outside or address.startswith("@"):
        raise Invalid("it shows two addresses in one")
    return [parse(address)]


def _behind_comment(text: str, at: int) -> int:
    depth = 1
    for match in _COMMENT.finditer(text, at):
        depth += {"(": 1, ")": -1}.get(match[0], 0)
        if not depth:
            return match.end()
    raise Invalid("its comment does not end")
