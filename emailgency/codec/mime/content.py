"""What a part says of itself: Content-Type and its companions (RFC 2045 §5, RFC 2183, RFC 3066, RFC 2557, RFC 1864)."""

import re
from functools import lru_cache

from msgspec import Struct
from msgspec.structs import replace

from emailgency.codec.mime import headers

FIELDS = (
    b"content-type",
    b"content-transfer-encoding",
    b"content-id",
    b"content-description",
    b"content-disposition",
    b"content-language",
    b"content-location",
    b"content-md5",
)

_TOKEN = rb"[^\x00-\x20()<>@,;:\\\"/\[\]?=\x7f]"
_TYPE = re.compile(rb"(%b++)[ \t]*+/[ \t]*+(%b++)" % (_TOKEN, _TOKEN))
_PARAMETER = re.compile(
    rb';[ \t]*+(%b++)[ \t]*+=[ \t]*+(?:"((?:[^"\\]|\\.)*+)(?:"|\\?\Z)|([^; \t"]*+))|;' % _TOKEN, re.DOTALL
)
_WORD = re.compile(_TOKEN + b"++")
_COMMENTED = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\Z)|[()]|\\.', re.DOTALL)
_ESCAPE = re.compile(rb"\\(.)", re.DOTALL)
_SECTION = re.compile(rb"(.+?)\*([0-9]{1,3})(\*?)")
_LANGUAGE = re.compile(rb"[^\s,]+")

_REMEMBERED = 256  # octets of all values
PARAMETERS = 50  # of one field that are read
LANGUAGES = 100

Parameters = tuple[tuple[bytes, bytes], ...]


class Content(Struct):
    """The fields of one part, unfolded, spelled as they are; None for an absent one. Many parts share one of these."""

    type: bytes
    subtype: bytes
    parameters: Parameters
    encoding: bytes = b"7bit"
    id: bytes | None = None
    description: bytes | None = None
    disposition: tuple[bytes, Parameters] | None = None
    languages: tuple[bytes, ...] = ()
    location: bytes | None = None
    md5: bytes | None = None
    written: tuple[bytes, bytes] | None = None  # what `bodystructure` made of it, for the next part that says the same

    def is_type(self, type: bytes, subtype: bytes | None = None) -> bool:
        """Whether it is of this (lower-case) type."""
        return self.type.lower() == type and (subtype is None or self.subtype.lower() == subtype)

    def parameter(self, name: bytes) -> bytes | None:
        """The first parameter of this (lower-case) name."""
        return next((value for key, value in self.parameters if key.lower() == name), None)


# RFC 2045 §5.2: the meaning of no Content-Type, or of one that cannot be read; in a digest RFC 2046 §5.1.5.
_CHARSET = (b"charset", b"us-ascii")
_TEXT = Content(b"text", b"plain", (_CHARSET,))
_MESSAGE = Content(b"message", b"rfc822", ())


def as_text(content: Content) -> Content:
    """What a part is whose Content-Type cannot be used: plain text, with all else it says."""
    return replace(content, type=_TEXT.type, subtype=_TEXT.subtype, parameters=_TEXT.parameters, written=None)


def read(fields: dict[bytes, list[bytes]], in_digest: bool) -> Content:
    """The first of each of `FIELDS` as `headers.read` has found them."""
    if not fields:
        return _MESSAGE if in_digest else _TEXT
    values = tuple([fields[name][0] if name in fields else None for name in FIELDS])
    if sum([len(value) for value in values if value]) > _REMEMBERED:
        return _read(values, in_digest)
    return _remembered(values, in_digest)


def encoding(header: bytes) -> bytes:
    """The Content-Transfer-Encoding in the header of a part, in lower case."""
    found = headers.read(header, 0, len(header), headers.one(b"content-transfer-encoding"))
    return _token(headers.unfold(found[b"content-transfer-encoding"][0])).lower() if found else b"7bit"


def _read(values: tuple[bytes | None, ...], in_digest: bool) -> Content:
    """The raw values of `FIELDS` in their order."""
    type_, encoding, id, description, disposition, languages, location, md5 = (
        None if value is None else headers.unfold(value) for value in values
    )
    type, subtype, parameters = _type(type_, in_digest)
    return Content(
        type,
        subtype,
        parameters,
        _token(encoding) or b"7bit",
        id,
        description,
        _disposition(disposition),
        _languages(languages),
        location,
        md5,
    )


# Most parts of most messages say one of a few things.
_remembered = lru_cache(maxsize=256)(_read)


def _type(value: bytes | None, in_digest: bool) -> tuple[bytes, bytes, Parameters]:
    text = _without_comments(value or b"")
    match = _TYPE.match(text)
    if match is None:
        default = _MESSAGE if value is None and in_digest else _TEXT
        return default.type, default.subtype, default.parameters
    type, subtype = match.groups()
    parameters = _parameters(text, match.end())
    if type.lower() == b"text" and not any(name.lower() == b"charset" for name, _ in parameters):
        parameters = (*parameters, _CHARSET)
    return type, subtype, parameters


def _disposition(value: bytes | None) -> tuple[bytes, Parameters] | None:
    text = _without_comments(value or b"")
    match = _WORD.match(text)
    return (match.group(), _parameters(text, match.end())) if match else None


def _token(value: bytes | None) -> bytes:
    match = _WORD.match(_without_comments(value or b""))
    return match.group() if match else b""


def _languages(value: bytes | None) -> tuple[bytes, ...]:
    return tuple(_LANGUAGE.findall(_without_comments(value or b"")))[:LANGUAGES]


def _parameters(text: bytes, at: int) -> Parameters:
    """`; name=value` pairs from `at` on; what is none is passed over up to the next semicolon."""
    found: list[tuple[bytes, bytes]] = []
    continued = False
    for match in _PARAMETER.finditer(text, at):
        name, quoted, bare = match.groups()
        if name is None:
            continue
        value = bare if quoted is None else _ESCAPE.sub(rb"\1", quoted) if b"\\" in quoted else quoted
        found.append((name, value))
        continued = continued or b"*" in name
        if len(found) == PARAMETERS:
            break
    return _joined(found) if continued else tuple(found)


def _joined(found: list[tuple[bytes, bytes]]) -> Parameters:
    """Put `name*0`, `name*1*` together (RFC 2231 §3); one that has an encoded section is called `name*`."""
    sections: dict[bytes, dict[int, bytes]] = {}
    encoded: set[bytes] = set()
    joined: list[tuple[bytes, bytes | None]] = []
    for name, value in found:
        match = _SECTION.fullmatch(name)
        if match is None:
            joined.append((name, value))
            continue
        base, number, star = match.groups()
        if base not in sections:
            sections[base] = {}
            joined.append((base, None))
        sections[base].setdefault(int(number), value)
        if star:
            encoded.add(base)
    return tuple(
        (name + b"*" if name in encoded else name, b"".join(part for _, part in sorted(sections[name].items())))
        if value is None
        else (name, value)
        for name, value in joined
    )


def _without_comments(value: bytes) -> bytes:
    """Each comment replaced by a space; parentheses in quoted strings are text."""
    if b"(" not in value:
        return value
    kept: list[bytes] = []
    depth = start = 0
    for match in _COMMENTED.finditer(value):
        if match.group() == b"(":
            if not depth:
                kept += (value[start : match.start()], b" ")
            depth += 1
        elif match.group() == b")" and depth:
            depth -= 1
            start = match.end()
    if not depth:
        kept.append(value[start:])
    return b"".join(kept).strip(b" \t")
