"""Message octets out of DATA and BDAT, in bulk: a search of each piece as it came, never a step per line.

Both readers give the octets of the message (CRLF lines, no stuffed dots) and note what makes it unfit. An unfit
message is read to its very end and thrown away: an error in it never leads back to command mode before that
(attack rows 1 and 3). At most four octets are held back between two pieces.
"""

from emailgency.model.verdict import Verdict

BARE_LINE_END = Verdict(550, "5.6.11", "message has a CR or LF that is not part of CRLF")
NUL_IN_MESSAGE = Verdict(550, "5.6.0", "message has a NUL")
LONG_LINE = Verdict(550, "5.6.0", "message has a line that is too long")

_END = b"\r\n.\r\n"
_ORDINARY = bytes(octet for octet in range(256) if octet not in b"\0\r\n")
_PREFIXES = (b"\r\n.\r", b"\r\n.", b"\r\n", b"\r")


class Inspection:
    """What is wrong with a message so far; octets come in pieces that do not divide a CRLF."""

    def __init__(self, line_limit: int) -> None:
        self.fault: Verdict | None = None
        self._line_limit = line_limit
        self._line = 0  # octets of the line the last piece ended in

    def inspect(self, octets: bytes) -> None:
        """Note the first fault. A good piece without all ordinary octets is CRLF, CRLF, … : 100 µs for 64 KiB."""
        lines = octets.count(b"\r\n")
        line_ends = b"\r\n" * lines
        marks = octets.translate(None, _ORDINARY)
        if marks != line_ends:
            self.fault = NUL_IN_MESSAGE if marks.replace(b"\0", b"") == line_ends else BARE_LINE_END
        elif not lines:
            self._line += len(octets)
            if self._line > self._line_limit:
                self.fault = LONG_LINE
        else:
            first, last = octets.find(b"\r\n"), octets.rfind(b"\r\n")
            if self._line + first > self._line_limit or (
                last - first > self._line_limit and max(map(len, octets[first:last].split(b"\r\n"))) > self._line_limit
            ):
                self.fault = LONG_LINE
            self._line = len(octets) - last - 2


class DataReader:
    """What follows DATA, up to CRLF "." CRLF and nothing else (RFC 5321 section 4.1.1.4)."""

    def __init__(self, line_limit: int) -> None:
        self._held = b"\r\n"  # as if a line had ended: the first line may be the final dot or start with one
        self._skip = 2  # octets of that CRLF, which are not the message's
        self._inspection = Inspection(line_limit)

    @property
    def fault(self) -> Verdict | None:
        return self._inspection.fault

    def feed(self, octets: bytes) -> tuple[bytes, bytes | None]:
        """More of the message, and what came behind its end (None: it goes on)."""
        piece = self._held + octets
        dotted = b"\r\n." in piece
        end = piece.find(_END) if dotted else -1
        if end >= 0:
            rest: bytes | None = piece[end + 5 :]
            piece = piece[: end + 2]
        else:
            rest = None
            self._held = next((prefix for prefix in _PREFIXES if piece.endswith(prefix)), b"")
            piece = piece[: len(piece) - len(self._held)]
        if self._skip and len(piece) >= 2:
            # while the CRLF of the start is still held nothing was given out, so it is always whole here
            dot = 3 if piece[2:3] == b"." else 2
            piece, self._skip = piece[dot:], 0
        if dotted:
            piece = piece.replace(b"\r\n.", b"\r\n")  # section 4.5.2: the first dot of a line goes
        if self.fault is None:
            self._inspection.inspect(piece)
        return ((b"" if self.fault else piece), rest)


class ChunkReader:
    """The chunks of one message sent by BDAT (RFC 3030 section 2), which may divide a CRLF."""

    def __init__(self, line_limit: int) -> None:
        self._missing = 0  # octets of the current chunk
        self._held = b""
        self._tail = b"\r\n"
        self._inspection = Inspection(line_limit)

    @property
    def fault(self) -> Verdict | None:
        return self._inspection.fault

    def start(self, size: int) -> None:
        self._missing = size

    def feed(self, octets: bytes) -> tuple[bytes, bytes | None]:
        """More of the message, and what came behind the chunk (None: it goes on)."""
        taken = octets[: self._missing]
        self._missing -= len(taken)
        piece = self._held + taken
        self._held = b"\r" if piece.endswith(b"\r") else b""
        if self._held:
            piece = piece[:-1]
        return self._inspected(piece), (None if self._missing else octets[len(taken) :])

    def finish(self) -> bytes:
        """The last octets; a message that does not end in CRLF gets one, since relaying by DATA would add it."""
        if self._held:
            return self._inspected(self._held)
        return b"" if self._tail == b"\r\n" else self._inspected(b"\r\n")

    def _inspected(self, piece: bytes) -> bytes:
        if self.fault is None and piece:
            self._tail = (self._tail + piece)[-2:]
            self._inspection.inspect(piece)
        return b"" if self.fault else piece
