"""The tree of a message's parts by offsets (RFC 2046 §5.1), found in one pass over its octets.

The delimiters of all open multiparts are searched for with `find`, each level passing over each octet once: linear,
with at most 30 levels. A line is a delimiter when it begins with two hyphens and a boundary (§5.1.1: "it is sufficient
that the boundary appear in its entirety"); of several the longest counts, and of equal ones the innermost.
Whatever is too deep or too many stays octets of the part it is in (reliability row 25).
"""

from msgspec import Struct

from emailgency.codec.mime import content, envelope, headers
from emailgency.codec.mime.content import Content
from emailgency.codec.mime.headers import Octets

DEPTH = 30
PARTS = 1000
HEADERS = 524288  # octets of headers of one message that are read, all parts together

_MESSAGE_PATTERN = headers.wanted((*envelope.FIELDS, *content.FIELDS))
_PART_PATTERN = headers.wanted(content.FIELDS)


class Part(Struct):
    """One part: its header is octets[header:body], its content octets[body:end]. The message itself is one, too."""

    header: int
    body: int
    end: int
    content: Content
    parts: "list[Part]"  # of a multipart; of a message/rfc822 the one message inside
    envelope: bytes | None  # of a message only
    opaque: bool = False  # a multipart or message nobody looked into: too deep or too many

    @property
    def multipart(self) -> bool:
        """Whether `parts` are those of a multipart, of which there is always one at least."""
        return bool(self.parts) and self.content.is_type(b"multipart")

    @property
    def message(self) -> bool:
        """Whether the content is a message of its own, `parts[0]`."""
        return bool(self.parts) and self.content.is_type(b"message")


def read(octets: Octets) -> Part:
    """The whole message."""
    return _Scanner(octets).entity(0, 0, is_message=True, in_digest=False)[0]


class _Open(Struct):
    """A multipart that has not ended, as a thing to search for."""

    delimiter: bytes  # LF, two hyphens, boundary
    at: int = -1  # where it stands next; -1: not known
    searched: int = 0  # it does not stand between where we are and here


class _Delimiter(Struct, frozen=True):
    """A delimiter line octets[line:end], and the line end before it from `start`; of `level` in the open multiparts."""

    start: int
    line: int
    end: int
    level: int
    closing: bool


class _Scanner:
    def __init__(self, octets: Octets) -> None:
        self._octets = octets
        self._size = len(octets)
        self._open: list[_Open] = []
        self._parts = 0
        self._header_budget = HEADERS
        self._envelopes = envelope.Writer()

    def entity(self, start: int, depth: int, is_message: bool, in_digest: bool) -> tuple[Part, _Delimiter | None]:
        """The part or message that begins at `start`, and the delimiter of an outer multipart that ended it."""
        self._parts += 1
        delimiter = self._next(start)
        # The empty line behind a header may be the line end that belongs to a delimiter, too.
        body = headers.header_end(self._octets, start, self._size if delimiter is None else delimiter.line)
        fields = self._fields(start, body, is_message)
        part = Part(
            header=start,
            body=body,
            end=max(body, self._size if delimiter is None else delimiter.start),
            content=content.read(fields, in_digest),
            parts=[],
            envelope=self._envelopes.envelope(fields) if is_message else None,
        )
        if part.content.is_type(b"multipart"):
            delimiter = self._multipart(part, depth, delimiter)
        elif part.content.is_type(b"message", b"rfc822"):
            if depth >= DEPTH or self._parts >= PARTS:
                part.opaque = True
            else:
                inner, delimiter = self.entity(body, depth + 1, is_message=True, in_digest=False)
                part.parts.append(inner)
                part.end = max(inner.end, body)
        return part, delimiter

    def _multipart(self, part: Part, depth: int, outer: _Delimiter | None) -> _Delimiter | None:
        boundary = (part.content.parameter(b"boundary") or b"").rstrip(b" ")
        if not boundary:
            part.content = content.as_text(part.content)  # RFC 2046 §5.1.1 demands one; RFC 2045 §5.2 says what then
            return outer
        if depth >= DEPTH or self._parts >= PARTS:
            part.opaque = True
            return outer
        level = len(self._open)
        self._open.append(_Open(b"\n--" + boundary))
        in_digest = part.content.is_type(b"multipart", b"digest")
        delimiter = self._next(part.body)
        while delimiter is not None and delimiter.level == level and not delimiter.closing:
            if delimiter.end >= self._size:
                break  # cut off behind its delimiter: that part never was
            if self._parts >= PARTS:
                del self._open[level:]  # the last part takes the rest
            child, next_delimiter = self.entity(delimiter.end, depth + 1, is_message=False, in_digest=in_digest)
            part.parts.append(child)
            delimiter = next_delimiter
        del self._open[level:]
        if delimiter is not None and delimiter.level >= level:
            delimiter = self._next(delimiter.end)  # the epilogue
        part.end = self._size if delimiter is None else max(delimiter.start, part.body)
        if not part.parts:
            # A multipart has one part at least (RFC 3501 §9: body-type-mpart = 1*body); this one is empty.
            part.parts.append(Part(part.body, part.body, part.body, content.read({}, in_digest=False), [], None))
        return delimiter

    def _fields(self, start: int, body: int, is_message: bool) -> dict[bytes, list[bytes]]:
        end = min(body, start + self._header_budget)
        self._header_budget -= end - start
        return headers.read(self._octets, start, end, _MESSAGE_PATTERN if is_message else _PART_PATTERN)

    def _next(self, start: int) -> _Delimiter | None:
        """The next delimiter line that begins at `start` or behind it, of any open multipart."""
        if not self._open:
            return None
        first = max(start - 1, 0)  # the LF before the line
        nearest = self._size
        length = level = 0
        for candidate, one in enumerate(self._open):
            at = one.at if one.at >= first else self._search(one, first, nearest)
            # At the same place the longest counts, and of equal ones the innermost.
            if 0 <= at < nearest or (at == nearest and len(one.delimiter) >= length):
                nearest, length, level = at, len(one.delimiter), candidate
        return self._delimiter(nearest, length, level) if length else None

    def _search(self, one: _Open, first: int, nearest: int) -> int:
        """Where `one` stands next, or -1: not up to `nearest`, where another stands."""
        length = len(one.delimiter)
        begin = one.searched - length + 1
        end = nearest + length
        one.at = at = self._octets.find(one.delimiter, max(first, begin), end)
        one.searched = end if at < 0 else at + length
        return at

    def _delimiter(self, at: int, length: int, level: int) -> _Delimiter:
        octets = self._octets
        behind = at + length
        newline = octets.find(b"\n", behind)
        start = at - 1 if at > 0 and octets[at - 1 : at] == b"\r" else at
        closing = octets[behind : behind + 2] == b"--"
        return _Delimiter(start, at + 1, newline + 1 if newline >= 0 else self._size, level, closing)
