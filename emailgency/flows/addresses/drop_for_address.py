"""Give up what waits for the customer's server for one address, when it is banished (product row A4)."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from emailgency.codec.address import parse
from emailgency.model.address import Address
from emailgency.model.envelope import Outcome, Relay
from emailgency.model.errors import Invalid

if TYPE_CHECKING:
    from emailgency.flows.relaying.relay import RelayFlow
    from emailgency.store.spool.pending import Waiting
    from emailgency.store.spool.spool import Spool

_DROPPED = Outcome(word="dropped", reply="its address was banished")


class DropForAddress:
    """What is on its way right now still arrives. Domain aliases count as the main domain."""

    def __init__(self, relay: "RelayFlow", spool: "Spool") -> None:
        self._relay = relay
        self._spool = spool

    def waiting(self, customer: str) -> Iterator[str]:
        """The local part of each recipient of his for whom mail is pending now; others may work in between."""
        for waiting in [waiting for lane in self._relay.lanes(customer) for waiting in lane.queue]:
            plan = waiting.live.envelope.plan
            for index in waiting.targets:
                yield _local(plan[index])

    async def drop(self, customer: str, address: Address) -> int:
        """How many messages. Raises Temporary: what was not recorded is found again at the next start."""
        dropped = []
        for lane in self._relay.lanes(customer):
            for waiting in list(lane.queue):
                if targets := _targets(waiting, address):
                    dropped.append((waiting.live.envelope.id, targets))
                    waiting.targets = tuple(target for target in waiting.targets if target not in targets)
            lane.queue.remove(lambda waiting: not waiting.targets)
        for id, targets in dropped:
            await self._spool.finished(id, targets, _DROPPED)
        return len(dropped)


def _targets(waiting: "Waiting", address: Address) -> tuple[int, ...]:
    plan = waiting.live.envelope.plan
    return tuple(index for index in waiting.targets if _local(plan[index]) == address.local)


def _local(target: object) -> str:
    """ "": it is not for the customer's server."""
    if not isinstance(target, Relay):
        return ""
    try:
        return parse(target.address).local
    except Invalid:
        return ""
