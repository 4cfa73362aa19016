"""Settings of the domain, and who changed what (row F2)."""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from emailgency.flows.accounts.audit_lines import Line, line
from emailgency.flows.accounts.domain_settings import DomainSettings
from emailgency.model.directory import Customer, RelayMode
from emailgency.servers.web.api.operation import Call, Caller, Operation, Who
from emailgency.store.directory.audit import Audit
from emailgency.store.directory.directory import Directory


class DomainShape(Struct, frozen=True, kw_only=True):
    """`pending_lifetime` in days; null: the plan's. The first five are the operator's to change. `authentication`: SPF,
    DKIM and DMARC are looked at and mail is sealed. `learn_recipients`: the server is asked which addresses it has.
    `sender_notices`: senders are told, once an incident, that their mail waits.
    """

    domain: str
    domain_aliases: list[str]
    alternate_domain: str
    plan: str
    role: str
    relay: RelayMode
    smtp_transport: str | None
    stealth: bool
    smtp_denied: bool
    banished_refused: bool
    authentication: bool
    learn_recipients: bool
    sender_notices: bool
    pending_lifetime: int | None
    language: str


class DomainChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is left out stays."""

    relay: RelayMode | UnsetType = UNSET
    smtp_transport: str | UnsetType | None = UNSET
    stealth: bool | UnsetType = UNSET
    smtp_denied: bool | UnsetType = UNSET
    banished_refused: bool | UnsetType = UNSET
    authentication: bool | UnsetType = UNSET
    learn_recipients: bool | UnsetType = UNSET
    sender_notices: bool | UnsetType = UNSET
    pending_lifetime: int | UnsetType | None = UNSET
    language: Literal["en", "fr"] | UnsetType = UNSET


class AuditQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    before: Annotated[int | None, Meta(description="What the page before gave as `next`.")] = None
    limit: Annotated[int, Meta(ge=1, le=200)] = 50


class AuditLines(Struct, frozen=True, kw_only=True):
    items: list[Line]
    next: int | None


class DomainOperations:
    def __init__(self, directory: Directory, settings: DomainSettings, audit: Audit) -> None:
        self._directory = directory
        self._settings = settings
        self._audit = audit

    def operations(self) -> list[Operation]:
        same: dict[str, Any] = {"who": Who.ADMINISTRATOR, "tag": "Domain"}
        return [
            Operation(
                method="GET",
                path="/domain",
                deed=self.show_domain,
                summary="The customer and his settings",
                answer=DomainShape,
                **same,
            ),
            Operation(
                method="PATCH",
                path="/domain",
                deed=self.change_domain,
                summary="Change what is given, keep the rest",
                answer=DomainShape,
                body=DomainChange,
                **same,
            ),
            Operation(
                method="GET",
                path="/audit",
                deed=self.list_changes,
                summary="Who changed what, from where, the newest first",
                answer=AuditLines,
                query=AuditQuery,
                **same,
            ),
        ]

    async def show_domain(self, caller: Caller, call: Call) -> DomainShape:
        return _shape(await self._directory.customer(caller.customer))

    async def change_domain(self, caller: Caller, call: Call) -> DomainShape:
        fields = DomainChange.__struct_fields__
        changes = {name: value for name in fields if (value := getattr(call.body, name)) is not UNSET}
        return _shape(await self._settings.set(caller.author, caller.customer, **changes))

    async def list_changes(self, caller: Caller, call: Call) -> AuditLines:
        page = await self._audit.page(caller.customer, call.query.before, call.query.limit)
        return AuditLines(
            items=[line(change, {caller.customer: caller.domain}) for change in page.changes], next=page.older
        )


def _shape(customer: Customer) -> DomainShape:
    return DomainShape(
        domain=customer.domain,
        domain_aliases=list(customer.domain_aliases),
        alternate_domain=customer.alternate_domain,
        plan=customer.plan,
        role=customer.role.value,
        relay=customer.relay,
        smtp_transport=customer.smtp_transport,
        stealth=customer.stealth,
        smtp_denied=customer.smtp_denied,
        banished_refused=customer.banished_refused,
        authentication=customer.authentication,
        learn_recipients=customer.learn_recipients,
        sender_notices=customer.sender_notices,
        pending_lifetime=customer.pending_lifetime,
        language=customer.language,
    )
