"""The overview: is my server up, is mail pending, what needs me."""

from emailgency.flows.domains.drift_guard import DriftGuard
from emailgency.flows.pending.pending_view import HopLine, PendingView
from emailgency.model.directory import Customer, Mailbox, RelayMode
from emailgency.rules.contacts import reachable
from emailgency.servers.web.console.charts import Chart, chart
from emailgency.servers.web.console.dns_panel import troubles
from emailgency.servers.web.console.routes import Answer, Asked, Page, Route, Visitor, Who
from emailgency.store.directory.directory import Directory
from emailgency.store.experience.tallies import DAY, HOUR, Tallies, Tally

SHOWN = (Tally.RECEIVED, Tally.PENDING, Tally.REFUSED)
PERIODS = (("day", HOUR, 24), ("month", DAY, 30))


class OverviewPanel:
    def __init__(self, directory: Directory, view: PendingView, guard: DriftGuard, tallies: Tallies) -> None:
        self._directory = directory
        self._view = view
        self._guard = guard
        self._tallies = tallies

    def routes(self) -> list[Route]:
        return [Route("GET", "/overview", Who.ADMINISTRATOR, self.show)]

    async def show(self, visitor: Visitor, asked: Asked) -> Answer:
        customer = await self._directory.customer(visitor.known.customer)
        mailboxes = [one for one in await self._directory.entries(customer.id) if isinstance(one, Mailbox)]
        hops = self._view.hops(customer.id)
        facts = {
            "customer": customer,
            "server": _server(customer, hops),
            "reason": next((hop.reason for hop in hops if hop.state not in ("up", "held")), ""),
            "pending": sum(hop.pending + hop.carrying for hop in hops),
            "oldest": min((hop.oldest for hop in hops if hop.oldest), default=None),
            "dns_troubles": troubles(self._guard, customer.id),
            "dns_seen": bool(self._guard.history.latest(customer.id)),
            "mailboxes": len(mailboxes),
            "without_password": sum(mailbox.password is None for mailbox in mailboxes),
            "reachable": reachable(customer),
            "periods": [
                (name, [(what.value, await self._chart(customer.id, what, span, count)) for what in SHOWN])
                for name, span, count in PERIODS
            ],
        }
        return Page("overview.html", facts)

    async def _chart(self, customer: str, what: Tally, span: int, count: int) -> Chart:
        return chart(await self._tallies.series(customer, what, span, count), span)


def _server(customer: Customer, hops: list[HopLine]) -> str:
    """ "none" when he has no server, "idle" before we have had anything for it, else the worst state of his hops."""
    if customer.relay is RelayMode.NONE:
        return "none"
    if customer.relay is RelayMode.HOLD:
        return "held"
    if not hops:
        return "idle"
    states = [hop.state for hop in hops]
    return next((state for state in ("down", "recovering", "suspect", "held") if state in states), "up")
