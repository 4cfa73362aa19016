"""Give up what waits for the server of a customer who leaves. Nobody is told: the operator decided it."""

from emailgency.flows.relay import RelayFlow
from emailgency.model.envelope import Outcome
from emailgency.model.errors import Invalid
from emailgency.store.spool import Spool

DROPPED = Outcome(word="dropped", reply="the customer was removed")


class DropPending:
    """`check_none` before the customer is removed, else `drop`."""

    def __init__(self, relay: RelayFlow, spool: Spool) -> None:
        self._relay = relay
        self._spool = spool

    def check_none(self, customer: str) -> None:
        """Raises Invalid: mail that waits is not dropped unless that was said."""
        pending = sum(len(lane.queue) + lane.carrying for lane in self._relay.lanes(customer))
        if pending:
            raise Invalid(
                f"{pending} messages are pending for its server: give them back (pending flush), or say --drop-pending"
            )

    async def drop(self, customer: str) -> int:
        """How many. What is on its way right now still arrives."""
        count = 0
        for lane in self._relay.lanes(customer):
            for waiting in lane.queue.remove(lambda waiting: True):
                await self._spool.finished(waiting.live.envelope.id, waiting.targets, DROPPED)
                count += 1
        return count
