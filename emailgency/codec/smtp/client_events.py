"""What the client's machine tells of a session: stages, results, events."""

from enum import Enum

from msgspec import Struct

from emailgency.codec.smtp.reply_reader import Reply


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
