"""BODY and BODYSTRUCTURE (RFC 3501 §7.4.2) serialised from the tree of parts."""

from emailgency.codec.imap.strings import nstring, string
from emailgency.codec.mime import structure
from emailgency.codec.mime.content import Content, Parameters
from emailgency.codec.mime.headers import Octets
from emailgency.codec.mime.structure import Part


def serialise(octets: Octets, part: Part) -> tuple[bytes, bytes]:
    """BODYSTRUCTURE, and BODY, which is the same without extension data."""
    content = part.content
    if part.multipart:
        inner = [serialise(octets, child) for child in part.parts]
        structures = b"".join([extended for extended, _ in inner])
        bodies = b"".join([body for _, body in inner])
        subtype = string(content.subtype)
        return (
            b"(%b %b %b %b)" % (structures, subtype, _parameters(content.parameters), _extension(content)),
            b"(%b %b)" % (bodies, subtype),
        )
    type, subtype = content.type, content.subtype
    if part.opaque:
        # A multipart or message without parts cannot be written; RFC 2046 §4.5.1: so it is octets.
        type, subtype = b"application", b"octet-stream"
    basic = b"%b %b %b %b %b %b %d" % (
        string(type),
        string(subtype),
        _parameters(content.parameters),
        nstring(content.id),
        nstring(content.description),
        string(content.encoding),
        part.end - part.body,
    )
    extension = b"%b %b" % (nstring(content.md5), _extension(content))
    if part.message:
        message = part.parts[0]
        structure_inside, body_inside = serialise(octets, message)
        envelope, lines = message.envelope or b"NIL", structure.lines(octets, part)
        return (
            b"(%b %b %b %d %b)" % (basic, envelope, structure_inside, lines, extension),
            b"(%b %b %b %d)" % (basic, envelope, body_inside, lines),
        )
    if type.lower() == b"text":
        basic = b"%b %d" % (basic, structure.lines(octets, part))
    return b"(%b %b)" % (basic, extension), b"(%b)" % basic


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
