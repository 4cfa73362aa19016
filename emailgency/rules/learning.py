"""Which addresses a customer's server has, learned while it is well (product row G5): answers -> what is known.

    250 at RCPT of a question         the address exists, if the server refuses one that nobody can have
    550 5.1.1 at RCPT of a question   it does not, if the server takes another one on the same connection
    250 at the final dot of a mail    it exists, if the server is known to refuse what nobody can have
    a user of ours sends from it      it exists
    anything else (4xx, 5.7.1 …)      says nothing of the address

So a server that takes everybody teaches nothing, and neither does one that refuses everybody. An address that existed
is given up only when it was refused twice, some time apart. While an incident is open all is as it was when that
began: nothing is learned, and nothing is forgotten.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Annotated

from msgspec import Meta, Struct

HOUR = 3600.0
DAY = 86_400.0
CONTROL = "postmaster"  # which everybody must have (RFC 5321 section 4.5.1)

_NOBODY = frozenset({"", "5.1.0", "5.1.1", "5.1.6", "5.1.10"})  # RFC 3463 section 3.2, RFC 7505 section 4.2
_NO_SUCH = frozenset({550, 551, 553})  # RFC 5321 section 4.2.2: what RCPT is answered for want of a mailbox


class LearningSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a customer's server is asked which addresses it has, where that is switched on. Nothing is ever sent."""

    per_hour: Annotated[int, Meta(ge=1, le=3600, description="Addresses asked of one customer's server an hour")] = 60
    at_once: Annotated[int, Meta(ge=1, le=50, description="Addresses asked on one connection")] = 8
    connections: Annotated[int, Meta(ge=1, description="Servers asked at the same time, one connection each")] = 10
    pause: Annotated[
        float, Meta(gt=0, description="Minutes a server is left alone that did not want to answer; doubled each time")
    ] = 15.0
    longest_pause: Annotated[float, Meta(gt=0, description="The longest such pause, hours")] = 24.0
    valid: Annotated[float, Meta(gt=0, description="Days an address counts as existing since that was seen")] = 31.0
    refreshed: Annotated[float, Meta(gt=0, description="Days after which it is asked for again")] = 7.0
    invalid: Annotated[float, Meta(gt=0, description="Days an address counts as not existing since that was said")] = (
        3.0
    )
    doubted: Annotated[
        float, Meta(gt=0, description="Hours between two refusals that make an existing address one that does not")
    ] = 3.0
    remembered: Annotated[
        int, Meta(ge=100, description="Addresses remembered of one customer, of each kind; 100 octets each in Redis")
    ] = 20_000


class Answer(Enum):
    """What the reply to a question says of the address."""

    EXISTS = "exists"
    MISSING = "missing"
    NOTHING = "nothing"
    LATER = "later"  # the server does not want to be asked now: greylisting, or trouble


def answer(stage: str, code: int, enhanced: str) -> Answer:
    """`stage` as codec.smtp's Stage writes it; a refusal of MAIL is of everything we could ask."""
    if code < 300:
        return Answer.EXISTS
    if code < 500 or stage != "RCPT":
        return Answer.LATER
    return Answer.MISSING if code in _NO_SUCH and enhanced in _NOBODY else Answer.NOTHING


class Lesson(Struct, frozen=True):
    """What one connection taught. `selective` None: not whether the server tells addresses apart."""

    selective: bool | None = None
    existing: frozenset[str] = frozenset()
    missing: frozenset[str] = frozenset()


def lesson(nobody: Answer, answers: Mapping[str, Answer]) -> Lesson:
    """`nobody`: the answer for an address that nobody can have; `answers` by local part, CONTROL among them."""
    if nobody is Answer.EXISTS:
        return Lesson(selective=False)
    if nobody is not Answer.MISSING:
        return Lesson()
    existing = frozenset(local for local, said in answers.items() if said is Answer.EXISTS)
    if not existing:
        return Lesson()  # it refuses everybody: its own trouble, or us
    return Lesson(True, existing, frozenset(local for local, said in answers.items() if said is Answer.MISSING))


class Known(Struct, frozen=True):
    """Of one address: when it was last seen to exist, and when it was first refused since then."""

    existed_at: float | None = None  # seconds since the epoch
    refused_at: float | None = None


def refused(before: Known, now: float, settings: LearningSettings) -> Known:
    """The server says that there is no such address."""
    if before.existed_at is None:
        return Known(refused_at=now)
    if before.refused_at is not None and now >= before.refused_at + settings.doubted * HOUR:
        return Known(refused_at=now)
    return before if before.refused_at is not None else Known(before.existed_at, now)


def exists(known: Known, at: float, settings: LearningSettings) -> bool:
    """As far as was known at that time."""
    return known.existed_at is not None and known.existed_at > at - settings.valid * DAY


def is_missing(known: Known, at: float, settings: LearningSettings) -> bool:
    """Surely no such address, as far as was known at that time."""
    if known.refused_at is None or exists(known, at, settings):
        return False
    return known.refused_at > at - settings.invalid * DAY


def worth_asking(known: Known, now: float, settings: LearningSettings) -> bool:
    """Whether the answer would tell something new."""
    if known.refused_at is not None:
        return now >= known.refused_at + settings.doubted * HOUR
    return known.existed_at is None or now >= known.existed_at + settings.refreshed * DAY
