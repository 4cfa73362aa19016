"""What of a mailbox goes because it is old, and what because there is no room (product rows B5, B6, B12).

Mail is kept for the delay that its user has chosen within the plan. When nine tenths and a half of the quota are taken,
the oldest mail goes until nine tenths are; from then on the delay is the shorter one that this makes. Time within
incidents does not count, nothing goes while one is open, and nobody loses for want of room what he has had for less
than a day: then the mailbox passes its quota, up to the reserve of its customer.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence

from msgspec import Struct

from emailgency.model.directory import Mailbox, Plan
from emailgency.rules.forecast import Span

DAY = 86_400.0
FULL, ROOMY, EMPTY = 0.95, 0.9, 0.5  # of the quota: too much, enough again, and so little that nothing need be short


class Arrived(Struct, frozen=True):
    """One message of a mailbox: seconds since the epoch, and octets."""

    at: float
    octets: int


class Sweep(Struct, frozen=True):
    """The `count` oldest messages go. `days`: what the delay is from now on, because there was no room; else None."""

    count: int
    days: int | None = None


def quota_of(mailbox: Mailbox, plan: Plan) -> int:
    """Octets; a VIP's are more (row B6)."""
    return plan.vip_quota if mailbox.vip else plan.mailbox_quota


def chosen_delay(mailbox: Mailbox, plan: Plan) -> int:
    """Days, as its user or his administrator wants it; what the plan allows now is the most."""
    wanted = plan.expiration_delay if mailbox.expiration_delay is None else mailbox.expiration_delay
    return min(wanted, plan.expiration_delay_max)


def delay_of(mailbox: Mailbox, plan: Plan) -> int:
    """Days that its mail is kept now."""
    chosen = chosen_delay(mailbox, plan)
    return chosen if mailbox.shortened_to is None else min(chosen, mailbox.shortened_to)


def came_before(now: float, lifetime: float, spans: Iterable[Span]) -> float | None:
    """What came before this has lived for `lifetime` seconds outside of incidents. None: one is open."""
    left, until = lifetime, now
    for span in sorted(spans, key=lambda span: span.start, reverse=True):
        if span.end is None:
            return None
        free = max(0.0, until - span.end)
        if free >= left:
            break
        left -= free
        until = min(until, span.start)
    return until - left


def swept(messages: Sequence[Arrived], days: int, quota: int, now: float, spans: Sequence[Span]) -> Sweep:
    """`messages` of one mailbox, the oldest first; they are kept for `days`."""
    times = [message.at for message in messages]
    old, young = (came_before(now, lifetime, spans) for lifetime in (days * DAY, DAY))
    if old is None or young is None:
        return Sweep(0)
    count = bisect_left(times, old)
    left = sum(message.octets for message in messages[count:])
    if left <= quota * FULL:
        return Sweep(count)
    short = count
    while left > quota * ROOMY and short < len(messages) and times[short] < young:
        left -= messages[short].octets
        short += 1
    if short == count:
        return Sweep(count)
    oldest = times[short] if short < len(messages) else now
    delay = next((some for some in range(1, days) if (came_before(now, some * DAY, spans) or 0.0) <= oldest), days)
    return Sweep(short, delay if delay < days else None)


def roomy(octets: int, quota: int) -> bool:
    """Whether a delay that was shortened may be what its user wants again."""
    return octets <= quota * EMPTY
