"""All lanes of one kind of remote mail: looked after now and then, and stopped together."""

from abc import ABC, abstractmethod
from collections.abc import Iterator

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IDelayedCall

from emailgency.background import background
from emailgency.flows.relaying.errand import Errand
from emailgency.flows.relaying.lane import Lane
from emailgency.flows.relaying.means import Means
from emailgency.store.spool.pending import Hop


class Lanes(ABC):
    """Which lanes there are and what is done in them is for the flow to say; here is what no flow does otherwise."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._lanes: dict[Hop, Lane] = {}
        self._round: IDelayedCall | None = None
        self._stopped = False
        means.holds.listeners.append(self._reconsider)

    def lanes(self, customer: str | None = None) -> Iterator[Lane]:
        """Those of one customer, or all. A lane comes with its first message and goes some time after its last."""
        return (lane for hop, lane in self._lanes.items() if customer in (None, hop.customer))

    async def stop(self) -> None:
        """No new attempts; returns when no message is on the way any more."""
        self._stopped = True
        if self._round and self._round.active():
            self._round.cancel()
        await gatherResults([Deferred.fromCoroutine(lane.stop()) for lane in self._lanes.values()])

    def cut(self) -> None:
        """No more patience: close every connection now."""
        for lane in self._lanes.values():
            lane.cut()

    def _reconsider(self, customer: str) -> None:
        """Other rules of his hold mail now."""
        for hop, lane in list(self._lanes.items()):
            if hop.customer in ("", customer):  # lanes to others are everybody's
                lane.queue.reconsider(self._means.clock())
                lane.wake()

    def _open(self, hop: Hop, errand: Errand) -> Lane:
        lane = self._lanes[hop] = Lane(hop, errand, self._means)
        return lane

    def _go_round(self) -> None:
        """Look after all lanes in a while, and again after that."""
        if not self._stopped:
            self._round = self._means.reactor.callLater(
                self._pause(), lambda: background("looking after remote mail", self._look())
            )

    async def _look(self) -> None:
        try:
            await self._look_after()
        finally:
            self._go_round()

    @abstractmethod
    def _pause(self) -> float:
        """Seconds between two rounds, by the settings of now."""

    @abstractmethod
    async def _look_after(self) -> None:
        """What has become too old, what has changed, which lanes may go."""
