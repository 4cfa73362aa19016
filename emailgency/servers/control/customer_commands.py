"""`customer add|list|show|set|remove`."""

from typing import Any

from msgspec import UNSET, Struct, UnsetType

from emailgency.flows.accounts.customer_accounts import CustomerAccounts
from emailgency.flows.accounts.domain_claims import DomainClaims
from emailgency.flows.accounts.drop_pending import DropPending
from emailgency.flows.addresses.forget_mail import ForgetMail
from emailgency.flows.pending.pending_view import PendingView
from emailgency.flows.relaying.transport_check import TransportCheck
from emailgency.model.directory import Alias, Banished, Customer, DistributionList, Mailbox, RelayMode, Role
from emailgency.model.errors import Invalid
from emailgency.servers.control.command import Asker, Command, Commands, Nothing
from emailgency.store.directory.directory import Directory


class AddCustomer(Struct, frozen=True, forbid_unknown_fields=True):
    domain: str
    plan: str = "standard"
    role: Role = Role.BACKUP
    relay: RelayMode = RelayMode.ON
    smtp_transport: str | None = None
    domain_alias: tuple[str, ...] = ()
    pending_lifetime: int | None = None  # days
    proven: bool = False  # refuse unless the DNS shows that whoever asks for it has the domain


class SetCustomer(Struct, frozen=True, forbid_unknown_fields=True):
    """What is left out stays. Empty texts and 0 take a value away."""

    customer: str
    plan: str | UnsetType = UNSET
    role: Role | UnsetType = UNSET
    relay: RelayMode | UnsetType = UNSET
    smtp_transport: str | UnsetType = UNSET
    domain_alias: tuple[str, ...] | UnsetType = UNSET
    pending_lifetime: int | UnsetType = UNSET
    stealth: bool | UnsetType = UNSET
    smtp_denied: bool | UnsetType = UNSET
    banished_refused: bool | UnsetType = UNSET
    authentication: bool | UnsetType = UNSET
    second_factor_required: bool | UnsetType = UNSET
    learn_recipients: bool | UnsetType = UNSET
    sender_notices: bool | UnsetType = UNSET
    suspended: bool | UnsetType = UNSET


class RemoveCustomer(Struct, frozen=True, forbid_unknown_fields=True):
    customer: str
    drop_pending: bool = False


class NamedCustomer(Struct, frozen=True, forbid_unknown_fields=True):
    customer: str


class CustomerCommands:
    def __init__(
        self,
        directory: Directory,
        accounts: CustomerAccounts,
        transports: TransportCheck,
        view: PendingView,
        drop_pending: DropPending,
        forget_mail: ForgetMail,
        claims: DomainClaims,
    ) -> None:
        self._claims = claims
        self._directory = directory
        self._accounts = accounts
        self._transports = transports
        self._view = view
        self._drop_pending = drop_pending
        self._forget_mail = forget_mail

    def table(self) -> Commands:
        return {
            "customer add": Command(AddCustomer, self.add),
            "customer list": Command(Nothing, self.list),
            "customer show": Command(NamedCustomer, self.show),
            "customer set": Command(SetCustomer, self.set),
            "customer remove": Command(RemoveCustomer, self.remove),
        }

    async def add(self, asked: AddCustomer, asker: Asker) -> object:
        if asked.smtp_transport:
            await self._transports.check(asked.smtp_transport)
        if asked.proven:
            await self._claims.require(asked.domain)
        customer = await self._accounts.add(
            asker.author,
            asked.domain,
            plan=asked.plan,
            role=asked.role,
            relay=asked.relay,
            smtp_transport=asked.smtp_transport or None,
            domain_aliases=asked.domain_alias,
            pending_lifetime=asked.pending_lifetime or None,
        )
        return _fields(customer)

    async def list(self, nothing: Nothing, asker: Asker) -> object:
        pending = self._view.by_customer()
        return [
            {
                "domain": customer.domain,
                "alternate_domain": customer.alternate_domain,
                "plan": customer.plan,
                "role": customer.role,
                "relay": customer.relay,
                "stealth": customer.stealth,
                "pending": pending.get(customer.id, 0),
            }
            for customer in await self._directory.customers()
        ]

    async def show(self, asked: NamedCustomer, asker: Asker) -> object:
        customer = await self._accounts.find(asked.customer)
        counts = dict.fromkeys(COUNTED.values(), 0)
        for entry in await self._directory.entries(customer.id):
            counts[COUNTED[type(entry)]] += 1
        pending = sum(hop.pending + hop.carrying for hop in self._view.hops(customer.id))
        return _fields(customer) | counts | {"pending": pending}

    async def set(self, asked: SetCustomer, asker: Asker) -> object:
        customer = await self._accounts.find(asked.customer)
        changes: dict[str, Any] = {
            name: getattr(asked, name)
            for name in (
                "plan",
                "role",
                "relay",
                "learn_recipients",
                "sender_notices",
                "stealth",
                "smtp_denied",
                "banished_refused",
                "authentication",
                "second_factor_required",
                "suspended",
            )
            if getattr(asked, name) is not UNSET
        }
        if asked.smtp_transport is not UNSET:
            changes["smtp_transport"] = asked.smtp_transport or None
            if asked.smtp_transport:
                await self._transports.check(asked.smtp_transport)
        if asked.pending_lifetime is not UNSET:
            changes["pending_lifetime"] = asked.pending_lifetime or None
        if asked.domain_alias is not UNSET:
            changes["domain_aliases"] = tuple(filter(None, asked.domain_alias))
        return _fields(await self._accounts.set(asker.author, customer.id, **changes))

    async def remove(self, asked: RemoveCustomer, asker: Asker) -> object:
        """A crash between the parts leaves mail of a customer who is none: it goes by his id, once more."""
        try:
            customer = await self._accounts.find(asked.customer)
        except Invalid:
            if not (asked.drop_pending and self._drop_pending.left_behind(asked.customer)):
                raise
            dropped = await self._drop_pending.drop(asked.customer)
            await self._forget_mail.of_customer(asked.customer)
            return {"domain": asked.customer, "id": asked.customer, "dropped": dropped}
        if not asked.drop_pending:
            self._drop_pending.check_none(customer.id)
        await self._accounts.remove(asker.author, customer.id)
        dropped = await self._drop_pending.drop(customer.id)
        await self._forget_mail.of_customer(customer.id)
        return _fields(customer) | {"dropped": dropped}


COUNTED: dict[type, str] = {
    Mailbox: "mailboxes",
    Alias: "aliases",
    DistributionList: "distribution_lists",
    Banished: "banished",
}


def _fields(customer: Customer) -> dict[str, Any]:
    return {
        "domain": customer.domain,
        "alternate_domain": customer.alternate_domain,
        "id": customer.id,
        "plan": customer.plan,
        "role": customer.role,
        "relay": customer.relay,
        "smtp_transport": customer.smtp_transport,
        "domain_aliases": customer.domain_aliases,
        "pending_lifetime": customer.pending_lifetime,
        "learn_recipients": customer.learn_recipients,
        "sender_notices": customer.sender_notices,
        "stealth": customer.stealth,
        "smtp_denied": customer.smtp_denied,
        "banished_refused": customer.banished_refused,
        "authentication": customer.authentication,
        "second_factor_required": customer.second_factor_required,
        "suspended": customer.suspended,
    }
