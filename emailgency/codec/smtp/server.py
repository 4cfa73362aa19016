"""The server's side of an SMTP connection without sockets, clock or policy (RFC 5321).

Octets in by `receive`, events out by `next_event`, replies out by `take_output`. An event that asks something
(`Mail`, `Rcpt`, `Login`, `StartTls`, `EndOfMessage`) stops everything behind it until `answer` is called, so
replies always stand in the order of the commands (RFC 2920). All else is answered here. The caller reads no more
octets while `waiting`, which bounds the buffer.

    while (event := connection.next_event()) is not None: ...
    transport.write(connection.take_output())
"""

from collections.abc import Callable
from functools import lru_cache
from typing import NoReturn

from emailgency.codec.smtp import command
from emailgency.codec.smtp.auth import MECHANISMS, Dialogue
from emailgency.codec.smtp.body import ChunkReader, DataReader
from emailgency.codec.smtp.command import Mail, Rcpt
from emailgency.codec.smtp.events import (
    TRANSITIONS,
    Body,
    EndOfMessage,
    Event,
    Login,
    Offer,
    Phase,
    Question,
    Reset,
    StartTls,
    Turn,
)
from emailgency.codec.smtp.limits import SmtpLimits
from emailgency.codec.smtp.lines import LineBuffer
from emailgency.codec.smtp.reply import ProtocolError, encode, encode_lines
from emailgency.model.verdict import Verdict

__all__ = [
    "Body",
    "Connection",
    "EndOfMessage",
    "Event",
    "Login",
    "Mail",
    "Offer",
    "Phase",
    "Question",
    "Rcpt",
    "Reset",
    "StartTls",
    "Turn",
]

_TRANSACTION = frozenset({Phase.SENDER, Phase.RECIPIENTS, Phase.DATA, Phase.CHUNKS})
_IDLE = frozenset({"NOOP", "RSET", "VRFY", "EXPN", "HELP", "EHLO", "HELO", "ETRN"})
_FOREIGN = frozenset({"GET", "POST", "PUT", "HEAD", "OPTIONS", "CONNECT", "PROXY"})  # browsers; attack row 38

_OK = Verdict(250, "2.0.0", "Ok")
_GO = Verdict(354, "", "end data with <CR><LF>.<CR><LF>")
_BYE = Verdict(221, "2.0.0", "bye")
_TOO_MANY_ERRORS = Verdict(421, "4.7.0", "too many errors")
_TOO_MANY_RECIPIENTS = Verdict(452, "4.5.3", "too many recipients")


class Connection:
    """See the module. `helo` and `extended` tell how the client greeted; nothing outside changes `phase`."""

    def __init__(self, offer: Offer, limits: SmtpLimits) -> None:
        self.phase = Phase.CONNECTED
        self.helo = ""
        self.extended = False
        self.authenticated = False
        self.quit = False  # closed because the client asked for it
        self._offer = offer
        self._limits = limits
        self._input = LineBuffer()
        self._output: list[bytes] = []
        self._asked: Question | None = None
        self._verb = ""
        self._dialogue: Dialogue | None = None
        self._reader: DataReader | ChunkReader | None = None
        self._last_chunk = True
        self._smtputf8 = False
        self._recipients = 0
        self._refused = self._errors = self._idle = self._failed_logins = 0

    # ---- the caller's side ------------------------------------------------------------------------------

    @property
    def waiting(self) -> bool:
        """An event wants its answer."""
        return self._asked is not None

    @property
    def closed(self) -> bool:
        """Write what `take_output` gives, then close."""
        return self.phase is Phase.CLOSED

    @property
    def in_transaction(self) -> bool:
        """From MAIL to the answer behind the last octet."""
        return self.phase in _TRANSACTION or type(self._asked) in (Mail, EndOfMessage)

    @property
    def message_begun(self) -> bool:
        """DATA or BDAT was said, and more octets are to come."""
        return self.phase is Phase.DATA or self.phase is Phase.CHUNKS

    @property
    def message_ended(self) -> bool:
        """All octets are here and the answer is not."""
        return type(self._asked) is EndOfMessage

    def greet(self, verdict: Verdict) -> None:
        """The first reply; one that does not accept is also the last."""
        self._output.append(encode(verdict))
        if not verdict.accepts:
            self.phase = Phase.CLOSED

    def close(self, verdict: Verdict) -> None:
        """A last reply; what is waiting gets no other."""
        self._output.append(encode(verdict))
        self.phase, self._asked = Phase.CLOSED, None

    def secured(self, offer: Offer) -> None:
        """TLS begins; `answer` has already dropped what was known (RFC 3207 section 4.2)."""
        self._offer = offer

    def take_output(self) -> bytes:
        output = self._output[0] if len(self._output) == 1 else b"".join(self._output)
        self._output.clear()
        return output

    def receive(self, octets: bytes) -> None:
        self._input.put(octets)

    def answer(self, verdict: Verdict) -> None:
        """The answer to the event `next_event` gave last."""
        asked, self._asked = self._asked, None
        if self.phase is Phase.CLOSED:
            return
        self._output.append(encode(verdict))
        if verdict.accepts:
            self._accepted(asked)
        elif verdict.code == 421:
            self.phase = Phase.CLOSED
        elif type(asked) is Rcpt and not verdict.temporary:
            self._refused += 1
            if self._refused >= self._limits.refused_recipients:
                self.close(_TOO_MANY_ERRORS)
        elif type(asked) is Login:
            self._failed_logins += 1
            if self._failed_logins >= self._limits.auth_attempts:
                self.close(_TOO_MANY_ERRORS)

    def next_event(self) -> Event | None:
        """None: more octets are needed, or an answer, or it is over."""
        while self._asked is None and self.phase is not Phase.CLOSED:
            try:
                if self.phase is Phase.DATA:
                    event = self._read_message()
                    if event is None and self.phase is Phase.DATA:
                        return None
                else:
                    dialogue, limits = self._dialogue, self._limits
                    line = self._input.line(limits.command_line if dialogue is None else limits.auth_line)
                    if line is None:
                        return None
                    event = self._obey(line) if dialogue is None else self._respond(dialogue, line)
            except ProtocolError as error:
                self._blame(error)
                continue
            if event is not None:
                if not isinstance(event, Body | Reset):
                    self._asked = event
                return event
        return None

    def _read_message(self) -> Event | None:
        """None: more is needed, or a chunk has ended that is not the last (then the phase tells)."""
        reader = self._reader
        if reader is None or (not len(self._input) and isinstance(reader, DataReader)):
            return None
        octets, rest = reader.feed(self._input.take_all())
        if rest is None:
            return Body(octets) if octets else None
        self._input.put(rest)
        if not self._last_chunk:
            self.phase = TRANSITIONS[self.phase]["end of chunk"]
            self._output.append(encode(_OK))
            return Body(octets) if octets else None
        if isinstance(reader, ChunkReader):
            octets += reader.finish()
        self.phase, self._reader = TRANSITIONS[self.phase]["end of message"], None
        return EndOfMessage(octets, reader.fault)

    def _obey(self, line: bytes) -> Event | None:
        verb, rest = command.split(line)
        obey = _VERBS.get(verb)
        if obey is None:
            raise ProtocolError(500, "5.5.1", "command not recognised", close=verb in _FOREIGN)
        if verb in _IDLE:
            self._idle += 1
            if self._idle > self._limits.idle_commands:
                raise ProtocolError(421, "4.7.0", "too many commands without a message", close=True)
        if verb in _SEQUENCED and verb not in TRANSITIONS[self.phase]:
            self._out_of_sequence(verb, rest)
        self._verb = verb
        return obey(self, rest)

    def _out_of_sequence(self, verb: str, rest: str) -> NoReturn:
        if verb == "BDAT":
            self._input.skip(command.bdat(rest)[0])
        if self.phase is Phase.CONNECTED:
            raise ProtocolError(503, "5.5.1", "EHLO first")
        if self.phase is Phase.SENDER and verb in ("DATA", "BDAT"):
            raise ProtocolError(554, "5.5.1", "no valid recipients")
        raise ProtocolError(503, "5.5.1", f"{verb} out of sequence")

    def _respond(self, dialogue: Dialogue, line: bytes) -> Event | None:
        """A line of an AUTH dialogue; whatever goes wrong ends it."""
        self._dialogue = None
        dialogue.feed(line)
        if dialogue.credentials is not None:
            return Login(dialogue.credentials)
        self._output.append(dialogue.challenge)
        self._dialogue = dialogue
        return None

    def _blame(self, error: ProtocolError) -> None:
        self._output.append(encode(error.verdict))
        self._dialogue = None
        self._errors += 1
        if error.close:
            self.phase = Phase.CLOSED
        elif self._errors >= self._limits.errors:
            self.close(_TOO_MANY_ERRORS)

    def _accepted(self, asked: Question | None) -> None:
        if type(asked) is EndOfMessage:
            self._idle = self._errors = 0
            return
        self.phase = TRANSITIONS[self.phase][self._verb]
        if type(asked) is Mail:
            self._smtputf8, self._recipients = asked.smtputf8, 0
        elif type(asked) is Rcpt:
            self._recipients += 1
        elif type(asked) is Login:
            self.authenticated = True
        elif type(asked) is StartTls:
            self.helo, self.extended, self.authenticated = "", False, False

    # ---- verbs --------------------------------------------------------------------------------------------

    def _forget(self, phase: Phase) -> Reset | None:
        """Leave an open transaction for `phase`."""
        opened = self.phase in _TRANSACTION
        self.phase = phase
        return Reset() if opened else None

    def _hello(self, rest: str) -> Reset | None:
        self.helo = command.hello(rest)
        self.extended = self._verb == "EHLO"
        if not self.extended:
            self._output.append(encode(Verdict(250, "", self._offer.host_name)))
        else:
            self._output.append(_capabilities(self._offer, self.authenticated))
        return self._forget(Phase.READY)

    def _mail(self, rest: str) -> Mail:
        if self._offer.auth_required and not self.authenticated:
            hint = "STARTTLS, then AUTH" if self._offer.starttls else "AUTH"
            raise ProtocolError(530, "5.7.0", f"{hint} first")
        parsed = command.mail(rest)
        if parsed.require_tls and not self._offer.requiretls:
            raise ProtocolError(555, "5.5.4", "REQUIRETLS needs TLS")
        return parsed

    def _rcpt(self, rest: str) -> Rcpt | None:
        parsed = command.rcpt(rest, self._smtputf8)
        if self._recipients >= self._limits.recipients:
            self._output.append(encode(_TOO_MANY_RECIPIENTS))
            return None
        return parsed

    def _data(self, rest: str) -> None:
        if rest:
            raise ProtocolError(501, "5.5.4", "DATA takes no argument")
        self._output.append(encode(_GO))
        self.phase = TRANSITIONS[self.phase]["DATA"]
        self._reader, self._last_chunk = DataReader(self._limits.body_line), True

    def _bdat(self, rest: str) -> None:
        size, self._last_chunk = command.bdat(rest)
        if not isinstance(self._reader, ChunkReader):
            self._reader = ChunkReader(self._limits.body_line)
        self._reader.start(size)
        self.phase = TRANSITIONS[self.phase]["BDAT"]

    def _rset(self, rest: str) -> Reset | None:
        if rest:
            raise ProtocolError(501, "5.5.4", "RSET takes no argument")
        self._output.append(encode(_OK))
        return self._forget(Phase.CONNECTED if not self.helo else Phase.READY)

    def _starttls(self, rest: str) -> StartTls:
        if rest:
            raise ProtocolError(501, "5.5.4", "STARTTLS takes no argument")
        if not self._offer.starttls:
            raise ProtocolError(502, "5.5.1", "STARTTLS not offered")
        if len(self._input):
            # injected by somebody on the way, to be run as if it had come through TLS (attack row 4)
            raise ProtocolError(554, "5.5.0", "nothing may follow STARTTLS in clear", close=True)
        return StartTls()

    def _auth(self, rest: str) -> Event | None:
        if self.authenticated:
            raise ProtocolError(503, "5.5.1", "already authenticated")
        if not self._offer.auth:
            if self._offer.starttls and self._offer.auth_required:
                raise ProtocolError(538, "5.7.11", "STARTTLS first")
            raise ProtocolError(502, "5.5.1", "AUTH not offered")
        mechanism, _, initial = rest.partition(" ")
        dialogue = Dialogue(mechanism.upper())
        if initial:
            return self._respond(dialogue, initial.encode("utf-8"))
        self._output.append(dialogue.challenge)
        self._dialogue = dialogue
        return None

    def _etrn(self, rest: str) -> Turn:
        if not self._offer.etrn:
            raise ProtocolError(502, "5.5.1", "ETRN not offered")
        return Turn(command.hello(rest))

    def _quit(self, rest: str) -> None:
        self.quit = True
        self.close(_BYE)

    def _say(self, rest: str) -> None:
        self._output.append(_ANSWERS[self._verb])


@lru_cache(maxsize=64)
def _capabilities(offer: Offer, authenticated: bool) -> bytes:
    lines = [
        offer.host_name,
        "PIPELINING",
        f"SIZE {offer.size}",
        "8BITMIME",
        "SMTPUTF8",
        "CHUNKING",
        "ENHANCEDSTATUSCODES",
        "DSN",
        "HELP",
    ]
    if offer.starttls:
        lines.append("STARTTLS")
    if offer.requiretls:
        lines.append("REQUIRETLS")
    if offer.etrn:
        lines.append("ETRN")
    if offer.auth and not authenticated:
        lines.append("AUTH " + " ".join(MECHANISMS))
    return encode_lines(250, lines)


_ANSWERS = {
    "NOOP": encode(_OK),
    "VRFY": encode(Verdict(252, "2.5.0", "cannot verify, but send it and see")),
    "EXPN": encode(Verdict(502, "5.5.1", "EXPN not offered")),
    "HELP": encode(Verdict(214, "2.0.0", "EHLO MAIL RCPT DATA BDAT RSET NOOP VRFY STARTTLS AUTH QUIT, RFC 5321")),
}
_VERBS: dict[str, Callable[[Connection, str], Event | None]] = {
    "EHLO": Connection._hello,
    "HELO": Connection._hello,
    "MAIL": Connection._mail,
    "RCPT": Connection._rcpt,
    "DATA": Connection._data,
    "BDAT": Connection._bdat,
    "RSET": Connection._rset,
    "STARTTLS": Connection._starttls,
    "AUTH": Connection._auth,
    "ETRN": Connection._etrn,
    "QUIT": Connection._quit,
    "NOOP": Connection._say,
    "VRFY": Connection._say,
    "EXPN": Connection._say,
    "HELP": Connection._say,
}
_SEQUENCED = frozenset(verb for row in TRANSITIONS.values() for verb in row)
