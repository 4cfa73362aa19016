"""What waits for whom, of all customers: for operators (row F7)."""

from msgspec import Struct

from emailgency.flows.accounts.main_domains import main_domains
from emailgency.flows.pending.pending_view import HopLine, PendingView
from emailgency.store.directory.directory import Directory


class Queue(Struct, frozen=True, kw_only=True):
    """`domain` of the customer; "": mail to the rest of the world."""

    domain: str
    hop: HopLine


async def queues(directory: Directory, view: PendingView) -> list[Queue]:
    """The one with the oldest mail first. A customer who has gone is told by his id."""
    domains = await main_domains(directory)
    return [Queue(domain=domains.get(hop.customer, hop.customer), hop=hop) for hop in view.hops()]
