"""Whether a message holds a text, for SEARCH (RFC 3501 §6.4.4): linear, in steps, without regard to case.

A caller that must stay responsive takes one step of `in_body` at a time; each looks at 64 KB at most.
"""

from collections.abc import Iterator
from datetime import date

from emailgency.codec.mime import decoding, headers, sent_date, structure
from emailgency.codec.mime.headers import Octets
from emailgency.codec.mime.structure import Part


class Text:
    """A text to look for; it keeps what it needs to find itself across the border of two pieces."""

    def __init__(self, text: str) -> None:
        self.folded = text.casefold()
        self._tail = ""

    def within(self, text: str) -> bool:
        """Whether `text` contains it."""
        return self.folded in text.casefold()

    def begin(self) -> None:
        """The next piece continues nothing."""
        self._tail = ""

    def continues(self, piece: str) -> bool:
        """Whether it is in `piece` or begins in the pieces before."""
        text = self._tail + piece.casefold()
        if self.folded in text:
            return True
        self._tail = text[max(0, len(text) - len(self.folded) + 1) :]
        return False


def in_field(header: bytes, field: str, text: Text) -> bool:
    """HEADER: one of the fields of this name contains it; the empty text is in each of them."""
    return any(text.within(value) for value in field_texts(header, field))


def field_texts(header: bytes, field: str) -> list[str]:
    """All values of a field, decoded."""
    name = field.lower().encode("latin-1", "replace")
    found = headers.read(header, 0, headers.header_end(header, 0, len(header)), headers.one(name))
    return [decoding.header_text(value) for value in found.get(name, ())]


def sent_day(header: bytes) -> date | None:
    """The day in the Date field, in the sender's zone (SENTBEFORE and so on disregard it); None when there is none."""
    found = headers.read(header, 0, headers.header_end(header, 0, len(header)), headers.one(b"date"))
    sent = sent_date.read(found[b"date"][-1]) if found else None
    return None if sent is None else sent.day


def in_body(octets: Octets, text: Text, with_header: bool) -> Iterator[bool]:
    """BODY, or with the header TEXT: False after each step in vain; True, and then no more, when it is found."""
    message = structure.read(octets)
    text.begin()
    if with_header and text.within(header_of(octets, message)):
        yield True
        return
    for part, piece in pieces(octets, message):
        if piece is None:
            text.begin()
            found = part.envelope is not None and text.within(header_of(octets, part))
        else:
            found = text.continues(piece)
        yield found
        if found:
            return


def header_lines(header: bytes) -> list[str]:
    """Each field with its name, decoded."""
    return [decoding.header_text(line) for line in headers.logical_lines(header)]


def header_of(octets: Octets, part: Part) -> str:
    """The decoded fields of a message, or a message inside it; NUL stands between them: none spans two."""
    header = octets[part.header : min(part.body, part.header + headers.LIMIT)]
    return "\0".join([line.replace("\0", "\ufffd") for line in header_lines(header)])


def pieces(octets: Octets, message: Part) -> Iterator[tuple[Part, str | None]]:
    """Each part below and at `message` in its order: None as it begins, then the pieces of its text if it is text.

    NUL, which would look like the end of something, is replaced.
    """
    waiting = [message]
    while waiting:
        part = waiting.pop()
        if part is not message:
            yield part, None
        if part.parts:
            waiting.extend(reversed(part.parts))
        elif part.content.is_type(b"text"):
            charset = part.content.parameter(b"charset")
            for piece in decoding.body_text(octets, part.body, part.end, part.content.encoding, charset):
                yield part, piece.replace("\0", "\ufffd")
