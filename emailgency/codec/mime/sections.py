"""Where a FETCH section stands in a message: offsets, so that only what is asked for is read (RFC 3501 §6.4.5)."""

from msgspec import Struct

from emailgency.codec.imap.commands import Binary, Section, Text
from emailgency.codec.mime import headers
from emailgency.codec.mime.structure import Part


class Places(Struct, frozen=True, array_like=True):
    """The tree of parts as offsets: header octets[header:body], content octets[body:end]. Small enough to cache."""

    header: int
    body: int
    end: int
    parts: "tuple[Places, ...]" = ()
    message: bool = False  # the content is a message, parts[0]


def places(part: Part) -> Places:
    """What to keep of a tree that was read."""
    return Places(part.header, part.body, part.end, tuple(places(child) for child in part.parts), part.message)


def needs_places(item: Section | Binary) -> bool:
    """Whether `locate` or `find` needs more than the end of the header and the size of the message."""
    return bool(item.part)


def locate(message: Places, section: Section) -> tuple[int, int] | None:
    """Where the octets of a section begin and end; None: there is no such part (answer NIL).

    Partial fetches are not cut yet (`cut`), and of HEADER.FIELDS it is the whole header (`headers.select` follows).
    """
    if not section.part:
        return _of_message(message, section.text)
    part = find(message, section.part)
    if part is None:
        return None
    if section.text is Text.ALL:
        return part.body, part.end
    if section.text is Text.MIME:
        return part.header, part.body
    # HEADER and TEXT behind a part number are those of the message it holds (RFC 3501 §6.4.5).
    return _of_message(part.parts[0], section.text) if part.message else None


def cut(start: int, end: int, partial: tuple[int, int] | None) -> tuple[int, int]:
    """The range of a partial fetch: origin and most octets; behind the end it is empty."""
    if partial is None:
        return start, end
    origin, most = partial
    return min(start + origin, end), min(start + origin + most, end)


def fields(header: bytes, section: Section) -> bytes:
    """The octets of a HEADER.FIELDS or HEADER.FIELDS.NOT section of this header."""
    return headers.select(header, section.fields, section.text is Text.FIELDS_NOT)


def _of_message(message: Places, text: Text) -> tuple[int, int]:
    if text is Text.ALL:
        return message.header, message.end
    if text is Text.TEXT:
        return message.body, message.end
    return message.header, message.body


def find(message: Places, numbers: tuple[int, ...]) -> Places | None:
    """The part of this number, None if there is none. A message that is no multipart has one part: itself."""
    here = message
    is_message = True  # `here` is a message: its number is that of its parts
    for number in numbers:
        if not is_message and here.message:
            here, is_message = here.parts[0], True
        if here.parts and not here.message:
            if number > len(here.parts):
                return None
            here = here.parts[number - 1]
        elif not is_message or number != 1:
            return None
        is_message = False
    return here
