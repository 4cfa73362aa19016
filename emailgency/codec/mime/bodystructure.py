"""BODY and BODYSTRUCTURE (RFC 3501 §7.4.2) serialised from the tree of parts."""

from emailgency.codec.imap.strings import nstring, string
from emailgency.codec.mime import structure
from emailgency.codec.mime.content import Content, Parameters
from emailgency.codec.mime.headers import Octets
from emailgency.codec.mime.structure import Part


def serialise(octets: Octets, part: Part, extensible: bool) -> bytes:
    """BODYSTRUCTURE, or BODY, which is the same without extension data."""
    content = part.content
    if part.multipart:
        inner = b"".join([serialise(octets, child, extensible) for child in part.parts])
        if not extensible:
            return b"(%b %b)" % (inner, string(content.subtype))
        return b"(%b %b %b %b)" % (inner, string(content.subtype), _parameters(content.parameters), _extension(content))
    type, subtype = content.type, content.subtype
    if part.opaque:
        # A multipart or message without parts cannot be written; RFC 2046 §4.5.1: so it is octets.
        type, subtype = b"application", b"octet-stream"
    fields = [
        string(type),
        string(subtype),
        _parameters(content.parameters),
        nstring(content.id),
        nstring(content.description),
        string(content.encoding),
        b"%d" % (part.end - part.body),
    ]
    if part.message:
        message = part.parts[0]
        fields.append(message.envelope or b"NIL")
        fields.append(serialise(octets, message, extensible))
        fields.append(b"%d" % structure.lines(octets, part))
    elif type.lower() == b"text":
        fields.append(b"%d" % structure.lines(octets, part))
    if extensible:
        fields.append(nstring(content.md5))
        fields.append(_extension(content))
    return b"(" + b" ".join(fields) + b")"


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
