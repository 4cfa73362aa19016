"""Is my server up, is mail pending, what needs me: a customer at a glance, for the console and the API (row F2)."""

from msgspec import Struct

from emailgency.flows.domains.own_records import OwnRecords
from emailgency.flows.pending.pending_view import HopLine, PendingView
from emailgency.model.directory import Customer, Mailbox, RelayMode
from emailgency.model.domain_check import DnsChange
from emailgency.rules.contacts import reachable
from emailgency.store.directory.directory import Directory
from emailgency.store.experience.tallies import DAY, HOUR, Bucket, Tallies, Tally

PERIODS = {"day": (HOUR, 24), "month": (DAY, 30)}  # bars of so many seconds, and how many of them


class Glance(Struct, frozen=True, kw_only=True):
    """`server` is "none" when he has none, "held", "idle" before we had anything for it, else the worst state of his
    next hops, and `reason` why. `reachable`: somebody outside would hear that it is down.
    """

    customer: Customer
    server: str
    reason: str
    pending: int
    oldest: float | None
    mailboxes: int
    without_password: int
    reachable: bool
    dns_seen: bool
    dns_troubles: list[DnsChange]


class AtAGlance:
    """Raises Temporary."""

    def __init__(self, directory: Directory, view: PendingView, records: OwnRecords, tallies: Tallies) -> None:
        self._directory = directory
        self._view = view
        self._records = records
        self._tallies = tallies

    async def of(self, id: str) -> Glance:
        customer = await self._directory.customer(id)
        mailboxes = [one for one in await self._directory.entries(id) if isinstance(one, Mailbox)]
        hops = self._view.hops(id)
        return Glance(
            customer=customer,
            server=_server(customer, hops),
            reason=next((hop.reason for hop in hops if hop.state not in ("up", "held")), ""),
            pending=sum(hop.pending + hop.carrying for hop in hops),
            oldest=min((hop.oldest for hop in hops if hop.oldest), default=None),
            mailboxes=len(mailboxes),
            without_password=sum(mailbox.password is None for mailbox in mailboxes),
            reachable=reachable(customer),
            dns_seen=self._records.seen(id),
            dns_troubles=self._records.troubles(id),
        )

    async def counted(self, customer: str, what: Tally, period: str) -> list[Bucket]:
        """`period`: one of PERIODS."""
        span, count = PERIODS[period]
        return await self._tallies.series(customer, what, span, count)


def _server(customer: Customer, hops: list[HopLine]) -> str:
    if customer.relay is RelayMode.NONE:
        return "none"
    if customer.relay is RelayMode.HOLD:
        return "held"
    if not hops:
        return "idle"
    states = [hop.state for hop in hops]
    return next((state for state in ("down", "recovering", "suspect", "held") if state in states), "up")
