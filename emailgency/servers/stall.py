"""How long the reactor was busy with one thing: while it is, nobody else is served."""

from twisted.internet.interfaces import IDelayedCall, IReactorTime

TICK = 0.05  # seconds; a stall shorter than this is not seen
WINDOW = 60.0  # seconds that `recent` looks back, at least; at most twice that


class Stall:
    """Ticks each 50 ms of monotonic time and keeps by how much a tick came late, in seconds."""

    def __init__(self, reactor: IReactorTime) -> None:
        self._reactor = reactor
        self._next: IDelayedCall | None = None
        self._expected = 0.0
        self._turned_at = 0.0
        self._this_window = 0.0
        self._last_window = 0.0
        self.worst = 0.0  # since the start

    @property
    def recent(self) -> float:
        return max(self._this_window, self._last_window)

    def start(self) -> None:
        self._turned_at = self._reactor.seconds()
        self._wait()

    def stop(self) -> None:
        if self._next is not None and self._next.active():
            self._next.cancel()
        self._next = None

    def _wait(self) -> None:
        self._expected = self._reactor.seconds() + TICK
        self._next = self._reactor.callLater(TICK, self._tick)

    def _tick(self) -> None:
        now = self._reactor.seconds()
        late = max(0.0, now - self._expected)
        if now - self._turned_at > WINDOW:
            self._last_window, self._this_window, self._turned_at = self._this_window, 0.0, now
        self._this_window = max(self._this_window, late)
        self.worst = max(self.worst, late)
        self._wait()
