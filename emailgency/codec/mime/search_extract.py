"""All that SEARCH may look for in a message, decoded and without regard to case, to be kept beside the mailbox.

It holds exactly what `search_text` would find in the message itself. NUL, which no needle has, stands before each
field and between the parts, so that nothing is found across them.
"""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from emailgency.codec.mime import decoding, headers, search_text, sort_keys, structure
from emailgency.codec.mime.headers import Octets
from emailgency.codec.mime.sort_keys import SortKeys
from emailgency.codec.mime.structure import Part

FIELDS = ("bcc", "cc", "from", "message-id", "subject", "to")  # kept apart: these are asked for most
TEXT = 262144  # characters of the body that are kept
HEAD = 65536  # octets of the header

_NAMES = {field.encode("ascii"): field for field in FIELDS}
_USUAL = headers.wanted(_NAMES)
_PATTERN = headers.wanted({*sort_keys.FIELDS, *_NAMES})
_REPLACED = "\ufffd".encode()


class Extract(Struct, frozen=True):
    """UTF-8. `whole`: nothing was left out; a message of which something was must be read to be searched."""

    fields: dict[str, bytes]
    head: bytes
    body: bytes
    keys: SortKeys
    whole: bool


def extract(octets: Octets, message: Part | None = None) -> Extract:
    """Linear; a message with attachments of 20 MB takes some 100 ms. `message`: what `structure.read` made of it."""
    message = message or structure.read(octets)
    header = octets[: min(message.body, headers.LIMIT)]
    whole = message.body <= HEAD
    fields = headers.read(header, 0, len(header), _PATTERN)
    kept = fields if whole else {}
    pieces: list[str] = []
    left = TEXT
    for part, piece in search_text.pieces(octets, message):
        if piece is not None:
            pieces.append(piece)
        elif part.envelope is not None:
            pieces.append("\0" + search_text.header_of(octets, part) + "\0")
        else:
            pieces.append("\0")
        left -= len(pieces[-1])
        if left < 0:
            whole = False
            break
    return Extract(
        dict(zip(FIELDS, _usual(kept), strict=True)),
        b"".join(map(_folded, headers.logical_lines(header))) if whole else b"",
        _octets("".join(pieces)) if whole else b"",
        sort_keys.of_fields(fields),
        whole,
    )


def usual_texts(octets: Octets, message: Part) -> tuple[bytes, ...]:
    """Of FIELDS, as `extract` has them; empty when it would not."""
    if message.body > HEAD:
        return ()
    return _usual(headers.read(octets, 0, message.body, _USUAL))


def _usual(found: Mapping[bytes, Sequence[bytes]]) -> tuple[bytes, ...]:
    return tuple([b"".join(map(_folded, found.get(name, ()))) for name in _NAMES])


def _folded(value: bytes) -> bytes:
    """A field's raw value, decoded and casefolded, behind its NUL."""
    if value.isascii() and b"=?" not in value:
        return b"\0" + headers.unfold(value).replace(b"\0", _REPLACED).lower()
    return b"\0" + _octets(decoding.header_text(value).replace("\0", "\ufffd"))


def _octets(text: str) -> bytes:
    return text.casefold().encode("utf-8", "replace")
