"""How many connections a server sustains: one more for each message taken, half as many at a sign of distress.

Distress is a refused connection while others work, a 4xx that speaks of the server and not of the message, and a final
reply that takes long. After each the pace is steady for a while: what is on its way was sent at the old pace.
"""

from math import inf

from msgspec import Struct
from msgspec.structs import replace

CROWDED_FOR = 60.0  # seconds without a further connection after the server refused one
EASED_FOR = 10.0  # seconds without another change after the number was halved
QUICK = 1.0  # seconds for a final reply in which no server is called slow
SLOW = 5.0
SLOWER = 4.0  # times as long as this server's best: no further connection
FAR_SLOWER = 12.0  # times as long: half as many


class Pace(Struct, frozen=True):
    """`connections` may be open now, and stay so many until `steady_until`."""

    connections: int = 1
    steady_until: float = 0.0
    best: float = inf  # shortest wait for a final reply, seconds


def taken(pace: Pace, now: float, waited: float, limit: int) -> Pace:
    """The server took a message, or refused it in good order, `waited` seconds after its end."""
    best = min(pace.best, waited)
    if waited > SLOW and waited > FAR_SLOWER * best:
        return eased(pace, now)
    if pace.connections >= limit or now < pace.steady_until or (waited > QUICK and waited > SLOWER * best):
        return pace if best == pace.best else replace(pace, best=best)
    return Pace(pace.connections + 1, pace.steady_until, best)


def crowded(pace: Pace, now: float, still_open: int) -> Pace:
    """One more connection was refused while others work: the server limits us, and is not ill."""
    return replace(pace, connections=max(1, still_open), steady_until=now + CROWDED_FOR)


def eased(pace: Pace, now: float) -> Pace:
    """The server is in distress: half as many, at most once in a while."""
    if now < pace.steady_until:
        return pace
    return replace(pace, connections=max(1, pace.connections // 2), steady_until=now + EASED_FOR)
