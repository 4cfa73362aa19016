"""A moment by which something must have happened, and which moves with each octet."""

from collections.abc import Callable
from math import inf

from twisted.internet.interfaces import IDelayedCall, IReactorTime


class Deadline:
    """One timer, which looks at the deadline when it fires: moving that to a later moment costs nothing."""

    def __init__(self, reactor: IReactorTime, passed: Callable[[], None]) -> None:
        self._reactor = reactor
        self._passed = passed
        self._at = inf
        self._timer: IDelayedCall | None = None

    def move(self, seconds: float | None) -> None:
        """So many seconds from now; None: there is nothing to wait for."""
        if seconds is None:
            self._at = inf
            return
        self._at = self._reactor.seconds() + seconds
        if self._timer is None or not self._timer.active():
            self._timer = self._reactor.callLater(seconds, self._look)
        elif self._timer.getTime() > self._at:
            self._timer.reset(seconds)

    def cancel(self) -> None:
        """It never passes."""
        self._at = inf
        if self._timer and self._timer.active():
            self._timer.cancel()

    def _look(self) -> None:
        left = self._at - self._reactor.seconds()
        if left <= 0:
            self._passed()
        elif left < inf:
            self._timer = self._reactor.callLater(left, self._look)
