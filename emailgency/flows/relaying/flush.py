"""Make all of one customer's pending mail due now (product row D2)."""

from collections.abc import Callable
from typing import Annotated

from msgspec import Meta, Struct
from twisted.logger import Logger

from emailgency.flows.relaying.relay import RelayFlow
from emailgency.model.verdict import Verdict


class FlushSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How often pending mail may be flushed."""

    interval: Annotated[float, Meta(ge=0, description="Seconds between two flushes of one customer at least")] = 60.0


class Flush:
    """The confirmation is asked by whoever has the person before him; the ramp up of connections is the lane's."""

    _log = Logger()

    def __init__(self, relay: RelayFlow, clock: Callable[[], float], settings: FlushSettings) -> None:
        self._relay = relay
        self._clock = clock
        self.settings = settings
        self._last: dict[str, float] = {}

    def flush(self, customer: str, who: str) -> int | Verdict:
        """How many messages are due now, or why not."""
        now = self._clock()
        wait = self._last.get(customer, float("-inf")) + self.settings.interval - now
        if wait > 0:
            return Verdict(450, "4.7.0", f"flushed a moment ago, possible again in {int(wait) + 1} s")
        self._last = {id: at for id, at in self._last.items() if now - at < self.settings.interval}
        self._last[customer] = now
        count = self._relay.flush(customer)
        self._log.info("{customer} flushed by {who}: {count} pending", customer=customer, who=who, count=count)
        return count
