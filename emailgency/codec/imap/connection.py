"""The client's octets -> events, one command at a time (RFC 3501 §2.2, RFC 7888). Sans-IO.

Feed what arrives, and ask for the next event when the last one is dealt with: not asking *is* the pause, so
pipelined commands wait in the buffer, which `full` bounds (stop reading the transport while it is true).

    connection.feed(data)
    while (event := connection.next_event()) is not None: ...

A command is gathered with its literals and then parsed whole; it may hold `Limits.command` octets in all. Only the
literal of APPEND is not gathered: the command comes first, then its octets as they arrive.
"""

import enum
import re

from msgspec import Struct

from emailgency.codec.imap import appending, parser
from emailgency.codec.imap.commands import Append, Command, Replace
from emailgency.codec.imap.grammar import ProtocolError
from emailgency.codec.imap.literals import Announcement, Skipped, Skipping, announced
from emailgency.codec.inflating import Broken, Inflating


class Limits(Struct, frozen=True):
    """All in octets."""

    command: int = 65536  # a command with its literals
    guest_literal: int = 256  # a literal before login (reliability row 26)
    guest_command: int = 8192  # a command before login: AUTHENTICATE with an initial response is the longest
    line: int = 16384  # an answer to a continuation: SASL
    discard: int = 67108864  # of a refused literal the client sends anyway (RFC 7888 §4: discard or BYE)


class Request(Struct, frozen=True):
    """A command. Answer it with its tag before asking for the next event."""

    tag: bytes
    command: Command


class BadCommand(Struct, frozen=True):
    """No command we understand: answer `responses.tagged(tag, condition, words, code)` and count it."""

    tag: bytes  # b"*" when not even the tag could be read
    words: str
    condition: str = "BAD"
    code: bytes = b""


class NeedContinuation(Struct, frozen=True):
    """The client waits: write `responses.continuation()` and go on."""


class LiteralChunk(Struct, frozen=True):
    """The next octets of the accepted APPEND."""

    octets: bytes


class NextMessage(Struct, frozen=True):
    """The octets of one message are complete, and another one follows (RFC 3502): decide about its literal, too."""

    message: Append


class AppendEnd(Struct, frozen=True):
    """The APPEND is complete with all octets and its CRLF: store it and answer its tag.

    When the command goes wrong after its literal, BadCommand comes in its place: drop the octets.
    """


class Line(Struct, frozen=True):
    """The line that was expected, without CRLF."""

    octets: bytes


class Fatal(Struct, frozen=True):
    """The stream can no longer be understood or is hostile: say `* BYE words` and close. Nothing follows."""

    words: str


Event = Request | BadCommand | NeedContinuation | LiteralChunk | NextMessage | AppendEnd | Line | Fatal

_TAG = re.compile(rb"[!#$&',\-./0-9:;<=>?@A-Z\[\]^_`a-z|}~]{1,128}(?= )")


_SMALL = 4096  # octets of a literal that nobody has to wait with, RFC 7888 section 5
_UNASKED = "a literal as large as that has to wait for +"


class _Await(enum.Enum):
    """What the next octets are."""

    COMMAND = enum.auto()
    DECISION = enum.auto()  # about the literal of an APPEND: nothing is read until the server has made it
    BODY = enum.auto()  # octets of that literal
    TAIL = enum.auto()  # the CRLF behind it, or another message of the same command
    LINE = enum.auto()
    SKIPPED = enum.auto()  # the rest of a command that was given up
    NOTHING = enum.auto()  # after Fatal


class Connection:
    """One client's stream. The server sets `authenticated` after login and `utf8` after ENABLE UTF8=ACCEPT."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.authenticated = False
        self.utf8 = False
        self.large_literals_wait = False  # LITERAL- (RFC 7888 section 5) in the place of LITERAL+
        self._limits = limits or Limits()
        self._buffer = bytearray()
        self._await = _Await.COMMAND
        self._line = 0  # where in the buffer the current line of the command begins: behind its last literal
        self._scanned = 0  # no LF before this
        self._append_tag = b"*"  # of the APPEND under way
        self._message: Append | None = None  # whose literal comes
        self._alone = False  # no other message may follow: REPLACE
        self._remaining = 0  # octets of its literal still to come
        self._skipping = Skipping(0, 0)
        self._report: BadCommand | None = None  # to give when the skipped command ends
        self._inflating: Inflating | None = None

    def feed(self, data: bytes) -> None:
        """Take octets from the transport; never refuses, look at `full` afterwards."""
        if self._await is _Await.NOTHING:
            return
        if self._inflating is None:
            self._buffer += data
        else:
            self._inflating.feed(data)

    @property
    def full(self) -> bool:
        """Enough is buffered: stop reading from the transport until this is false again."""
        return len(self._buffer) > self._most or (self._inflating is not None and self._inflating.full)

    @property
    def pending(self) -> bool:
        """Compressed octets wait for their turn, so that they cost others no more than plain ones."""
        return self._inflating is not None and self._inflating.pending and self._await is not _Await.NOTHING

    def inflate(self) -> None:
        """From the next octet on the client compresses (RFC 4978)."""
        self._inflating = Inflating()

    @property
    def compressed(self) -> bool:
        return self._inflating is not None

    @property
    def unread(self) -> int:
        """Octets behind the last event. After STARTTLS they must be 0, else close: somebody injected them."""
        return len(self._buffer)

    @property
    def _most(self) -> int:
        return self._limits.command if self.authenticated else self._limits.guest_command

    def next_event(self) -> Event | None:
        """The next event, or None when more octets are needed; see `pending`, too."""
        event = self._next_event()
        if event is None and self._inflating is not None and self._inflating.pending:
            try:
                self._buffer += self._inflating.step()
            except Broken:
                return self._fatal("the compressed stream is broken")
            event = self._next_event()
        return event

    def _next_event(self) -> Event | None:
        match self._await:
            case _Await.COMMAND:
                return self._gather()
            case _Await.BODY:
                return self._body()
            case _Await.TAIL:
                return self._tail()
            case _Await.LINE:
                return self._expected_line()
            case _Await.SKIPPED:
                return self._skip()
        return None

    def accept_literal(self) -> None:
        """The size of the APPEND is fine; write the continuation yourself when it is `synchronising`."""
        assert self._await is _Await.DECISION
        self._await = _Await.BODY if self._remaining else _Await.TAIL

    def refuse_literal(self) -> None:
        """It is not, or the command ended before its octets did: those the client sends all the same are skipped.

        Called after each command; does nothing when no literal is under way.
        """
        if self._await is _Await.DECISION and self._message is not None and self._message.synchronising:
            self._await = _Await.COMMAND
        elif self._await in (_Await.DECISION, _Await.BODY, _Await.TAIL):
            self._begin_skip(self._remaining, None)

    def expect_line(self) -> None:
        """The next event is the client's answer to a continuation: SASL, or DONE of IDLE."""
        assert self._await is _Await.COMMAND
        self._await = _Await.LINE

    # ---- gathering a command

    def _gather(self) -> Event | None:
        buffer = self._buffer
        while (newline := buffer.find(b"\n", self._scanned)) >= 0 and newline < self._most:
            if newline == self._line or buffer[newline - 1] != 0x0D:
                # A bare LF is how text meant for somebody else comes in (reliability decision 5).
                return self._fatal("lines end in CRLF")
            end = newline + 1
            literal = announced(buffer, self._line, end)
            if literal is None:
                return self._complete(end)
            if self._unasked(literal):
                return self._give_up(end, literal, BadCommand(self._peek_tag(), _UNASKED))
            if self.authenticated and appending.COMMAND.match(buffer, 0, end):
                event = self._append(end, literal)
                if event is not None:
                    return event
            size, synchronising = literal
            if end + size > self._most or (not self.authenticated and size > self._limits.guest_literal):
                return self._give_up(end, literal, BadCommand(self._peek_tag(), "the literal is too large"))
            self._line = self._scanned = end + size
            if synchronising:
                return NeedContinuation()
        if newline < 0 and len(buffer) <= self._most:
            self._scanned = max(self._scanned, len(buffer))
            return None
        self._begin_skip(0, BadCommand(self._peek_tag(), "the command is too long"))
        return self._skip()

    def _complete(self, end: int) -> Event:
        octets = self._take(end)
        try:
            return Request(*parser.parse(octets, self.utf8))
        except ProtocolError as error:
            return _refusal(octets, error)

    def _append(self, end: int, literal: Announcement) -> Event | None:
        """The event of an APPEND whose message literal begins at `end`; None: it is the mailbox name's literal."""
        octets = bytes(self._buffer[:end])
        try:
            found = appending.first(octets, literal, self.utf8)
        except ProtocolError as error:
            return self._give_up(end, literal, _refusal(octets, error))
        if found is None:
            return None
        self._take(end)
        self._append_tag, command = found
        self._alone = isinstance(command, Replace)
        self._decide(command.message if isinstance(command, Replace) else command)
        return Request(self._append_tag, command)

    def _decide(self, message: Append) -> None:
        self._message = message
        self._remaining = message.size
        self._await = _Await.DECISION

    def _unasked(self, literal: Announcement) -> bool:
        return self.large_literals_wait and literal.size > _SMALL and not literal.synchronising

    def _peek_tag(self) -> bytes:
        match = _TAG.match(self._buffer, 0, self._most)
        return match.group() if match else b"*"

    def _take(self, end: int) -> bytes:
        octets = bytes(self._buffer[:end])
        del self._buffer[:end]
        self._line = self._scanned = 0
        return octets

    # ---- the literal of APPEND

    def _body(self) -> LiteralChunk | None:
        if not self._buffer:
            return None
        octets = self._take(min(self._remaining, len(self._buffer)))
        self._remaining -= len(octets)
        if not self._remaining:
            self._await = _Await.TAIL
        return LiteralChunk(octets)

    def _tail(self) -> Event | None:
        buffer = self._buffer
        newline = buffer.find(b"\n", self._scanned)
        if newline < 0 and len(buffer) <= self._most:
            self._scanned = len(buffer)
            return None
        end = newline + 1
        if not 0 < end <= self._most:
            self._begin_skip(0, BadCommand(self._append_tag, "the command is too long"))
            return self._skip()
        if buffer[newline - 1 : newline] != b"\r":
            return self._fatal("lines end in CRLF")
        return self._behind_message(bytes(buffer[:end]), end)

    def _behind_message(self, line: bytes, end: int) -> Event | None:
        """The end of the command, or another message; `line` stands behind the octets of the one before."""
        literal = announced(self._buffer, 0, end)
        assert self._message is not None
        try:
            if self._alone and literal is not None:
                raise ProtocolError("unexpected argument")
            if literal is not None and self._unasked(literal):
                raise ProtocolError(_UNASKED)
            message = appending.next_message(line, self._message, literal, self.utf8)
        except ProtocolError as error:
            report = BadCommand(self._append_tag, error.words, error.condition, error.code)
            if literal is not None:
                return self._give_up(end, literal, report)
            self._take(end)
            self._await = _Await.COMMAND
            return report
        self._take(end)
        if message is None:
            self._await = _Await.COMMAND
            return AppendEnd()
        self._decide(message)
        return NextMessage(message)

    # ---- an answer to a continuation

    def _expected_line(self) -> Event | None:
        newline = self._buffer.find(b"\n", self._scanned)
        if (newline if newline >= 0 else len(self._buffer)) > self._limits.line:
            return self._fatal("the line is too long")
        if newline < 0:
            self._scanned = len(self._buffer)
            return None
        if newline == 0 or self._buffer[newline - 1] != 0x0D:
            return self._fatal("lines end in CRLF")
        self._await = _Await.COMMAND
        return Line(self._take(newline + 1)[:-2])

    # ---- giving up a command

    def _give_up(self, end: int, literal: Announcement, report: BadCommand) -> Event | None:
        """Refuse a command at the literal announced before `end`: a client that waits for "+" never sends it."""
        if literal.synchronising:
            self._take(end)
            self._await = _Await.COMMAND
            return report
        if not self.authenticated:
            return self._fatal(report.words)
        self._take(end)
        self._begin_skip(literal.size, report)
        return self._skip()

    def _begin_skip(self, literal: int, report: BadCommand | None) -> None:
        self._await = _Await.SKIPPED
        self._skipping = Skipping(literal, self._limits.discard if self.authenticated else self._most)
        self._report = report

    def _skip(self) -> Event | None:
        self._line = self._scanned = 0
        match self._skipping.step(self._buffer):
            case Skipped.MORE:
                return None
            case Skipped.TOO_MUCH:
                return self._fatal("the command is too long")
        self._await = _Await.COMMAND
        return self._report or self._gather()

    def _fatal(self, words: str) -> Fatal:
        self._await = _Await.NOTHING
        self._buffer.clear()
        return Fatal(words)


def _refusal(octets: bytes, error: ProtocolError) -> BadCommand:
    match = _TAG.match(octets)
    return BadCommand(match.group() if match else b"*", error.words, error.condition, error.code)
