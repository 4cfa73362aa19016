"""The overview: is my server up, is mail pending, what needs me."""

from msgspec.structs import asdict

from emailgency.flows.pending.at_a_glance import PERIODS, AtAGlance
from emailgency.servers.web.console.charts import Chart, chart
from emailgency.servers.web.console.routes import Answer, Asked, Page, Route, Visitor, Who
from emailgency.store.experience.tallies import Tally

SHOWN = (Tally.RECEIVED, Tally.PENDING, Tally.REFUSED)


class OverviewPanel:
    def __init__(self, glance: AtAGlance) -> None:
        self._glance = glance

    def routes(self) -> list[Route]:
        return [Route("GET", "/overview", Who.ADMINISTRATOR, self.show)]

    async def show(self, visitor: Visitor, asked: Asked) -> Answer:
        customer = visitor.known.customer
        periods = [
            (name, [(what.value, await self._chart(customer, what, name)) for what in SHOWN]) for name in PERIODS
        ]
        return Page("overview.html", {**asdict(await self._glance.of(customer)), "periods": periods})

    async def _chart(self, customer: str, what: Tally, period: str) -> Chart:
        return chart(await self._glance.counted(customer, what, period), PERIODS[period][0])
