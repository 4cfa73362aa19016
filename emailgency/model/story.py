"""What became of one message, as the ledger remembers it beyond the message's own life (product row G3)."""

from enum import Enum

from msgspec import Struct


class Kind(Enum):
    """Where one copy of a message was to go."""

    MAILBOX = "mailbox"
    CANDIDATE = "candidate"  # an unknown address (row A4)
    UNDELIVERED = "undelivered"
    SERVER = "server"  # the customer's own
    FORWARD = "forward"  # a user's other address
    ELSEWHERE = "elsewhere"  # anybody's server
    ANOTHER = "another"  # another customer of ours; what became of it there is his
    NOWHERE = "nowhere"  # banished (row A5), or the copy is that of another recipient


class Copy(Struct, frozen=True, array_like=True):
    """One target of the plan. `place`: id of a mailbox, or an address; "" where the kind says it all."""

    target: int  # index in the plan
    kind: Kind
    recipient: int  # index in Story.recipients
    place: str = ""


class Happening(Struct, frozen=True, array_like=True):
    """Something that became of some targets. `word` is that of the `Outcome`, or "read", "expunged"."""

    at: float  # seconds since the epoch
    word: str
    targets: tuple[int, ...]
    code: int = 0
    enhanced: str = ""
    reply: str = ""  # the remote's own words, with the id it gave the message
    remote: str = ""  # "host[ip]:port"
    by: str = ""  # who had it in hand
    next: float = 0.0  # when the next attempt was due


class Facts(Struct, frozen=True, array_like=True):
    """What was known when it was accepted. `subject` and `message_id` are as people read them."""

    id: str
    at: float
    sender: str
    subject: str
    message_id: str
    size: int
    recipients: tuple[str, ...]  # as given
    copies: tuple[Copy, ...]
    ip: str = ""
    helo: str = ""
    tls: str = ""
    mailbox: str = ""  # id of whose user sent it; "": it came from another server, or is our own
    about: str = ""  # id of the message it tells of, or is a copy of
    checks: tuple[str, ...] = ()  # "spf=pass" and the like


class Story(Struct, frozen=True):
    """All of it. Happenings are in the order of time."""

    facts: Facts
    happenings: tuple[Happening, ...] = ()
