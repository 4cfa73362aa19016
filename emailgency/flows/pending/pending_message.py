"""One pending message for whoever has it in hand: its text, and how each of its recipients fares (row D1)."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from msgspec import Struct

from emailgency.codec.mime.letter import Letter
from emailgency.flows.pending.pending_letters import PendingLetters
from emailgency.model.envelope import Envelope, Outbound, Relay
from emailgency.model.errors import Invalid

if TYPE_CHECKING:
    from emailgency.flows.relaying.lane import Lane
    from emailgency.flows.relaying.outbound import OutboundFlow
    from emailgency.flows.relaying.relay import RelayFlow
    from emailgency.store.spool.live import Live
    from emailgency.store.spool.pending import Waiting
    from emailgency.store.spool.spool import Spool


class RecipientLine(Struct, frozen=True, kw_only=True):
    """One remote recipient. Times are seconds since the epoch."""

    address: str
    state: str  # "waiting", "held", "on its way", "settled"; "unknown": the directory has not told where it goes
    next_hop: str  # a domain; "": the SMTP transport, or nothing waits
    due: float | None  # None: at once, or not before it is released
    tried_at: float | None
    rule: str  # id of the rule that holds it; "": none does
    said: str  # the remote's own words at the last attempt
    remote: str  # who said them


class PendingMessage(Struct, frozen=True, kw_only=True):
    """`outbound`: some of it goes to other servers than the customer's: a forward, or mail that a user sent."""

    envelope: Envelope
    letter: Letter
    recipients: tuple[RecipientLine, ...]
    expires_at: float | None  # the first of it, if nothing changes
    outbound: bool

    @property
    def held(self) -> bool:
        return any(line.state == "held" for line in self.recipients)

    @property
    def all_held(self) -> bool:
        return all(line.state == "held" for line in self.recipients if line.state != "settled")


class PendingMessages:
    """Reads what the lanes have; nothing is changed."""

    def __init__(self, relay: "RelayFlow", outbound: "OutboundFlow", spool: "Spool", letters: PendingLetters) -> None:
        self._relay = relay
        self._outbound = outbound
        self._spool = spool
        self._letters = letters

    async def of(self, customer: str, id: str) -> PendingMessage:
        """Raises Invalid when no message of this customer is pending under that id: another's is as unknown as none.

        Of what one customer's user sends to another's, each sees his own recipients: the rest may be secret (Bcc).
        """
        live = self.owned(customer, id)
        envelope, letter = await self._letters.look(id)
        places = {index: place for place in self._places(live) for index in place[0].targets}
        lines = []
        for index, target in enumerate(envelope.plan):
            if isinstance(target, Relay | Outbound) and target.customer == customer:
                lines.append(_line(live, index, target.address, places.get(index)))
        times = [lane.expires_at(one) for one, lane in places.values() if lane]
        return PendingMessage(
            envelope=envelope,
            letter=letter,
            recipients=tuple(lines),
            expires_at=min((at for at in times if at is not None), default=None),
            outbound=any(isinstance(target, Outbound) for target in _remote(live)),
        )

    def owned(self, customer: str | None, id: str) -> "Live":
        """Raises Invalid as `of` does; None: it may be anybody's."""
        live = self._spool.live.get(id)
        waiting = _remote(live) if live else []
        if live is None or not waiting or any(target.customer != (customer or target.customer) for target in waiting):
            raise Invalid("no message %(id)s is pending", id=id)
        return live

    def _places(self, live: "Live") -> "Iterator[tuple[Waiting, Lane | None]]":
        for customer in {target.customer for target in _remote(live)}:
            for lane in self._relay.lanes(customer):
                yield from ((one, lane) for one in lane.queue if one.live is live)
            yield from ((one, None) for one in self._relay.homeless.get(customer, ()) if one.live is live)
        for lane in self._outbound.lanes():
            yield from ((one, lane) for one in lane.queue if one.live is live)


def _remote(live: "Live") -> list[Relay | Outbound]:
    plan = live.envelope.plan
    return [target for index in live.remaining if isinstance(target := plan[index], Relay | Outbound)]


def _line(live: "Live", index: int, address: str, place: "tuple[Waiting, Lane | None] | None") -> RecipientLine:
    tried = live.tried.get(index)
    if index not in live.remaining:
        state = "settled"
    elif place is None:
        state = "on its way"
    elif place[0].held:
        state = "held"
    else:
        state = "waiting" if place[1] else "unknown"
    outcome = tried.outcome if tried else None
    return RecipientLine(
        address=address,
        state=state,
        next_hop=place[1].hop.domain if place and place[1] else "",
        due=place[0].due or None if place and not place[0].held else None,
        rule=place[0].rule if place else "",
        tried_at=tried.at if tried else None,
        said=f"{outcome.code or ''} {outcome.reply}".strip() if outcome else "",
        remote=outcome.remote if outcome else "",
    )
