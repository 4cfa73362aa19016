"""Finding all that waits of one message, taking it out of its lanes, and putting back what is left of it."""

from typing import TYPE_CHECKING

from msgspec import Struct

from emailgency.flows.relaying.lane import Lane
from emailgency.model.envelope import Outbound, Relay
from emailgency.model.errors import Invalid
from emailgency.store.spool.pending import Waiting

if TYPE_CHECKING:
    from emailgency.flows.relaying.outbound import OutboundFlow
    from emailgency.flows.relaying.relay import RelayFlow
    from emailgency.store.spool.spool import Live, Spool


class Part(Struct, frozen=True):
    """What waits of one message in one place. `lane` None: the directory has not told yet where it goes."""

    waiting: Waiting
    lane: Lane | None


class Picked(Struct, frozen=True):
    """All that waits of one message, and nothing of it is on its way."""

    live: "Live"
    parts: tuple[Part, ...]

    @property
    def targets(self) -> tuple[int, ...]:
        return tuple(target for part in self.parts for target in part.waiting.targets)

    @property
    def recipients(self) -> tuple[str, ...]:
        plan = self.live.envelope.plan
        found = (plan[index] for index in self.targets)
        return tuple(target.address for target in found if isinstance(target, Relay | Outbound))


class PendingPick:
    """One for all deeds. `take` and `put_back` follow a `pick` without waiting in between."""

    def __init__(self, relay: "RelayFlow", outbound: "OutboundFlow", spool: "Spool") -> None:
        self._relay = relay
        self._outbound = outbound
        self._spool = spool

    def pick(self, id: str) -> Picked:
        """Raises Invalid: nothing of it is pending, or some of it is on its way."""
        live = self._spool.live.get(id)
        plan = live.envelope.plan if live else ()
        wanted = {index for index in live.remaining if isinstance(plan[index], Relay | Outbound)} if live else set()
        if live is None or not wanted:
            raise Invalid("no message %(id)s is pending", id=id)
        picked = Picked(live, tuple(self._parts(live)))
        if wanted.difference(picked.targets):
            raise Invalid("%(id)s is on its way right now: ask again in a moment", id=id)
        return picked

    def take(self, picked: Picked) -> None:
        for lane in {part.lane for part in picked.parts if part.lane}:
            lane.queue.remove(lambda waiting: waiting.live is picked.live)
        for customer, waiting in self._relay.homeless.items():
            if any(one.live is picked.live for one in waiting):
                self._relay.homeless[customer] = [one for one in waiting if one.live is not picked.live]

    def put_back(self, picked: Picked) -> None:
        """What is not finished, where it was."""
        for part in picked.parts:
            waiting = part.waiting
            waiting.targets = tuple(target for target in waiting.targets if target in picked.live.remaining)
            if not waiting.targets:
                continue
            if part.lane:
                part.lane.add(waiting)
            else:
                target = picked.live.envelope.plan[waiting.targets[0]]
                self._relay.homeless.setdefault(target.customer, []).append(waiting)

    def _parts(self, live: "Live") -> list[Part]:
        customers = {target.customer for target in live.envelope.plan if isinstance(target, Relay)}
        lanes = [lane for customer in customers for lane in self._relay.lanes(customer)]
        lanes += self._outbound.lanes()
        parts = [Part(one, lane) for lane in lanes for one in lane.queue if one.live is live]
        homeless = [one for customer in customers for one in self._relay.homeless.get(customer, ())]
        return parts + [Part(one, None) for one in homeless if one.live is live]
