"""A wall clock that has jumped ahead, while we ran or before we started, would take everybody's mail.

Then it is not believed for a day, in which somebody can set it right.
"""

from collections.abc import Callable
from typing import Any

from twisted.logger import Logger

from emailgency.rules.expiry import DAY
from emailgency.store.experience.believed_time import DAMAGED, BelievedTime

HOUR = 3600.0
AWAY = 2 * DAY  # seconds for which a server may stand still, so that its start is a usual one


class TrustedClock:
    """`clock` beside the monotonic seconds of the reactor; `data` is the data folder."""

    _log = Logger()

    def __init__(self, reactor: Any, clock: Callable[[], float], data: str) -> None:
        self._reactor = reactor
        self._clock = clock
        self._file = BelievedTime(reactor, data)
        self._ahead = clock() - reactor.seconds()
        self._trusted = float("-inf")  # seconds of the reactor from which on the wall clock is believed
        believed = self._file.read()
        if clock() > believed + AWAY:
            self._trusted = reactor.seconds() + DAY
            since = "nobody knows when" if believed == DAMAGED else f"{(clock() - believed) / DAY:.1f} days ago"
            words = "ALERT the clock was last believed {since}: check it, nothing expires for a day"
            self._log.error(words, since=since)

    def is_right(self) -> bool:
        """Whether mail may go by what the wall clock says."""
        seconds: float = self._reactor.seconds()
        ahead = self._clock() - seconds
        if ahead > self._ahead + HOUR:
            self._trusted = seconds + DAY
            self._log.error(
                "ALERT the clock has jumped ahead by {by:.0f} s: nothing expires for a day", by=ahead - self._ahead
            )
        self._ahead = ahead
        return seconds >= self._trusted

    async def remember(self) -> None:
        """For the next start; a time that is not believed is none to remember."""
        now = self._clock()
        if self.is_right():
            try:
                await self._file.write(now)
            except OSError as error:
                self._log.warn("the time cannot be remembered: {error}", error=str(error))
