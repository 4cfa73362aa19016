"""A message as somebody looks at it before he decides what its address is: who, what about, when, and its text.

Bounded whatever the octets are: of a message `READ` octets are read by whoever calls, of its text TEXT characters kept.
"""

import re
from itertools import islice

from msgspec import Struct

from emailgency.codec.mime import decoding, headers, preview, structure
from emailgency.codec.mime.structure import Part

READ = 262_144  # octets of a message that are worth reading for this
TEXT = 20_000  # characters shown
_PARTS = 50  # looked at for a text
_FIELDS = headers.wanted((b"from", b"to", b"subject", b"date"))
# Controls but for tabs and line ends, and marks that turn text around (attack row 31)
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]")


class Letter(Struct, frozen=True):
    """Texts for people. `head` is the header as it stands; `cut`: there is more text than this."""

    sender: str
    to: str
    subject: str
    date: str
    head: str
    text: str
    cut: bool


def letter(octets: bytes) -> Letter:
    """`octets` may be only the beginning of a message."""
    message = structure.read(octets)
    head = octets[: message.body]
    fields = headers.read(head, 0, len(head), _FIELDS)
    text, cut = _text(octets, message)
    return Letter(
        sender=_shown(fields, b"from"),
        to=_shown(fields, b"to"),
        subject=_shown(fields, b"subject"),
        date=_shown(fields, b"date"),
        head=_seen(head.decode("utf-8", "replace"))[:TEXT],
        text=text,
        cut=cut,
    )


def sender(head: bytes) -> str:
    """From of a header, or of the beginning of one."""
    return _shown(headers.read(head, 0, len(head), _FIELDS), b"from")


def _shown(fields: dict[bytes, list[bytes]], name: bytes) -> str:
    values = fields.get(name, [b""])
    return _seen(decoding.header_text(headers.unfold(values[0])))[:500]


def _text(octets: bytes, message: Part) -> tuple[str, bool]:
    waiting = [message]
    for _ in range(_PARTS):
        if not waiting:
            break
        part = waiting.pop()
        waiting.extend(reversed(part.parts))
        if not part.parts and part.content.is_type(b"text", b"plain"):
            pieces = decoding.body_text(
                octets, part.body, part.end, part.content.encoding, part.content.parameter(b"charset")
            )
            text = _seen("".join(islice(pieces, 8))).strip()
            if text:
                return text[:TEXT], len(text) > TEXT
    return preview.preview(octets), True


def _seen(text: str) -> str:
    return _UNSEEN.sub("", text)
