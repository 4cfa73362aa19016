"""What becomes of pending mail if nothing changes (product row G8): when the oldest expires, when room runs out."""

from collections.abc import Iterable

from msgspec import Struct

LEAST = 600.0  # seconds of arrivals from which a rate is read; less says nothing


class Span(Struct, frozen=True):
    """An incident's time; `end` None: still open."""

    start: float
    end: float | None


def expires_at(received_at: float, lifetime: float, incidents: Iterable[Span]) -> float | None:
    """When a message has waited long enough: time within incidents does not count. None: one is open."""
    at = received_at + lifetime
    for span in sorted(incidents, key=lambda span: span.start):
        if span.start >= at:
            break
        if span.end is None:
            return None
        at += max(0.0, span.end - max(span.start, received_at))
    return at


def full_at(now: float, room: int, octets: int, since: float) -> float | None:
    """When `room` octets are used up, if as many come as the `octets` that came since then. None: no telling."""
    if octets <= 0 or now - since < LEAST:
        return None
    return now + room * (now - since) / octets
