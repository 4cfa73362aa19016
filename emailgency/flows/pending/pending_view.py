"""What is pending, for people: a line a next hop, and the messages behind it."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING

from msgspec import Struct

from emailgency.flows.relaying.lane import Lane
from emailgency.flows.relaying.outbound import OutboundFlow
from emailgency.flows.relaying.relay import RelayFlow
from emailgency.model.envelope import Outbound, Relay

if TYPE_CHECKING:
    from emailgency.store.spool.pending import Waiting


class HopLine(Struct, frozen=True, kw_only=True):
    """One next hop. Times are seconds since the epoch; `customer` "" is mail to the rest of the world."""

    customer: str
    domain: str | None  # "": the customer's SMTP transport; None: the directory has not told yet
    via: str = ""  # the server to which somebody has led it
    pending: int  # transactions waiting
    carrying: int  # on their way now
    oldest: float | None
    state: str  # "up", "suspect", "down", "recovering", "held"; "unknown" without a next hop
    since: float
    next_probe: float | None  # None: not waiting for one
    reason: str  # of the last failure
    expires_at: float | None  # the first, if nothing changes; None: nothing expires while an incident is open


class MessageLine(Struct, frozen=True, kw_only=True):
    """Targets of one message that wait for one hop."""

    id: str
    sender: str
    recipients: tuple[str, ...]
    received_at: float
    size: int
    due: float
    held: bool  # until somebody releases it
    rule: str  # id of the rule that holds it; "": none does
    last: str  # the last attempt's reply; "" before the first
    expires_at: float | None  # as of a HopLine; what is held does not


class PendingView:
    """Reads what the lanes have; nothing is changed."""

    def __init__(self, relay: RelayFlow, outbound: OutboundFlow) -> None:
        self._relay = relay
        self._outbound = outbound

    def hops(self, customer: str | None = None) -> list[HopLine]:
        """Of one customer, or all with outbound mail behind them; the hop with the oldest mail first."""
        lines = [_hop_line(lane) for lane in self._lanes(customer)]
        lines += [_homeless_line(id, waiting) for id, waiting in self._homeless(customer)]
        return sorted(lines, key=lambda line: line.oldest or float("inf"))

    def by_customer(self) -> dict[str, int]:
        """How many messages wait for each; "" is mail to the rest of the world."""
        pending: dict[str, int] = {}
        for hop in self.hops():
            pending[hop.customer] = pending.get(hop.customer, 0) + hop.pending + hop.carrying
        return pending

    def messages(
        self, customer: str | None = None, limit: int = 1000, wanted: "Callable[[Waiting], bool]" = lambda waiting: True
    ) -> list[MessageLine]:
        """Oldest first, at most `limit`."""
        found = (pair for pair in self._waiting(customer) if wanted(pair[0]))
        waiting = sorted(found, key=lambda pair: pair[0].received_at)
        return [_message_line(one, lane) for one, lane in islice(waiting, limit)]

    def rules(self, customer: str) -> Iterator[str]:
        """The id of the rule for each of his messages that one holds, outbound mail among them."""
        for lane in (*self._relay.lanes(customer), *self._outbound.lanes()):
            for one in lane.queue:
                target = one.live.envelope.plan[one.targets[0]]
                if one.rule and isinstance(target, Relay | Outbound) and target.customer == customer:
                    yield one.rule

    def show(self, id: str) -> list[MessageLine]:
        """What waits of one message; empty when nothing does."""
        return [_message_line(one, lane) for one, lane in self._waiting(None) if one.live.envelope.id == id]

    def _waiting(self, customer: str | None) -> Iterator[tuple["Waiting", Lane | None]]:
        for lane in self._lanes(customer):
            yield from ((one, lane) for one in lane.queue)
        for _, waiting in self._homeless(customer):
            yield from ((one, None) for one in waiting)

    def _lanes(self, customer: str | None) -> Iterable[Lane]:
        yield from self._relay.lanes(customer)
        if customer is None:
            yield from self._outbound.lanes()

    def _homeless(self, customer: str | None) -> list[tuple[str, list["Waiting"]]]:
        """What has no lane, since the directory has not told of its customer."""
        return [(id, waiting) for id, waiting in self._relay.homeless.items() if waiting and customer in (None, id)]


def _homeless_line(customer: str, waiting: list["Waiting"]) -> HopLine:
    oldest = min(one.received_at for one in waiting)
    return HopLine(
        customer=customer,
        domain=None,
        pending=len(waiting),
        carrying=0,
        oldest=oldest,
        state="unknown",
        since=oldest,
        next_probe=None,
        reason="the directory has not told yet where it goes",
        expires_at=None,
    )


def _hop_line(lane: Lane) -> HopLine:
    health, oldest = lane.health, lane.queue.oldest()
    return HopLine(
        customer=lane.hop.customer,
        domain=lane.hop.domain,
        via=lane.hop.via,
        pending=len(lane.queue),
        carrying=lane.carrying,
        oldest=oldest,
        state="held" if lane.held else health.state.value,
        since=health.since,
        next_probe=health.next_probe if health.probing else None,
        reason=health.reason,
        expires_at=lane.first_expiry(),
    )


def _message_line(waiting: "Waiting", lane: Lane | None) -> MessageLine:
    envelope = waiting.live.envelope
    targets = [envelope.plan[index] for index in waiting.targets]
    tried = waiting.live.tried.get(waiting.targets[0])
    return MessageLine(
        id=envelope.id,
        sender=envelope.sender,
        recipients=tuple(target.address for target in targets if isinstance(target, Relay | Outbound)),
        received_at=envelope.received_at,
        size=envelope.size,
        due=waiting.due,
        held=waiting.held,
        rule=waiting.rule,
        last=f"{tried.outcome.code or ''} {tried.outcome.reply}".strip() if tried else "",
        expires_at=lane.expires_at(waiting) if lane else None,
    )
