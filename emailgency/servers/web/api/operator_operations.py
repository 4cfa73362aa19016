"""Plans, queues, the server and everybody's changes, for operators (rows B11, F7)."""

from typing import Any

from msgspec import UNSET, Struct, UnsetType, defstruct

from emailgency.flows.accounts.audit_lines import line
from emailgency.flows.accounts.main_domains import main_domains
from emailgency.flows.accounts.plans import Plans
from emailgency.flows.pending.pending_view import PendingView
from emailgency.flows.pending.queues import Queue, queues
from emailgency.flows.upkeep.server_state import ServerState, State
from emailgency.model.directory import Plan
from emailgency.rules.plans import COUNTS, DAYS, SIZES, SWITCHES
from emailgency.servers.web.api.domain_operations import AuditLines, AuditQuery
from emailgency.servers.web.api.operation import Call, Caller, Created, Missing, Operation, Who
from emailgency.store.directory.audit import Audit
from emailgency.store.directory.directory import Directory, Gone


class PlanList(Struct, frozen=True, kw_only=True):
    items: list[Plan]


class NewPlan(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Small letters, digits and hyphens. Its limits are those of a plan that says nothing."""

    name: str


_LIMITS = ((*SIZES, *COUNTS, *DAYS), int), (SWITCHES, bool)
PlanChange = defstruct(
    "PlanChange",
    [(name, kind | UnsetType, UNSET) for names, kind in _LIMITS for name in names],
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    namespace={"__doc__": "What is left out stays. Sizes in octets, times in days."},
)


class Queues(Struct, frozen=True, kw_only=True):
    """The one with the oldest mail first."""

    items: list[Queue]


class OperatorOperations:
    def __init__(
        self, directory: Directory, plans: Plans, view: PendingView, server: ServerState, audit: Audit
    ) -> None:
        self._directory = directory
        self._plans = plans
        self._view = view
        self._server = server
        self._audit = audit

    def operations(self) -> list[Operation]:
        same: dict[str, Any] = {"who": Who.OPERATOR, "tag": "Operator"}
        one, all_ = "/operator/plans/<plan>", "/operator/plans"
        return [
            Operation(method="GET", path=all_, deed=self.list_plans, summary="All plans", answer=PlanList, **same),
            Operation(
                method="POST",
                path=all_,
                deed=self.add_plan,
                summary="Make a plan",
                answer=Plan,
                body=NewPlan,
                makes=True,
                **same,
            ),
            Operation(method="GET", path=one, deed=self.show_plan, summary="What a plan allows", answer=Plan, **same),
            Operation(
                method="PATCH",
                path=one,
                deed=self.change_plan,
                summary="Change what is given, for all customers that have it",
                answer=Plan,
                body=PlanChange,
                **same,
            ),
            Operation(method="DELETE", path=one, deed=self.remove_plan, summary="Forget a plan nobody has", **same),
            Operation(
                method="GET",
                path="/operator/queues",
                deed=self.list_queues,
                summary="What waits for whom",
                answer=Queues,
                **same,
            ),
            Operation(
                method="GET",
                path="/operator/server",
                deed=self.show_server,
                summary="How the server itself does",
                answer=State,
                **same,
            ),
            Operation(
                method="GET",
                path="/operator/audit",
                deed=self.list_all_changes,
                summary="Who changed what, of all customers and of the server, the newest first",
                answer=AuditLines,
                query=AuditQuery,
                **same,
            ),
        ]

    async def list_plans(self, caller: Caller, call: Call) -> PlanList:
        return PlanList(items=await self._directory.plans())

    async def add_plan(self, caller: Caller, call: Call) -> Created:
        plan = await self._plans.add(caller.author, call.body.name.strip())
        return Created(plan, f"/operator/plans/{plan.name}")

    async def show_plan(self, caller: Caller, call: Call) -> Plan:
        return await self._plan(call)

    async def change_plan(self, caller: Caller, call: Call) -> Plan:
        plan, names = await self._plan(call), call.body.__struct_fields__
        changes = {name: value for name in names if (value := getattr(call.body, name)) is not UNSET}
        return await self._plans.set(caller.author, plan.name, **changes)

    async def remove_plan(self, caller: Caller, call: Call) -> None:
        await self._plans.remove(caller.author, (await self._plan(call)).name)

    async def list_queues(self, caller: Caller, call: Call) -> Queues:
        return Queues(items=await queues(self._directory, self._view))

    async def show_server(self, caller: Caller, call: Call) -> State:
        return await self._server.now()

    async def list_all_changes(self, caller: Caller, call: Call) -> AuditLines:
        page = await self._audit.page(None, call.query.before, call.query.limit)
        domains = await main_domains(self._directory)
        return AuditLines(items=[line(change, domains) for change in page.changes], next=page.older)

    async def _plan(self, call: Call) -> Plan:
        try:
            return await self._directory.plan(call.path["plan"])
        except Gone:
            raise Missing from None
