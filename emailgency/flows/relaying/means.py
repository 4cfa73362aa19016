"""What every lane travels with."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec import Struct, field

from emailgency.flows.pending.holds import Holds
from emailgency.flows.relaying.attempts import Attempts
from emailgency.net.courier import Courier
from emailgency.net.egress import Egress
from emailgency.net.reactor import NetReactor
from emailgency.net.session import CourierSettings
from emailgency.rules.guard import GuardSettings
from emailgency.rules.retry import RetrySettings

if TYPE_CHECKING:
    from emailgency.store.spool.spool import Spool


class Places:
    """For connections, over all lanes; `limit` keeps a thousand dead servers from taking every descriptor."""

    def __init__(self, limit: int) -> None:
        self.limit = limit  # may change
        self._open = 0

    def enter(self) -> bool:
        """False: all places are taken."""
        if self._open >= self.limit:
            return False
        self._open += 1
        return True

    def leave(self) -> None:
        self._open -= 1


class Means(Struct, kw_only=True):
    """`courier`, `retry`, `guard` and `hops` change when the settings are read again."""

    spool: "Spool"
    egress: Egress
    reactor: NetReactor
    clock: Callable[[], float]
    chance: Callable[[], float]  # random numbers in [0, 1)
    name: str  # ours in EHLO
    courier: CourierSettings
    retry: RetrySettings
    places: Places
    guard: GuardSettings = GuardSettings()
    hops: int = 50  # Received fields from which a message counts as looping
    attempts: Attempts = field(default_factory=Attempts)
    holds: Holds = field(default_factory=Holds)
    couriers: Callable[..., Courier] = Courier  # makes them; arguments as Courier's
