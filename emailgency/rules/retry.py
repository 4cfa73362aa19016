"""When to try again: a message that was put off, and a server that did not answer (product row D1).

The two are apart. A 4xx for one message concerns that message: its waits double, its neighbours go on. A server
that cannot be reached concerns everything that waits for it: one probe at a time, however much is pending, and
nothing is written to the messages, so that after one success the whole backlog is due at once.
"""

from collections.abc import Callable
from typing import Annotated

from msgspec import Meta, Struct


class RetrySettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Waits in seconds."""

    message_first: Annotated[float, Meta(gt=0, description="Wait after the first 4xx for a message, seconds")] = 60.0
    message_longest: Annotated[float, Meta(gt=0, description="Longest wait between attempts of a message")] = 3600.0
    probe_first: Annotated[float, Meta(gt=0, description="Wait after the first failure to reach a server")] = 5.0
    probe_longest: Annotated[float, Meta(gt=0, description="Longest wait between probes of a dead server")] = 300.0
    growth: Annotated[float, Meta(ge=1, description="Factor from one wait to the next")] = 2.0
    jitter: Annotated[float, Meta(ge=0, le=0.5, description="Share by which a wait is varied at random")] = 0.1


def message_wait(settings: RetrySettings, last_wait: float, chance: Callable[[], float]) -> float:
    """Seconds until the next attempt of one message; `last_wait` 0 before the first. `chance` gives [0, 1)."""
    wait = max(settings.message_first, min(settings.message_longest, last_wait * settings.growth))
    return _varied(settings, wait, chance)


def probe_wait(settings: RetrySettings, failures: int, chance: Callable[[], float]) -> float:
    """Seconds until the next probe after so many failures in a row, at least one."""
    steps = min(failures - 1, 60)  # no overflow in years of silence
    return _varied(settings, min(settings.probe_longest, settings.probe_first * settings.growth**steps), chance)


def _varied(settings: RetrySettings, wait: float, chance: Callable[[], float]) -> float:
    return wait * (1 + settings.jitter * (2 * chance() - 1))
