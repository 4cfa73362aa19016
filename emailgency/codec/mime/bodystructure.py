"""BODY and BODYSTRUCTURE (RFC 3501 §7.4.2) serialised from the tree of parts."""

from typing import NamedTuple

from emailgency.codec.imap.strings import nstring, string
from emailgency.codec.mime.content import Content, Parameters
from emailgency.codec.mime.headers import Octets
from emailgency.codec.mime.structure import Part

_CHUNK = 65536


class Serialised(NamedTuple):
    """One part and all inside it."""

    extended: bytes  # BODYSTRUCTURE
    body: bytes  # BODY, the same without extension data
    lines: int | None  # of the content, where they had to be counted: messages in messages need not count again


def serialise(octets: Octets, part: Part) -> Serialised:
    """The answers for a part."""
    content = part.content
    if part.multipart:
        inner = [serialise(octets, child) for child in part.parts]
        structures = b"".join([child.extended for child in inner])
        bodies = b"".join([child.body for child in inner])
        subtype = string(content.subtype)
        return Serialised(
            b"(%b %b %b %b)" % (structures, subtype, _parameters(content.parameters), _extension(content)),
            b"(%b %b)" % (bodies, subtype),
            None,
        )
    fields, extension = _fields(content, part.opaque)
    basic = b"%b %d" % (fields, part.end - part.body)
    if part.message:
        message = part.parts[0]
        inside = serialise(octets, message)
        lines = _lines(octets, message.header, message.body)
        lines += _lines(octets, message.body, part.end) if inside.lines is None else inside.lines
        envelope = message.envelope or b"NIL"
        return Serialised(
            b"(%b %b %b %d %b)" % (basic, envelope, inside.extended, lines, extension),
            b"(%b %b %b %d)" % (basic, envelope, inside.body, lines),
            lines,
        )
    if part.opaque or not content.is_type(b"text"):
        return Serialised(b"(%b %b)" % (basic, extension), b"(%b)" % basic, None)
    lines = _lines(octets, part.body, part.end)
    return Serialised(b"(%b %d %b)" % (basic, lines, extension), b"(%b %d)" % (basic, lines), lines)


def _fields(content: Content, opaque: bool) -> tuple[bytes, bytes]:
    """What stands before the size of a part that is no multipart, and the extension data."""
    if content.written is not None and not opaque:
        return content.written
    type, subtype = content.type, content.subtype
    if opaque:
        # A multipart or message without parts cannot be written; RFC 2046 §4.5.1: so it is octets.
        type, subtype = b"application", b"octet-stream"
    basic = b"%b %b %b %b %b %b" % (
        string(type),
        string(subtype),
        _parameters(content.parameters),
        nstring(content.id),
        nstring(content.description),
        string(content.encoding),
    )
    written = basic, b"%b %b" % (nstring(content.md5), _extension(content))
    if not opaque:
        content.written = written
    return written


def _lines(octets: Octets, start: int, end: int) -> int:
    """Line ends in octets[start:end]."""
    if end - start <= _CHUNK:
        return octets[start:end].count(b"\n")
    return sum(octets[at : min(at + _CHUNK, end)].count(b"\n") for at in range(start, end, _CHUNK))


def _extension(content: Content) -> bytes:
    """Disposition, language, location."""
    if content.disposition is None and not content.languages and content.location is None:
        return b"NIL NIL NIL"
    disposition = b"NIL"
    if content.disposition is not None:
        name, parameters = content.disposition
        disposition = b"(%b %b)" % (string(name), _parameters(parameters))
    languages = b"(" + b" ".join([string(language) for language in content.languages]) + b")"
    return b"%b %b %b" % (disposition, languages if content.languages else b"NIL", nstring(content.location))


def _parameters(parameters: Parameters) -> bytes:
    if not parameters:
        return b"NIL"
    return b"(" + b" ".join([string(word) for pair in parameters for word in pair]) + b")"
