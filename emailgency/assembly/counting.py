"""What is counted for each customer, and by whom, put together."""

from typing import Any, Protocol

from emailgency.flows.pending.pending_view import PendingView
from emailgency.flows.receiving.receive import Reception
from emailgency.flows.receiving.submit import Submission
from emailgency.flows.relaying.outbound import OutboundFlow
from emailgency.flows.relaying.relay import RelayFlow
from emailgency.servers.periodic import Periodic
from emailgency.store.experience.tallies import Tallies, Tally

MINUTE = 60.0


class Parts(Protocol):
    """Where things happen, and where they are counted."""

    outbound: OutboundFlow
    reception: Reception
    relay: RelayFlow
    submission: Submission
    tallies: Tallies


def counting(parts: Parts, reactor: Any) -> Periodic:
    """From now on; the loop writes it down."""
    tallies, view = parts.tallies, PendingView(parts.relay, parts.outbound)
    parts.reception.accepted = lambda customer: tallies.count(customer, Tally.RECEIVED)
    parts.submission.accepted = lambda customer: tallies.count(customer, Tally.SENT)
    parts.reception.refused = lambda customer: tallies.count(customer, Tally.REFUSED)

    async def write() -> None:
        for customer, pending in view.by_customer().items():
            tallies.level(customer, Tally.PENDING, pending)
        await tallies.write()

    return Periodic(reactor, "writing counts", MINUTE, write)
