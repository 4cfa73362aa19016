"""Is a next hop alive? A pure function from what was seen to what may be done (product rows D1, G1).

    UP        as many connections as `connections` says; it grows by one with each message taken, up to the limit
    SUSPECT   failed once: one probe soon
    DOWN      failed again: one probe at a time, at growing intervals

What counts as seen is a session, not a message: a 4xx or 5xx to one message comes from a server that lives.
Guarded recovery (row G1) becomes further states between DOWN and UP.
"""

from collections.abc import Callable
from enum import Enum

from msgspec import Struct
from msgspec.structs import replace

from emailgency.rules.retry import RetrySettings, probe_wait

CROWDED_FOR = 60.0  # seconds without a further connection after the server refused one


class State(Enum):
    """The words of the table above; people see the values."""

    UP = "up"
    SUSPECT = "suspect"
    DOWN = "down"


class Health(Struct, frozen=True):
    """Times are seconds since the epoch. `connections` is how many may be open now.

    Before `next_probe` a dead server is not tried again, and one that lives gets no further connection.
    """

    state: State = State.UP
    since: float = 0.0
    failures: int = 0
    next_probe: float = 0.0
    connections: int = 1
    reason: str = ""  # of the last failure, for people


def taken(health: Health, now: float, limit: int) -> Health:
    """The server took a message, or refused it in good order: it lives."""
    if health.state is State.UP:
        grown = health.connections < limit and now >= health.next_probe
        return replace(health, connections=health.connections + 1) if grown else health
    return Health(since=now, connections=min(2, limit))


def failed(health: Health, now: float, reason: str, settings: RetrySettings, chance: Callable[[], float]) -> Health:
    """No session came about, or it died before it did anything."""
    failures = health.failures + 1
    state = State.SUSPECT if failures == 1 else State.DOWN
    return Health(
        state=state,
        since=now if health.state is not state else health.since,
        failures=failures,
        next_probe=now + probe_wait(settings, failures, chance),
        connections=1,
        reason=reason,
    )


def crowded(health: Health, now: float, still_open: int) -> Health:
    """One more connection was refused while others work: the server limits us, and is not ill."""
    return replace(health, connections=max(1, still_open), next_probe=now + CROWDED_FOR)


def allowed(health: Health, now: float) -> int:
    """How many connections may be open now."""
    if health.state is State.UP:
        return health.connections
    return 1 if now >= health.next_probe else 0


def hurried(health: Health, now: float) -> Health:
    """A flush (row D2): the next probe is due now; one probe, not a flood."""
    return health if health.state is State.UP else replace(health, next_probe=now)
