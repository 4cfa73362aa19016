"""Customers come, change and go (rows A8, A9, B13, D4, F7)."""

import secrets
from base64 import b32encode
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from emailgency.codec.address import parse_domain
from emailgency.flows.addresses.deciding import check_plan, entry_edits
from emailgency.model.address import Address
from emailgency.model.directory import LANGUAGES, Customer, Domain, DomainKind, Mailbox, Plan, RelayMode, Role
from emailgency.model.errors import Invalid
from emailgency.rules.labels import labels
from emailgency.rules.next_hop import parse_transport
from emailgency.rules.routing import POSTMASTER
from emailgency.store.directory.changes import Author, Edit, edit
from emailgency.store.directory.directory import Directory, Gone

CHANGEABLE = frozenset(
    {
        "domain_aliases",
        "plan",
        "role",
        "relay",
        "smtp_transport",
        "stealth",
        "smtp_denied",
        "banished_refused",
        "authentication",
        "learn_recipients",
        "holds",
        "sender_notices",
        "pending_lifetime",
        "language",
        "suspended",
        "contacts",
        "second_factor_required",
    }
)


class OperatorLimits(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the operator lets all customers together, and each of them, have; plans say the rest."""

    customers: Annotated[int, Meta(ge=1, description="Most customers on this installation.")] = 10_000
    domain_aliases: Annotated[int, Meta(ge=0, description="Most domain aliases of one customer.")] = 50
    list_members: Annotated[int, Meta(ge=1, description="Most members of one distribution list.")] = 1000
    forwards: Annotated[int, Meta(ge=0, description="Most addresses one mailbox forwards to.")] = 20
    aliases: Annotated[int, Meta(ge=0, description="Most aliases of one mailbox.")] = 100


class CustomerAccounts:
    """All methods raise Invalid (in words for who asked) and Temporary; what they return is on stable storage."""

    def __init__(self, directory: Directory, service_domain: str, limits: OperatorLimits) -> None:
        self._directory = directory
        self._service_domain = parse_domain(service_domain)
        self._limits = limits

    async def add(
        self,
        author: Author,
        domain: str,
        *,
        plan: str = "standard",
        role: Role = Role.BACKUP,
        relay: RelayMode = RelayMode.ON,
        smtp_transport: str | None = None,
        domain_aliases: tuple[str, ...] = (),
        pending_lifetime: int | None = None,
    ) -> Customer:
        """With the mailbox postmaster@, which has the administrator right and no password yet (row B13)."""
        async with self._directory.deciding:
            if len(await self._directory.customers()) >= self._limits.customers:
                raise Invalid("this installation has room for %(count)s customers", count=self._limits.customers)
            customer = Customer(
                id=new_id(),
                domain=await self._free(domain),
                alternate_domain="",
                domain_aliases=await self._free_aliases(domain_aliases),
                plan=plan,
                role=role,
                relay=relay,
                smtp_transport=smtp_transport,
                pending_lifetime=pending_lifetime,
            )
            await self._check(customer)
            alternate = await self._alternate_domain(customer.domain)
            customer = msgspec.structs.replace(customer, alternate_domain=alternate)
            postmaster = Mailbox(
                id=new_id(), customer=customer.id, address=Address(POSTMASTER, customer.domain), administrator=True
            )
            edits = [edit("customer", customer.id, None, customer), *entry_edits(None, postmaster)]
            edits += [edit("domain", row.name, None, row) for row in _domains(customer)]
            await self._directory.change(author, f"customer {customer.domain} added", edits, customer.id)
        return customer

    async def set(self, author: Author, id: str, *, what: str = "", **changes: Any) -> Customer:
        """Change fields named in CHANGEABLE, keep the others. `what` is for the audit log."""
        unknown = changes.keys() - CHANGEABLE
        if unknown:
            raise Invalid("%(unknown)s of a customer cannot be changed", unknown=", ".join(sorted(unknown)))
        async with self._directory.deciding:
            return await self._change(author, await self.get(id), what, changes)

    async def add_domain_alias(self, author: Author, id: str, domain: str, why: str) -> Customer:
        """One more; `why` it is his, for the audit log."""
        async with self._directory.deciding:
            before = await self.get(id)
            aliases = (*before.domain_aliases, domain)
            what = f"domain alias {domain} of {before.domain} added, {why}"
            return await self._change(author, before, what, {"domain_aliases": aliases})

    async def remove_domain_alias(self, author: Author, id: str, domain: str) -> Customer:
        async with self._directory.deciding:
            before = await self.get(id)
            if domain not in before.domain_aliases:
                raise Invalid("%(domain)s is no domain alias of %(customer)s", domain=domain, customer=before.domain)
            aliases = tuple(name for name in before.domain_aliases if name != domain)
            what = f"domain alias {domain} of {before.domain} removed"
            return await self._change(author, before, what, {"domain_aliases": aliases})

    async def _change(self, author: Author, before: Customer, what: str, changes: dict[str, Any]) -> Customer:
        if "domain_aliases" in changes:
            changes["domain_aliases"] = await self._free_aliases(changes["domain_aliases"], before.id)
        after = msgspec.structs.replace(before, **changes)
        await self._check(after, check_entries=after.plan != before.plan)
        edits = [edit("customer", before.id, before, after), *_domain_edits(before, after)]
        await self._directory.change(author, what or f"customer {after.domain} changed", edits, before.id)
        return after

    async def remove(self, author: Author, id: str) -> Customer:
        """Forget the customer and all his addresses; his files are the caller's to remove, afterwards."""
        async with self._directory.deciding:
            customer = await self.get(id)
            edits = [edit("customer", id, customer, None)]
            edits += [edit("domain", row.name, row, None) for row in _domains(customer)]
            for entry in await self._directory.entries(id):
                edits += entry_edits(entry, None)
            await self._directory.change(author, f"customer {customer.domain} removed", edits, id)
        return customer

    async def get(self, id: str) -> Customer:
        try:
            return await self._directory.customer(id)
        except Gone:
            raise Invalid("there is no customer %(id)s", id=id) from None

    async def find(self, name: str) -> Customer:
        """By any of his domains, or by his id."""
        try:
            domain = await self._directory.domain(parse_domain(name))
        except Invalid:
            domain = None
        return await self.get(domain.customer if domain else name)

    async def _check(self, customer: Customer, check_entries: bool = False) -> None:
        try:
            plan = await self._directory.plan(customer.plan)
        except Gone:
            known = ", ".join(plan.name for plan in await self._directory.plans())
            raise Invalid("there is no plan %(plan)s; known are %(known)s", plan=customer.plan, known=known) from None
        _check_against(plan, customer)
        if check_entries:
            check_plan(plan, await self._directory.entries(customer.id))

    async def _free(self, text: str, customer: str = "") -> str:
        """The canonical name of a domain that is nobody's, or this customer's already."""
        name = parse_domain(text)
        if name == self._service_domain or name.endswith(f".{self._service_domain}"):
            raise Invalid("%(name)s belongs to the service itself", name=name)
        owned = await self._directory.domain(name)
        if owned is not None and (owned.customer != customer or owned.kind is not DomainKind.ALIAS):
            raise Invalid("the domain %(name)s is here already", name=name)
        return name

    async def _free_aliases(self, names: tuple[str, ...], customer: str = "") -> tuple[str, ...]:
        if len(names) > self._limits.domain_aliases:
            raise Invalid("a customer has at most %(count)s domain aliases", count=self._limits.domain_aliases)
        aliases = tuple([await self._free(name, customer) for name in names])
        if len(set(aliases)) != len(aliases):
            raise Invalid("the same domain alias is given twice")
        return aliases

    async def _alternate_domain(self, domain: str) -> str:
        """Row A9: the first label that nobody has."""
        for label in labels(domain):
            name = f"{label}.{self._service_domain}"
            if await self._directory.domain(name) is None:
                return name
        raise AssertionError("labels never end")


def new_id() -> str:
    """130 random bits as 26 characters a-z2-7: safe as a name of a folder and as a part of a key."""
    return b32encode(secrets.token_bytes(17)).decode("ascii")[:26].lower()


def _check_against(plan: Plan, customer: Customer) -> None:
    if customer.role is Role.PRIMARY and not plan.primary:
        raise Invalid("the plan %(name)s does not allow the role primary", name=plan.name)
    if customer.domain in customer.domain_aliases:
        raise Invalid("%(domain)s is the main domain, it cannot be an alias of itself", domain=customer.domain)
    if customer.pending_lifetime is not None and not 1 <= customer.pending_lifetime <= 365:
        raise Invalid("pending mail lives from 1 to 365 days")
    if customer.language not in LANGUAGES:
        raise Invalid("the languages are %(languages)s", languages=", ".join(LANGUAGES))
    if customer.smtp_transport is not None:
        parse_transport(customer.smtp_transport)


def _domains(customer: Customer) -> list[Domain]:
    return [
        Domain(customer.domain, customer.id, DomainKind.MAIN),
        Domain(customer.alternate_domain, customer.id, DomainKind.ALTERNATE),
        *(Domain(name, customer.id, DomainKind.ALIAS) for name in customer.domain_aliases),
    ]


def _domain_edits(before: Customer, after: Customer) -> list[Edit]:
    old, new = set(before.domain_aliases), set(after.domain_aliases)
    return [
        *(edit("domain", name, Domain(name, before.id, DomainKind.ALIAS), None) for name in sorted(old - new)),
        *(edit("domain", name, None, Domain(name, after.id, DomainKind.ALIAS)) for name in sorted(new - old)),
    ]
