"""The client side of SMTP as a machine without I/O: octets in -> events out, commands to write in `outgoing()`.

    receive(octets)   -> events              begin(mail)  one transaction; the next may begin once the body is out,
    outgoing()        -> octets to write                  so that its MAIL, RCPT and DATA travel behind the final dot
    body(chunk, last) after GoAhead          secured()    the TLS handshake is done     quit()

Commands wait in one list, answers are awaited in another; with PIPELINING (RFC 2920) the first empties at once,
without it a command leaves when its predecessor is answered. A reply nobody asked for, or sent before its
command left, is a lie (a server that sends 354 and 250 in advance would have us lose the mail): the session is Broken.
"""

import re
from collections import deque
from enum import Enum

from msgspec import Struct

from emailgency.codec.smtp.dot_stuffing import DotStuffer
from emailgency.codec.smtp.reply_reader import Malformed, Reply, ReplyReader

# Second line of defence behind codec.address (RFC 5321 section 4.1.2, RFC 6531 section 3.3): nothing that could
# end the path or the command early.
_PATH = re.compile(
    r'(?:"(?:[^"\\\x00-\x1f\x7f]|\\[ -~])*"|[^\x00-\x20\x7f"<>()\[\],;:\\@]+)'
    r"@(?:\[[0-9A-Za-z.:-]+\]|[^\x00-\x20\x7f\"<>()\[\],;:\\@]+)"
)


class Stage(Enum):
    """Which command a reply answers."""

    BANNER = "banner"
    EHLO = "EHLO"
    HELO = "HELO"
    STARTTLS = "STARTTLS"
    MAIL = "MAIL"
    RCPT = "RCPT"
    DATA = "DATA"
    CHUNK = "BDAT"  # a chunk that is not the last
    BODY = "end of data"
    RSET = "RSET"
    QUIT = "QUIT"


class Path(Struct, frozen=True):
    """A recipient as the next hop shall see it; NOTIFY and ORCPT of RFC 3461 go along where DSN is offered."""

    address: str
    notify: tuple[str, ...] = ()
    original: str | None = None


class Mail(Struct, frozen=True, kw_only=True):
    """One transaction. `size` counts the octets of the body before dot-stuffing (RFC 1870 section 5)."""

    sender: str
    recipients: tuple[Path, ...]
    size: int
    eight_bit: bool = False
    smtputf8: bool = False
    ret: str | None = None
    envid: str | None = None


class Result(Struct, frozen=True):
    """What became of one recipient: the reply that decided it and the stage it answered. `ours`: we decided."""

    stage: Stage
    reply: Reply
    ours: bool = False


class Ready(Struct, frozen=True):
    """Greeted; `begin` may be called."""


class Handshake(Struct, frozen=True):
    """The transport must start TLS now, then call `secured`."""


class Refused(Struct, frozen=True):
    """No session: the server answered banner, EHLO or STARTTLS like this."""

    stage: Stage
    reply: Reply


class GoAhead(Struct, frozen=True):
    """Call `body` for the oldest transaction that has none yet."""


class Ended(Struct, frozen=True):
    """The oldest transaction is over; one result a recipient, in order."""

    results: tuple[Result, ...]


class Closing(Struct, frozen=True):
    """421: the server hangs up; what has not Ended was not taken."""

    reply: Reply


class Goodbye(Struct, frozen=True):
    """QUIT is answered."""


class Broken(Struct, frozen=True):
    """The server broke the protocol; nothing it says from now on counts. Abort the connection."""

    reason: str


Event = Ready | Handshake | Refused | GoAhead | Ended | Closing | Goodbye | Broken


class _Transaction:
    def __init__(self, mail: Mail) -> None:
        self.results: list[Result | None] = [None] * len(mail.recipients)
        self.accepted: list[int] = []
        self.refusal: Result | None = None  # of MAIL

    def end(self, last: Result | None) -> Ended:
        """`last` decides for every recipient that no earlier reply decided."""
        results = tuple(self.refusal or result or last for result in self.results)
        return Ended(tuple(result for result in results if result))


Expectation = tuple[Stage, _Transaction | None, int]


def _xtext(text: str) -> str:
    """RFC 3461 section 4: anything but printable ASCII, and "+" and "=", as +HH."""
    return "".join(c if "!" <= c <= "~" and c not in "+=" else "".join(f"+{o:02X}" for o in c.encode()) for c in text)


class Client:
    """One SMTP session, seen from the client. `name` is ours in EHLO; `tls` is "never", "may" or "must"."""

    def __init__(self, name: str, *, tls: str = "may", chunking: bool = True) -> None:
        self.extensions: dict[str, str] = {}  # upper-case keyword -> parameters, of the EHLO in force
        self.secure = False
        self.heard = 0  # replies, for whoever watches the time
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
        if refusal := self._unfit(mail):
            return Ended(tuple(refusal for _ in mail.recipients))
        transaction = _Transaction(mail)
        if self._unclean:
            self._commands.append((b"RSET\r\n", (Stage.RSET, None, 0)))
            self._unclean = False
        self._commands.append((self._mail_command(mail), (Stage.MAIL, transaction, 0)))
        for index, path in enumerate(mail.recipients):
            self._commands.append((self._rcpt_command(path), (Stage.RCPT, transaction, index)))
        if not self._uses_chunks:
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
        words = [line.split(None, 1) for line in reply.lines[1:]] if stage is Stage.EHLO else []
        self.extensions = {word[0].upper(): word[1] if len(word) > 1 else "" for word in words if word}
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

    def _unfit(self, mail: Mail) -> Result | None:
        paths = [path.address for path in mail.recipients]
        if any(not _PATH.fullmatch(path) for path in paths) or (mail.sender and not _PATH.fullmatch(mail.sender)):
            return Result(Stage.RCPT, Reply(553, ("5.1.3 address cannot be written in SMTP",)), ours=True)
        ascii_only = mail.sender.isascii() and all(map(str.isascii, paths))
        if "SMTPUTF8" not in self.extensions and (mail.smtputf8 or not ascii_only):  # RFC 6531 section 3.2
            return Result(Stage.MAIL, Reply(553, ("5.6.7 next hop does not support SMTPUTF8",)), ours=True)
        limit = self.extensions.get("SIZE", "")
        if limit.isdecimal() and 0 < int(limit[:18]) < mail.size:  # RFC 1870 section 6.4
            text = f"5.3.4 message of {mail.size} octets, next hop takes {limit[:18]}"
            return Result(Stage.MAIL, Reply(552, (text,)), ours=True)
        return None

    def _mail_command(self, mail: Mail) -> bytes:
        words = [f"MAIL FROM:<{mail.sender}>"]
        if "SIZE" in self.extensions:
            words.append(f"SIZE={mail.size}")
        if mail.eight_bit and "8BITMIME" in self.extensions:
            words.append("BODY=8BITMIME")
        if (mail.smtputf8 or not mail.sender.isascii()) and "SMTPUTF8" in self.extensions:
            words.append("SMTPUTF8")
        if "DSN" in self.extensions:
            words += [f"RET={mail.ret}"] if mail.ret in ("FULL", "HDRS") else []
            words += [f"ENVID={_xtext(mail.envid)}"] if mail.envid else []
        return (" ".join(words) + "\r\n").encode()

    def _rcpt_command(self, path: Path) -> bytes:
        words = [f"RCPT TO:<{path.address}>"]
        if "DSN" in self.extensions:
            words += ["NOTIFY=" + ",".join(path.notify)] if path.notify else []
            if path.original:
                kind, _, address = path.original.partition(";")
                words.append(f"ORCPT={_xtext(kind)};{_xtext(address)}")
        return (" ".join(words) + "\r\n").encode()
