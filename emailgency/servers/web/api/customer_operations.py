"""Customers, for operators (rows A8, D4, F7)."""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from emailgency.flows.accounts.customer_accounts import CustomerAccounts
from emailgency.flows.pending.pending_view import PendingView
from emailgency.flows.relaying.incidents import Incidents
from emailgency.flows.relaying.transport_check import TransportCheck
from emailgency.model.directory import Alias, Banished, Customer, DistributionList, Mailbox, RelayMode, Role
from emailgency.rules.contacts import reachable
from emailgency.servers.web.api.operation import Call, Caller, Created, Missing, Operation, Paging, Who, cut
from emailgency.store.directory.directory import Directory, Gone


class CustomerShape(Struct, frozen=True, kw_only=True):
    """`pending_lifetime` in days; null: the plan's. `suspended`: nobody logs in or sends."""

    id: str
    domain: str
    domain_aliases: list[str]
    alternate_domain: str
    plan: str
    role: Role
    relay: RelayMode
    smtp_transport: str | None
    pending_lifetime: int | None
    language: str
    suspended: bool
    smtp_denied: bool
    pending: int
    incident: bool


class CustomerPage(Struct, frozen=True, kw_only=True):
    items: list[CustomerShape]
    next: str | None


class CustomerWhole(Struct, frozen=True, kw_only=True):
    """With how many addresses of each kind he has. `reachable`: somebody outside would hear that his server is down."""

    customer: CustomerShape
    mailboxes: int
    aliases: int
    lists: int
    banished: int
    reachable: bool


class NewCustomer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    domain: str
    plan: str = "standard"


class CustomerChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is left out stays."""

    plan: str | UnsetType = UNSET
    role: Role | UnsetType = UNSET
    relay: RelayMode | UnsetType = UNSET
    smtp_transport: str | UnsetType | None = UNSET
    domain_aliases: Annotated[list[str], Meta(max_length=1000)] | UnsetType = UNSET
    pending_lifetime: int | UnsetType | None = UNSET
    language: Literal["en", "fr"] | UnsetType = UNSET
    suspended: bool | UnsetType = UNSET
    smtp_denied: bool | UnsetType = UNSET


class CustomerOperations:
    def __init__(
        self,
        directory: Directory,
        accounts: CustomerAccounts,
        transports: TransportCheck,
        view: PendingView,
        incidents: Incidents,
    ) -> None:
        self._directory = directory
        self._accounts = accounts
        self._transports = transports
        self._view = view
        self._incidents = incidents

    def operations(self) -> list[Operation]:
        same: dict[str, Any] = {"who": Who.OPERATOR, "tag": "Operator"}
        one, all_ = "/operator/customers/<id>", "/operator/customers"
        return [
            Operation(
                method="GET",
                path=all_,
                deed=self.list_customers,
                summary="All customers",
                answer=CustomerPage,
                query=Paging,
                **same,
            ),
            Operation(
                method="POST",
                path=all_,
                deed=self.add_customer,
                summary="A customer, with the mailbox postmaster",
                answer=CustomerShape,
                body=NewCustomer,
                makes=True,
                **same,
            ),
            Operation(
                method="GET",
                path=one,
                deed=self.show_customer,
                summary="One customer",
                answer=CustomerWhole,
                **same,
            ),
            Operation(
                method="PATCH",
                path=one,
                deed=self.change_customer,
                summary="Change what is given, keep the rest",
                answer=CustomerShape,
                body=CustomerChange,
                **same,
            ),
        ]

    async def list_customers(self, caller: Caller, call: Call) -> CustomerPage:
        rows, more = cut(await self._directory.customers(), lambda one: one.domain, call.query)
        pending, ill = self._view.by_customer(), self._incidents.ongoing()
        return CustomerPage(items=[_shape(one, pending.get(one.id, 0), one.id in ill) for one in rows], next=more)

    async def add_customer(self, caller: Caller, call: Call) -> Created:
        customer = await self._accounts.add(caller.author, call.body.domain.strip(), plan=call.body.plan)
        return Created(_shape(customer, 0, False), f"/operator/customers/{customer.id}")

    async def show_customer(self, caller: Caller, call: Call) -> CustomerWhole:
        customer = await self._customer(call)
        entries = await self._directory.entries(customer.id)
        return CustomerWhole(
            customer=self._shape(customer),
            mailboxes=sum(isinstance(one, Mailbox) for one in entries),
            aliases=sum(isinstance(one, Alias) for one in entries),
            lists=sum(isinstance(one, DistributionList) for one in entries),
            banished=sum(isinstance(one, Banished) for one in entries),
            reachable=reachable(customer),
        )

    async def change_customer(self, caller: Caller, call: Call) -> CustomerShape:
        fields = CustomerChange.__struct_fields__
        changes = {name: value for name in fields if (value := getattr(call.body, name)) is not UNSET}
        if "domain_aliases" in changes:
            changes["domain_aliases"] = tuple(changes["domain_aliases"])
        customer = await self._customer(call)
        if transport := changes.get("smtp_transport"):
            await self._transports.check(transport)
        return self._shape(await self._accounts.set(caller.author, customer.id, **changes))

    async def _customer(self, call: Call) -> Customer:
        try:
            return await self._directory.customer(call.path["id"])
        except Gone:
            raise Missing from None

    def _shape(self, customer: Customer) -> CustomerShape:
        pending = sum(hop.pending + hop.carrying for hop in self._view.hops(customer.id))
        return _shape(customer, pending, self._incidents.current(customer.id) is not None)


def _shape(customer: Customer, pending: int, incident: bool) -> CustomerShape:
    return CustomerShape(
        id=customer.id,
        domain=customer.domain,
        domain_aliases=list(customer.domain_aliases),
        alternate_domain=customer.alternate_domain,
        plan=customer.plan,
        role=customer.role,
        relay=customer.relay,
        smtp_transport=customer.smtp_transport,
        pending_lifetime=customer.pending_lifetime,
        language=customer.language,
        suspended=customer.suspended,
        smtp_denied=customer.smtp_denied,
        pending=pending,
        incident=incident,
    )
