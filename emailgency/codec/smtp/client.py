"""The client side of SMTP as a machine without I/O: octets in -> events out, commands to write in `outgoing()`.

    receive(octets)   -> events              begin(mail)  one transaction; the next may begin once the body is out,
    outgoing()        -> octets to write                  so that its MAIL, RCPT and DATA travel behind the final dot
    body(chunk, last) after GoAhead          secured()    the TLS handshake is done     quit()
    ask(path)         whether there is such an address; DATA never follows

Commands wait in one list, answers are awaited in another; with PIPELINING (RFC 2920) the first empties at once,
without it a command leaves when its predecessor is answered. A reply nobody asked for, or sent before its
command left, is a lie (a server that sends 354 and 250 in advance would have us lose the mail): the session is Broken.
"""

from collections import deque

from emailgency.codec.smtp.client_commands import Mail, Path, mail_command, rcpt_command, unfit
from emailgency.codec.smtp.client_events import (
    Broken,
    Closing,
    Ended,
    Event,
    GoAhead,
    Goodbye,
    Handshake,
    Ready,
    Refused,
    Result,
    Stage,
)
from emailgency.codec.smtp.dot_stuffing import DotStuffer
from emailgency.codec.smtp.reply_reader import Malformed, Reply, ReplyReader

__all__ = [
    "Broken",
    "Client",
    "Closing",
    "Ended",
    "Event",
    "GoAhead",
    "Goodbye",
    "Handshake",
    "Mail",
    "Path",
    "Ready",
    "Refused",
    "Result",
    "Stage",
]


class _Transaction:
    def __init__(self, mail: Mail, question: bool = False) -> None:
        self.question = question  # nothing follows RCPT
        self.results: list[Result | None] = [None] * len(mail.recipients)
        self.accepted: list[int] = []
        self.refusal: Result | None = None  # of MAIL

    def end(self, last: Result | None) -> Ended:
        """`last` decides for every recipient that no earlier reply decided."""
        results = tuple(self.refusal or result or last for result in self.results)
        return Ended(tuple(result for result in results if result))


Expectation = tuple[Stage, _Transaction | None, int]


class Client:
    """One SMTP session, seen from the client. `name` is ours in EHLO; `tls` is "never", "may" or "must"."""

    def __init__(self, name: str, *, tls: str = "may", chunking: bool = True) -> None:
        self.extensions: dict[str, str] = {}  # upper-case keyword -> parameters, of the EHLO in force
        self.secure = False
        self.called = ""  # what the server calls itself in the EHLO in force, lower case
        self.heard = 0  # replies, for whoever watches the time
        self.name = name.lower()  # ours
        self._name = name.encode("ascii")
        self._tls = tls
        self._chunking = chunking
        self._reader = ReplyReader()
        self._expected: deque[Expectation] = deque([(Stage.BANNER, None, 0)])
        self._commands: deque[tuple[bytes, Expectation]] = deque()
        self._bodies: deque[_Transaction] = deque()  # begun, body not sent
        self._stuffer: DotStuffer | None = None
        self._sending = False  # between GoAhead and the end of the body
        self._unclean = False  # the server holds a transaction that we gave up: RSET first
        self._out: list[bytes] = []
        self._over = False

    # ---- what we say ---------------------------------------------------------------------------------------

    def outgoing(self) -> bytes:
        """What is to be written now."""
        out, self._out = self._out, []
        return b"".join(out)

    @property
    def pipelining(self) -> bool:
        return "PIPELINING" in self.extensions

    def begin(self, mail: Mail) -> Ended | None:
        """Queue one transaction; Ended at once when the server's own EHLO says it cannot take it."""
        return self._begin(mail, _Transaction(mail))

    def ask(self, path: Path) -> Ended | None:
        """As `begin`, from the null reverse-path, and ends with the answer to RCPT; RSET goes before what is next."""
        mail = Mail(sender="", recipients=(path,), size=0)
        return self._begin(mail, _Transaction(mail, question=True))

    def _begin(self, mail: Mail, transaction: _Transaction) -> Ended | None:
        if refusal := unfit(mail, self.extensions):
            return Ended(tuple(refusal for _ in mail.recipients))
        if self._unclean:
            self._commands.append((b"RSET\r\n", (Stage.RSET, None, 0)))
            self._unclean = False
        self._commands.append((mail_command(mail, self.extensions), (Stage.MAIL, transaction, 0)))
        for index, path in enumerate(mail.recipients):
            self._commands.append((rcpt_command(path, self.extensions), (Stage.RCPT, transaction, index)))
        if not (self._uses_chunks or transaction.question):
            self._commands.append((b"DATA\r\n", (Stage.DATA, transaction, 0)))
        self._bodies.append(transaction)
        self._pump()
        return None

    def body(self, chunk: bytes, last: bool) -> None:
        """The next octets of the body that GoAhead asked for; `chunk` of the last call may be empty."""
        transaction = self._bodies[0]
        if self._stuffer is None:  # BDAT, RFC 3030 section 2
            self._out += [b"BDAT %d%s\r\n" % (len(chunk), b" LAST" if last else b""), chunk]
            self._expected.append((Stage.BODY if last else Stage.CHUNK, transaction, 0))
        else:
            self._out.append(self._stuffer.encode(chunk, last))
            if last:
                self._expected.append((Stage.BODY, transaction, 0))
        if last:
            self._sending = False
            self._bodies.popleft()
            self._pump()

    def secured(self) -> None:
        """The handshake succeeded: all that was said before it is forgotten (RFC 3207 section 4.2)."""
        self.secure = True
        self._greet()
        self._pump()

    def quit(self) -> None:
        self._commands.append((b"QUIT\r\n", (Stage.QUIT, None, 0)))
        self._pump()

    @property
    def stage(self) -> Stage | None:
        """What the oldest unanswered command is; None: nothing is owed to us."""
        return self._expected[0][0] if self._expected else None

    # ---- what we hear --------------------------------------------------------------------------------------

    def receive(self, data: bytes) -> list[Event]:
        """Events in order; after Broken, Refused or Closing nothing more is heard."""
        if self._over:
            return []
        answerable = len(self._expected)  # a reply to anything later was sent before we asked
        events: list[Event] = []
        try:
            for reply in self._reader.feed(data):
                self.heard += 1
                if reply.code == 421:
                    events += self._closing(reply)
                    break
                if not answerable:
                    events += self._early(reply)
                    break
                answerable -= 1
                self._answer(self._expected.popleft(), reply, events)
                if self._is_over():
                    break
            else:
                if not answerable and not self._reader.between_replies:
                    events.append(self._broken("a reply before its command"))
        except Malformed as error:
            events.append(self._broken(str(error)))
        if self._is_over() and events and isinstance(events[0], Handshake):
            # RFC 3207 section 6 and attack row 5: what follows the 220 in clear could come from anybody
            return [Broken("octets after the 220 of STARTTLS")]
        if not self._is_over():
            self._pump()
        return events

    def _is_over(self) -> bool:
        return self._over

    def _answer(self, expected: Expectation, reply: Reply, events: list[Event]) -> None:
        stage, transaction, index = expected
        if transaction is None:
            self._answer_session(stage, reply, events)
        elif stage is Stage.BODY:
            if reply.code >= 300 and self._uses_chunks:  # RFC 3030 section 2: RSET must follow a BDAT that failed
                self._unclean = True
            events.append(transaction.end(Result(stage, reply)))
        elif stage is Stage.RCPT and transaction.question:
            self._unclean = True
            self._bodies.remove(transaction)
            events.append(transaction.end(Result(stage, reply)))
        elif stage is Stage.RCPT:
            if reply.code < 300:
                transaction.accepted.append(index)
            else:
                transaction.results[index] = Result(stage, reply)
            if self._uses_chunks and index == len(transaction.results) - 1:
                self._after_recipients(transaction, None, events)
        elif stage is Stage.MAIL:
            if reply.code >= 300:
                transaction.refusal = Result(stage, reply)
                if reply.code == 503:  # what we pipelined behind a BDAT that failed came before its RSET
                    self._unclean = True
                self._forget(transaction, events)
        elif stage is Stage.DATA:
            self._after_recipients(transaction, reply, events)
        elif reply.code >= 300:  # a chunk in the middle was refused; the stream cannot be brought in step again
            events += [transaction.end(Result(Stage.BODY, reply)), self._broken("BDAT refused in mid-message")]

    def _answer_session(self, stage: Stage, reply: Reply, events: list[Event]) -> None:
        good = reply.code < 300
        if stage is Stage.BANNER and good:
            self._greet()
        elif stage in (Stage.EHLO, Stage.HELO) and good:
            self._greeted(stage, reply, events)
        elif stage is Stage.EHLO and reply.code >= 500 and self._tls != "must":
            self._commands.append((b"HELO %s\r\n" % self._name, (Stage.HELO, None, 0)))
        elif stage is Stage.STARTTLS and reply.code == 220:
            events.append(Handshake())
        elif stage is Stage.STARTTLS and self._tls == "may":
            events.append(Ready())  # opportunistic: go on in clear
        elif stage is Stage.QUIT:
            self._over = True
            events.append(Goodbye())
        elif stage is not Stage.BODY and (stage is not Stage.RSET or not good):
            self._over = True
            events.append(Refused(stage, reply))

    def _greeted(self, stage: Stage, reply: Reply, events: list[Event]) -> None:
        self.called = reply.lines[0].partition(" ")[0].lower() if reply.lines else ""
        words = [line.split(None, 1) for line in reply.lines[1:]] if stage is Stage.EHLO else []
        self.extensions = {word[0].upper(): word[1] if len(word) > 1 else "" for word in words if word}
        if not self.secure:
            self.extensions.pop("REQUIRETLS", None)  # RFC 8689 section 2: said in clear, it is nothing
        if not self.secure and self._tls != "never" and "STARTTLS" in self.extensions:
            self._commands.append((b"STARTTLS\r\n", (Stage.STARTTLS, None, 0)))
        elif not self.secure and self._tls == "must":
            self._over = True
            events.append(Refused(Stage.STARTTLS, Reply(450, ("4.7.10 STARTTLS not offered, and TLS is required",))))
        else:
            events.append(Ready())

    def _after_recipients(self, transaction: _Transaction, reply: Reply | None, events: list[Event]) -> None:
        """All RCPTs are answered, and DATA (`reply`) when chunks are not used."""
        willing = reply is None or reply.code == 354
        if transaction.accepted and willing and not transaction.refusal:
            self._sending = True
            self._stuffer = None if self._uses_chunks else DotStuffer()
            events.append(GoAhead())
            return
        if reply is not None and reply.code == 354:  # RFC 2920 section 3.1: answer 354 without recipients by a dot
            self._out.append(b".\r\n")
            self._expected.append((Stage.BODY, None, 0))
        self._unclean = True
        self._bodies.remove(transaction)
        events.append(transaction.end(Result(Stage.DATA, reply) if reply else None))

    def _forget(self, transaction: _Transaction, events: list[Event]) -> None:
        """MAIL was refused: commands still unsent stay so; those already sent will be answered and ignored."""
        unsent = [item for item in self._commands if item[1][1] is transaction]
        if unsent:
            self._commands = deque(item for item in self._commands if item[1][1] is not transaction)
            self._bodies.remove(transaction)
            events.append(transaction.end(None))

    def _early(self, reply: Reply) -> list[Event]:
        """A reply nobody waits for. In the middle of a body it can only be a refusal, and it ends the session."""
        if self._sending and reply.code >= 400:
            ended = self._bodies.popleft().end(Result(Stage.BODY, reply))
            return [ended, self._broken("refused in mid-message")]
        return [self._broken(f"reply {reply.code} before its command")]

    def _closing(self, reply: Reply) -> list[Event]:
        self._over = True
        if self._expected and self._expected[0][0] in (Stage.BANNER, Stage.EHLO, Stage.HELO, Stage.STARTTLS):
            return [Refused(self._expected[0][0], reply)]
        if self._expected and self._expected[0][0] is Stage.BODY and (transaction := self._expected[0][1]):
            return [transaction.end(Result(Stage.BODY, reply)), Closing(reply)]
        return [Closing(reply)]

    def _broken(self, reason: str) -> Broken:
        self._over = True
        return Broken(reason)

    # ---- commands ------------------------------------------------------------------------------------------

    @property
    def _uses_chunks(self) -> bool:
        return self._chunking and "CHUNKING" in self.extensions

    def _pump(self) -> None:
        """Write what may be written: everything with PIPELINING, else one command at a time, never into a body."""
        while self._commands and not self._sending and (self.pipelining or not self._expected):
            command, expectation = self._commands.popleft()
            self._out.append(command)
            self._expected.append(expectation)
            if expectation[0] is Stage.DATA:
                break  # RFC 2920 section 3.1: DATA ends a group

    def _greet(self) -> None:
        self.extensions = {}
        self._commands.append((b"EHLO %s\r\n" % self._name, (Stage.EHLO, None, 0)))
