"""What is done to one pending message by hand, put together: for the console and the command line."""

from collections.abc import Callable
from typing import Any, Protocol

from emailgency.flows.pending.keep_here import KeepHere
from emailgency.flows.pending.pending_in_hand import PendingInHand
from emailgency.flows.pending.pending_pick import PendingPick
from emailgency.flows.relaying.bounce import Bounces
from emailgency.flows.relaying.means import Means
from emailgency.flows.relaying.outbound import OutboundFlow
from emailgency.flows.relaying.relay import RelayFlow
from emailgency.flows.relaying.reroute import Reroute
from emailgency.store.spool.spool import Spool


class Parts(Protocol):
    """What it rests on."""

    bounces: Bounces
    clock: Callable[[], float]
    means: Means
    outbound: OutboundFlow
    relay: RelayFlow
    spool: Spool


def pending_in_hand(parts: Parts, reactor: Any) -> PendingInHand:
    spool, clock = parts.spool, parts.clock
    pick = PendingPick(parts.relay, parts.outbound, spool)
    keep_here, reroute = KeepHere(reactor, spool, clock), Reroute(reactor, spool, clock)
    return PendingInHand(pick, spool, parts.bounces, keep_here, reroute, parts.means.attempts, clock)
