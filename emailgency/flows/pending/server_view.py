"""Customers' servers, for people: how each does, what it went through, and what becomes of its mail (rows D1, G8)."""

from collections.abc import Callable

from msgspec import Struct

from emailgency.flows.relaying.incidents import Incidents
from emailgency.flows.relaying.lane import Lane
from emailgency.flows.relaying.relay import RelayFlow
from emailgency.model.incident import Incident, Turn
from emailgency.rules.forecast import full_at


class ServerLine(Struct, frozen=True, kw_only=True):
    """One next hop of a customer. Times are seconds since the epoch."""

    customer: str
    domain: str  # "": the SMTP transport
    state: str
    since: float | None  # None: as long as we know
    reason: str
    next_probe: float | None
    connections: int
    wave: int | None  # messages that may go before more may; None: all
    pending: int


class Forecast(Struct, frozen=True, kw_only=True):
    """If nothing changes. None: no telling; `expires_at` None: nothing expires while an incident is open."""

    oldest: float | None
    expires_at: float | None
    full_at: float | None


class ServerView:
    """Reads what lanes and incidents have. `room`: octets that may still come in."""

    def __init__(
        self, relay: RelayFlow, incidents: Incidents, room: Callable[[], int], clock: Callable[[], float]
    ) -> None:
        self._relay = relay
        self._incidents = incidents
        self._room = room
        self._clock = clock

    def servers(self, customer: str | None = None) -> list[ServerLine]:
        """Of one customer or all; those without pending mail as they were last seen."""
        own = (lane for lane in self._relay.lanes(customer) if not lane.hop.via)
        lines = {(lane.hop.customer, lane.hop.domain): self._line(lane) for lane in own}
        for key in self._incidents.history.hops():
            if key not in lines and customer in (None, key[0]):
                lines[key] = self._last_seen(*key)
        return sorted(lines.values(), key=lambda line: (line.customer, line.domain))

    def turns(self, customer: str) -> list[Turn]:
        """Oldest first, of all his next hops."""
        hops = [hop for hop in self._incidents.history.hops() if hop[0] == customer]
        return sorted((turn for hop in hops for turn in self._incidents.history.turns(*hop)), key=lambda turn: turn.at)

    def incidents(self, customer: str) -> list[Incident]:
        return self._incidents.history.incidents(customer)

    def forecast(self, customer: str) -> Forecast:
        """When the first pending message would expire, and when the disk would be full at the pace of the incident."""
        lanes = list(self._relay.lanes(customer))
        oldest = min((at for lane in lanes if (at := lane.queue.oldest()) is not None), default=None)
        if oldest is None:
            return Forecast(oldest=None, expires_at=None, full_at=None)
        incident = self._incidents.current(customer)
        since = incident.began_at if incident else oldest
        octets = sum(one.live.envelope.size for lane in lanes for one in lane.queue if one.received_at >= since)
        return Forecast(
            oldest=oldest,
            expires_at=min((at for lane in lanes if (at := lane.first_expiry()) is not None), default=None),
            full_at=full_at(self._clock(), self._room(), octets, since),
        )

    def _line(self, lane: Lane) -> ServerLine:
        health = lane.health
        return ServerLine(
            customer=lane.hop.customer,
            domain=lane.hop.domain,
            state="held" if lane.held else health.state.value,
            since=health.since or None,
            reason=health.reason,
            next_probe=health.next_probe if health.probing else None,
            connections=lane.connections,
            wave=lane.guard.gate.wave or None,
            pending=len(lane.queue) + lane.carrying,
        )

    def _last_seen(self, customer: str, domain: str) -> ServerLine:
        turn = self._incidents.history.turns(customer, domain)[-1]
        return ServerLine(
            customer=customer,
            domain=domain,
            state=turn.state,
            since=turn.at,
            reason=turn.reason,
            next_probe=None,
            connections=0,
            wave=None,
            pending=0,
        )
