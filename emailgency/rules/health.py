"""Is a next hop alive? Pure functions from what was seen to what may be done (product rows D1, G1).

    UP          mail flows; how fast is said by rules/pace.py
    SUSPECT     one failure: one probe soon; it passes: UP, it fails: DOWN
    DOWN        failed again: one probe at a time, at growing intervals, whatever is pending
    RECOVERING  a probe passed: mail flows in waves (rules/guard.py) until it is home, then UP; any failure: DOWN

The hysteresis: one failure never makes DOWN of UP, one success never makes UP of DOWN, and the intervals of a
server that comes and goes start where they were. A session is what counts as seen: a 4xx or 5xx to one message comes
from a server that lives. Somebody else's server (`guarded` False) is UP at once.
"""

from collections.abc import Callable
from enum import Enum

from msgspec import Struct
from msgspec.structs import replace

from emailgency.rules.retry import RetrySettings, probe_wait


class State(Enum):
    """The words of the table above; people see the values."""

    UP = "up"
    SUSPECT = "suspect"
    DOWN = "down"
    RECOVERING = "recovering"


class Health(Struct, frozen=True):
    """Times are seconds since the epoch. Before `next_probe` a server that is not up is not tried again."""

    state: State = State.UP
    since: float = 0.0
    failures: int = 0  # since it was last UP
    next_probe: float = 0.0
    reason: str = ""  # of the last failure, for people
    recovered_at: float = float("-inf")  # when it last came back from DOWN

    @property
    def probing(self) -> bool:
        """Only a probe may go there."""
        return self.state is State.SUSPECT or self.state is State.DOWN


def failed(health: Health, now: float, reason: str, settings: RetrySettings, chance: Callable[[], float]) -> Health:
    """No session came about, or it died before it did anything, or a probe proved nothing."""
    failures = health.failures + 1
    state = State.SUSPECT if health.state is State.UP else State.DOWN
    return replace(
        health,
        state=state,
        since=now if health.state is not state else health.since,
        failures=failures,
        next_probe=now + probe_wait(settings, failures, chance),
        reason=reason,
    )


def stopped(health: Health, now: float, reason: str, settings: RetrySettings, chance: Callable[[], float]) -> Health:
    """The server answers what a well one does not: as `failed`, but of a server that was well it is asked at once."""
    after = failed(health, now, reason, settings, chance)
    return replace(after, next_probe=now) if health.state is State.UP else after


def passed(health: Health, now: float, guarded: bool) -> Health:
    """A probe passed: a message was taken, or there was none to give and the session stood."""
    if not health.probing:
        return health
    if health.state is State.SUSPECT or not guarded:
        return Health(since=now, recovered_at=health.recovered_at)
    return replace(health, state=State.RECOVERING, since=now, recovered_at=now, next_probe=now)


def recovered(health: Health, now: float) -> Health:
    """What was pending is home, or the guard has opened fully."""
    return Health(since=now, recovered_at=health.recovered_at) if health.state is State.RECOVERING else health


def postponed(health: Health, at: float) -> Health:
    """A probe said nothing of the server: the next one is due then."""
    return replace(health, next_probe=at)


def hurried(health: Health, now: float) -> Health:
    """A flush (row D2): the next probe is due now; one probe, not a flood."""
    return replace(health, next_probe=now) if health.probing else health
