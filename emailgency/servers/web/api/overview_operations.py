"""Is my server up, is mail pending, what needs me; and the numbers behind the charts (row F2)."""

from typing import Any, Literal

from msgspec import Struct

from emailgency.flows.pending.at_a_glance import PERIODS, AtAGlance
from emailgency.servers.web.api.dns_operations import ChangeShape, change
from emailgency.servers.web.api.operation import Call, Caller, Operation, Who
from emailgency.store.experience.tallies import Bucket, Tally


class OverviewShape(Struct, frozen=True, kw_only=True):
    """`server`: none (he has none), held, idle (nothing to do yet), up, suspect, recovering or down, and `reason` why.
    `oldest`: when the oldest pending message came. `reachable`: a contact outside would hear that the server is down.
    """

    server: str
    reason: str
    pending: int
    oldest: float | None
    mailboxes: int
    without_password: int
    reachable: bool
    dns_troubles: list[ChangeShape]


class ChartQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    period: Literal["day", "month"] = "day"


class ChartShape(Struct, frozen=True, kw_only=True):
    """`bars` of `span` seconds; `at` is where each begins."""

    what: Tally
    span: int
    bars: list[Bucket]


class Charts(Struct, frozen=True, kw_only=True):
    items: list[ChartShape]


class OverviewOperations:
    def __init__(self, glance: AtAGlance) -> None:
        self._glance = glance

    def operations(self) -> list[Operation]:
        same: dict[str, Any] = {"who": Who.ADMINISTRATOR, "tag": "Overview", "method": "GET"}
        return [
            Operation(
                path="/overview",
                deed=self.show_overview,
                summary="The customer at a glance",
                answer=OverviewShape,
                **same,
            ),
            Operation(
                path="/charts",
                deed=self.show_charts,
                summary="How much mail, by the hour of a day or the day of a month; pending: the most at once",
                answer=Charts,
                query=ChartQuery,
                **same,
            ),
        ]

    async def show_overview(self, caller: Caller, call: Call) -> OverviewShape:
        glance = await self._glance.of(caller.customer)
        return OverviewShape(
            server=glance.server,
            reason=glance.reason,
            pending=glance.pending,
            oldest=glance.oldest,
            mailboxes=glance.mailboxes,
            without_password=glance.without_password,
            reachable=glance.reachable,
            dns_troubles=[change(one) for one in glance.dns_troubles],
        )

    async def show_charts(self, caller: Caller, call: Call) -> Charts:
        period = call.query.period
        items = [
            ChartShape(
                what=what,
                span=PERIODS[period][0],
                bars=await self._glance.counted(caller.customer, what, period),
            )
            for what in Tally
        ]
        return Charts(items=items)
