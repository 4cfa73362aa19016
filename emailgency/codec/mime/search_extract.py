"""All that SEARCH may look for in a message, decoded and without regard to case, to be kept beside the mailbox.

It holds exactly what `search_text` would find in the message itself. NUL, which no needle has, stands before each
field and between the parts, so that nothing is found across them.
"""

from msgspec import Struct

from emailgency.codec.mime import headers, search_text, sort_keys, structure
from emailgency.codec.mime.headers import Octets
from emailgency.codec.mime.sort_keys import SortKeys

FIELDS = ("bcc", "cc", "from", "message-id", "subject", "to")  # kept apart: these are asked for most
TEXT = 262144  # characters of the body that are kept
HEAD = 65536  # octets of the header


class Extract(Struct, frozen=True):
    """UTF-8. `whole`: nothing was left out; a message of which something was must be read to be searched."""

    fields: dict[str, bytes]
    head: bytes
    body: bytes
    keys: SortKeys
    whole: bool


def extract(octets: Octets) -> Extract:
    """Linear; a message with attachments of 20 MB takes some 100 ms."""
    message = structure.read(octets)
    header = octets[: min(message.body, headers.LIMIT)]
    whole = message.body <= HEAD
    kept = header if whole else b""
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
        {field: _joined(search_text.field_texts(kept, field)) for field in FIELDS},
        _joined(search_text.header_lines(kept)),
        _octets("".join(pieces)) if whole else b"",
        sort_keys.read(header),
        whole,
    )


def _joined(texts: list[str]) -> bytes:
    return b"".join(b"\0" + _octets(text.replace("\0", "\ufffd")) for text in texts)


def _octets(text: str) -> bytes:
    return text.casefold().encode("utf-8", "replace")
