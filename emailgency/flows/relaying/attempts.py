"""Each attempt to hand a message on, told once it is recorded: the one place to listen for what remotes answered."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec import Struct
from twisted.logger import Logger

from emailgency.model.envelope import Outcome
from emailgency.store.spool.pending import Hop

if TYPE_CHECKING:
    from emailgency.store.spool.spool import Live


class Attempt(Struct, frozen=True):
    """`targets` (indices in the plan) of one message at one next hop, in the remote's own words.

    Words of `outcome`: relayed, deferred, bounced, expired, doubtful (perhaps taken: the final reply never came); and
    bounced, dropped, kept with a name in `by`: somebody ended it so, and nothing was tried.
    """

    live: "Live"
    hop: Hop
    targets: tuple[int, ...]
    outcome: Outcome
    at: float  # seconds since the epoch


class Attempts:
    """`listeners` must not block; what one raises harms nobody."""

    _log = Logger()

    def __init__(self) -> None:
        self.listeners: list[Callable[[Attempt], None]] = []
        self.doubtful = 0  # messages since the start whose final reply was lost
        self.window = 0.0  # longest time since the start from a final dot to its record on stable storage, seconds

    def tell(self, attempt: Attempt) -> None:
        if attempt.outcome.word == "doubtful":
            self.doubtful += 1
        for listener in self.listeners:
            try:
                listener(attempt)
            except Exception:
                self._log.failure("{id}: an attempt is not told on", id=attempt.live.envelope.id)

    def recorded(self, seconds: float) -> None:
        """So long a crash would have sent one message twice."""
        if seconds > self.window:
            self.window = seconds
