"""The operator's panel Customers: all of them, one of them, and looking after one as his administrator (row F7)."""

from typing import Any

from msgspec import Struct

from emailgency.flows.accounts.customer_accounts import CustomerAccounts
from emailgency.flows.pending.pending_view import PendingView
from emailgency.flows.relaying.incidents import Incidents
from emailgency.flows.relaying.transport_check import TransportCheck
from emailgency.model.address import Address
from emailgency.model.directory import (
    LANGUAGES,
    OPERATOR,
    Alias,
    Banished,
    Customer,
    DistributionList,
    Mailbox,
    RelayMode,
    Role,
)
from emailgency.model.errors import Invalid
from emailgency.rules.contacts import reachable
from emailgency.servers.web.console.listing import listed
from emailgency.servers.web.console.routes import Answer, Asked, Away, Page, Route, Visitor, Who
from emailgency.store.directory.directory import Directory
from emailgency.store.logins.web_sessions import WebSessions

_KINDS = {"mailboxes": Mailbox, "aliases": Alias, "lists": DistributionList, "banished": Banished}


class Row(Struct, frozen=True):
    """`pending` messages wait for his server; `incident`: it is down, or what waited is not given back yet."""

    customer: Customer
    pending: int
    incident: bool


class OperatorCustomersPanel:
    def __init__(
        self,
        directory: Directory,
        accounts: CustomerAccounts,
        transports: TransportCheck,
        view: PendingView,
        incidents: Incidents,
        sessions: WebSessions,
    ) -> None:
        self._directory = directory
        self._accounts = accounts
        self._transports = transports
        self._view = view
        self._incidents = incidents
        self._sessions = sessions

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/operator", Who.OPERATOR, self.show),
            Route("POST", "/operator/customers/add", Who.OPERATOR, self.add),
            Route("GET", "/operator/customers/<customer>", Who.OPERATOR, self.show_one),
            Route("POST", "/operator/customers/<customer>", Who.OPERATOR, self.save),
            Route("POST", "/operator/customers/<customer>/enter", Who.OPERATOR, self.enter),
            Route("POST", "/operator/leave", Who.OPERATOR, self.leave),
        ]

    async def show(self, visitor: Visitor, asked: Asked) -> Answer:
        pending = self._view.by_customer()
        ill = self._incidents.ongoing()
        rows = [Row(one, pending.get(one.id, 0), one.id in ill) for one in await self._directory.customers()]
        listing = listed(
            rows,
            asked,
            lambda row: " ".join((row.customer.domain, row.customer.alternate_domain, *row.customer.domain_aliases)),
            {
                "domain": lambda row: row.customer.domain,
                "plan": lambda row: row.customer.plan,
                "pending": lambda row: row.pending,
                "state": lambda row: (not row.incident, not row.customer.suspended),
            },
        )
        facts = {"listing": listing, "plans": [plan.name for plan in await self._directory.plans()], "ill": len(ill)}
        return Page("operator_customers.html", facts)

    async def add(self, visitor: Visitor, asked: Asked) -> Answer:
        customer = await self._accounts.add(visitor.author, asked.one("domain").strip(), plan=asked.one("plan"))
        visitor.tell("success", customer.domain)
        return Away(f"/operator/customers/{customer.id}")

    async def show_one(self, visitor: Visitor, asked: Asked) -> Answer:
        customer = await self._directory.customer(asked.path["customer"])
        entries = await self._directory.entries(customer.id)
        hops = self._view.hops(customer.id)
        facts = {
            "customer": customer,
            "plans": [plan.name for plan in await self._directory.plans()],
            "languages_of_mail": LANGUAGES,
            "counts": {name: sum(isinstance(entry, kind) for entry in entries) for name, kind in _KINDS.items()},
            "pending": sum(hop.pending + hop.carrying for hop in hops),
            "incident": self._incidents.current(customer.id),
            "reachable": reachable(customer),
        }
        return Page("operator_customer.html", facts)

    async def save(self, visitor: Visitor, asked: Asked) -> Answer:
        customer = await self._directory.customer(asked.path["customer"])
        changes = await self._changes(asked)
        await self._accounts.set(visitor.author, customer.id, **changes)
        visitor.tell("success", customer.domain)
        return Away(f"/operator/customers/{customer.id}")

    async def enter(self, visitor: Visitor, asked: Asked) -> Answer:
        """He sees the panels of this customer's administrators, and what he does has his own name in the audit log."""
        customer = await self._directory.customer(asked.path["customer"])
        return Away("/overview", await self._moved(visitor, customer.id, customer.domain, administrator=True))

    async def leave(self, visitor: Visitor, asked: Asked) -> Answer:
        return Away("/operator", await self._moved(visitor, OPERATOR, OPERATOR, administrator=False))

    async def _moved(self, visitor: Visitor, customer: str, domain: str, *, administrator: bool) -> str:
        """His session goes by another token."""
        session = visitor.known
        session.customer, session.administrator = customer, administrator
        session.address = Address(session.operator, domain)
        visitor.token = await self._sessions.rename(visitor.token, session)
        return visitor.token

    async def _changes(self, asked: Asked) -> dict[str, Any]:
        try:
            role, relay = Role(asked.one("role")), RelayMode(asked.one("relay"))
        except ValueError:
            raise Invalid("Choose what to do.") from None
        days, transport = asked.one("pending_lifetime").strip(), asked.one("smtp_transport").strip()
        if days and not (days.isascii() and days.isdecimal() and len(days) < 5):
            raise Invalid("The lifetime of pending mail is a number of days.")
        if transport:
            await self._transports.check(transport)
        return {
            "plan": asked.one("plan"),
            "role": role,
            "relay": relay,
            "smtp_transport": transport or None,
            "domain_aliases": tuple(asked.one("domain_aliases").split()),
            "pending_lifetime": int(days) if days else None,
            "language": asked.one("language"),
            "suspended": asked.one("suspended") == "yes",
            "smtp_denied": asked.one("smtp_denied") == "yes",
        }
