"""What passes between an SMTP connection's octets and whoever decides: the offer, the phases, the events."""

from enum import Enum

from msgspec import Struct

from emailgency.codec.smtp.auth import Credentials
from emailgency.codec.smtp.command import Mail, Rcpt
from emailgency.model.verdict import Verdict


class Offer(Struct, frozen=True, kw_only=True):
    """What EHLO tells, and what is therefore allowed, on a connection as it is now."""

    host_name: str
    size: int  # RFC 1870, octets
    starttls: bool = False
    auth: bool = False
    auth_required: bool = False  # RFC 6409 section 4.3: no MAIL before AUTH
    etrn: bool = False  # RFC 1985
    requiretls: bool = False  # RFC 8689: under TLS alone


class Phase(Enum):
    """Where a connection stands."""

    CONNECTED = "connected"  # no EHLO yet
    READY = "ready"
    SENDER = "sender"  # MAIL accepted
    RECIPIENTS = "recipients"  # at least one RCPT accepted
    DATA = "data"  # reading octets of a message
    CHUNKS = "chunks"  # between two BDAT of a message
    CLOSED = "closed"

    __hash__ = object.__hash__  # that of Enum is a call of Python's: nine of them a message


# ---- events ---------------------------------------------------------------------------------------------


class Login(Struct, frozen=True):
    """AUTH; to be answered 235 or with a refusal."""

    credentials: Credentials


class Turn(Struct, frozen=True):
    """ETRN: a customer's server asks for what is pending for `node`."""

    node: str


class StartTls(Struct, frozen=True):
    """STARTTLS; when the answer 220 was written the handshake begins, then call `secured`."""


class Reset(Struct, frozen=True):
    """The transaction that was open is gone. Not answered."""


class Body(Struct, frozen=True):
    """More octets of the message. Not answered."""

    octets: bytes


class EndOfMessage(Struct, frozen=True):
    """The last octets; `fault`: the message is unfit and that has to be the answer."""

    octets: bytes
    fault: Verdict | None


Question = Mail | Rcpt | Login | Turn | StartTls | EndOfMessage
Event = Question | Reset | Body

# Which command leads where when it was accepted; of these verbs, what is not listed is out of sequence (503).
# The end of a chunk and of a message lead back by themselves.
_HELLO = {"EHLO": Phase.READY, "HELO": Phase.READY}
TRANSITIONS: dict[Phase, dict[str, Phase]] = {
    Phase.CONNECTED: _HELLO,
    Phase.READY: {
        **_HELLO,
        "STARTTLS": Phase.CONNECTED,  # RFC 3207 section 4.2: all knowledge of the client is dropped
        "AUTH": Phase.READY,
        "ETRN": Phase.READY,  # RFC 1985 section 5.2: not within a transaction
        "MAIL": Phase.SENDER,
    },
    Phase.SENDER: {**_HELLO, "RCPT": Phase.RECIPIENTS},
    Phase.RECIPIENTS: {**_HELLO, "RCPT": Phase.RECIPIENTS, "DATA": Phase.DATA, "BDAT": Phase.DATA},
    Phase.DATA: {"end of chunk": Phase.CHUNKS, "end of message": Phase.READY},
    Phase.CHUNKS: {**_HELLO, "BDAT": Phase.DATA},
    Phase.CLOSED: {},
}
