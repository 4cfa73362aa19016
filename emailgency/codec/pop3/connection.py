"""The client's octets -> events, one command at a time (RFC 1939 section 3). Sans-IO.

Feed what arrives, and ask for the next event when the last one is dealt with: not asking *is* the pause, so
pipelined commands (RFC 2449 section 6.6) wait in the buffer, which `full` bounds.
"""

from msgspec import Struct

from emailgency.codec.pop3 import commands
from emailgency.codec.pop3.commands import Command, ProtocolError

LINE = 12_288  # octets with CRLF; RFC 2449 section 4 asks for 255, RFC 5034 section 4 for this in an AUTH dialogue


class Request(Struct, frozen=True):
    """A command: answer it before asking for the next event."""

    command: Command


class BadCommand(Struct, frozen=True):
    """No command we understand: answer -ERR with `words` and count it."""

    words: str


class Line(Struct, frozen=True):
    """The line that was expected, without CRLF."""

    octets: bytes


class Fatal(Struct, frozen=True):
    """The stream can no longer be understood: answer -ERR with `words` and close. Nothing follows."""

    words: str


Event = Request | BadCommand | Line | Fatal


class Connection:
    """One client's stream."""

    pending = False  # all octets are looked at

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._scanned = 0  # no LF before this
        self._expected = False
        self._broken = False

    def feed(self, data: bytes) -> None:
        """Take octets from the transport; never refuses, look at `full` afterwards."""
        if not self._broken:
            self._buffer += data

    @property
    def full(self) -> bool:
        """Enough is buffered: stop reading from the transport until this is false again."""
        return len(self._buffer) > LINE

    @property
    def unread(self) -> int:
        """Octets behind the last event. After STLS they must be 0, else close: somebody injected them."""
        return len(self._buffer)

    def expect_line(self) -> None:
        """The next line is an answer to a challenge and no command."""
        self._expected = True

    def next_event(self) -> Event | None:
        """The next event, or None when more octets are needed."""
        if self._broken:
            return None
        end = self._buffer.find(b"\n", self._scanned, LINE)
        if end < 0:
            self._scanned = len(self._buffer)
            return self._fatal("That line is too long.") if self._scanned >= LINE else None
        line = bytes(self._buffer[: end - 1]) if end else b""
        if not end or self._buffer[end - 1] != 13 or b"\r" in line:
            return self._fatal("Lines end in CRLF.")  # who knows what a lone CR or LF means to whom (attack row 1)
        del self._buffer[: end + 1]
        self._scanned = 0
        if self._expected:
            self._expected = False
            return Line(line)
        if b"\0" in line:
            return BadCommand("There is a NUL in that line.")
        try:
            return Request(commands.parse(line))
        except ProtocolError as error:
            return BadCommand(error.words)

    def _fatal(self, words: str) -> Fatal:
        self._broken = True
        self._buffer.clear()
        return Fatal(words)
