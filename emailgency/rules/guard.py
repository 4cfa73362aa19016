"""Guarded recovery (product row G1): a half-restored server must not destroy what waits for it.

    Said    what one transaction tells of the server, beside what it tells of the message
    Gate    how many messages may be on their way: one canary, then waves of 5, 25, 125 …, then open
    Tally   the share of messages that were refused
    final   whether a refusal is believed

A refusal (5xx) is believed when the server was well for hours, said it twice, and took something else in between: a
server that refuses everybody is never believed, and nothing bounces for it.
"""

from collections import deque
from collections.abc import Iterable
from enum import Enum
from typing import Annotated

from msgspec import Meta, Struct
from msgspec.structs import replace

from emailgency.rules.health import Health, State

HOUR = 3600.0
MINUTE = 60.0


class GuardSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How carefully mail is given back to a customer's server that was down."""

    factor: Annotated[int, Meta(ge=2, le=100, description="Each wave after the canary is so many times larger")] = 5
    last_wave: Annotated[
        int, Meta(ge=1, description="After a wave of at least so many messages the guard stands open")
    ] = 625
    lenient: Annotated[float, Meta(ge=0, description="Hours after a recovery in which no refusal (5xx) is final")] = 4.0
    share: Annotated[
        float, Meta(gt=0, le=1, description="Share of refused messages among the last ones that stops the flow")
    ] = 0.8
    sample: Annotated[int, Meta(ge=5, description="How many last messages that share is taken of")] = 20
    stops: Annotated[
        int, Meta(ge=1, description="Stops of the flow in one hour that open an incident, server up or not")
    ] = 10
    stranger: Annotated[
        float, Meta(ge=0, description="Minutes the first wave waits when another server than before took the canary")
    ] = 15.0


class Said(Enum):
    """In the order in which the recipients of one message outweigh each other, heaviest first."""

    DENIED = "denied"  # 5xx that a well server does not say: at MAIL, or at RCPT for an address it took before
    TAKEN = "taken"
    BUSY = "busy"  # 4xx that speaks of the server: overloaded, disk full
    REFUSED = "refused"  # 5xx that speaks of the message or its recipient
    LATER = "later"  # 4xx that speaks of the message: greylisting, a full mailbox


def said(stage: str, code: int, enhanced: str, known: bool) -> Said:
    """One recipient's result. `stage` as codec.smtp's Stage writes it; `known`: the server took this address before."""
    if code < 300:
        return Said.TAKEN
    if code == 503:  # RFC 5321 section 4.2.2: bad sequence of commands, ours
        return Said.LATER
    if code >= 500:
        return Said.DENIED if stage == "MAIL" or (stage == "RCPT" and known) else Said.REFUSED
    # RFC 3463 section 3.4: x.3.x is the mail system. A 4xx at RCPT without it is greylisting more often than not
    return Said.BUSY if enhanced.startswith("4.3.") or (stage != "RCPT" and code in (421, 452)) else Said.LATER


def heaviest(found: Iterable[Said]) -> Said:
    """What a message with several recipients says."""
    there = set(found)
    return next(one for one in Said if one in there)


class Gate(Struct, frozen=True):
    """`wave` messages may begin; when all have ended the next wave comes. 0: the gate stands open."""

    wave: int = 0
    begun: int = 0
    ended: int = 0
    taken: int = 0
    opens_at: float = 0.0  # seconds since the epoch: the wave waits until then

    def room(self, now: float) -> int | None:
        """How many may begin now; None: as many as there are."""
        if not self.wave:
            return None
        return self.wave - self.begun if now >= self.opens_at else 0


OPEN = Gate()
CANARY = Gate(1)


def begin(gate: Gate) -> Gate:
    """One of the wave leaves."""
    return replace(gate, begun=gate.begun + 1)


def came_back(gate: Gate) -> Gate:
    """One of the wave was never tried: its place is free again."""
    return replace(gate, begun=gate.begun - 1)


def ended(gate: Gate, taken: bool, settings: GuardSettings) -> Gate:
    """One of the wave has its answer. A wave of which less than half was taken is repeated, not followed."""
    gate = replace(gate, ended=gate.ended + 1, taken=gate.taken + taken)
    if gate.ended < gate.wave:
        return gate
    if 2 * gate.taken < gate.wave:
        return Gate(gate.wave)
    return OPEN if gate.wave >= settings.last_wave else Gate(gate.wave * settings.factor)


class Tally:
    """Of the last messages, how many were refused; `note` says whether that is too many."""

    def __init__(self) -> None:
        self._last: deque[bool] = deque()
        self._refused = 0

    def note(self, refused: bool, settings: GuardSettings) -> bool:
        """Fewer than a quarter of the sample say nothing."""
        self._last.append(refused)
        self._refused += refused
        while len(self._last) > settings.sample:
            self._refused -= self._last.popleft()
        count = len(self._last)
        return refused and count >= max(5, settings.sample // 4) and self._refused >= settings.share * count

    def clear(self) -> None:
        self._last.clear()
        self._refused = 0


def final(health: Health, refused_at: float | None, last_taken: float, now: float, settings: GuardSettings) -> bool:
    """Whether a refusal settles the matter. `refused_at`: when the same was refused before; None: it was not."""
    return (
        health.state is State.UP
        and now >= health.recovered_at + settings.lenient * HOUR
        and refused_at is not None
        and last_taken > refused_at
    )


class Identity(Struct, frozen=True):
    """Who answered: the name in its EHLO, the digest of its certificate ("" in clear), its address."""

    name: str = ""
    certificate: str = ""
    ip: str = ""


def wholly_strange(before: Identity, now: Identity) -> bool:
    """Neither name nor certificate is the one of before; who had no certificate can be told by nothing sure."""
    return (
        bool(before.name and before.certificate) and now.name != before.name and now.certificate != before.certificate
    )


def stranger(before: Identity | None, now: Identity) -> str:
    """Words for people when another server than before seems to answer; "" when it seems to be the same.

    A renewed certificate or a moved address alone is everyday life; so is a new name with the certificate of before.
    """
    if before is None or not before.name or before.name == now.name:
        return ""
    if before.certificate and before.certificate == now.certificate:
        return ""
    return f"it calls itself {now.name}, before {before.name}" + (
        ", and its certificate is another" if before.certificate else ""
    )
