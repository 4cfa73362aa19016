"""`domain list|record|claim|grant|remove`: whose a domain is, and how that is proven (attack row 45)."""

from msgspec import Struct

from emailgency.flows.accounts.customer_accounts import CustomerAccounts
from emailgency.flows.accounts.domain_claims import Claim, DomainClaims
from emailgency.model.directory import OPERATOR, Customer
from emailgency.servers.control.command import Asker, Command, Commands


class NamedCustomer(Struct, frozen=True, forbid_unknown_fields=True):
    customer: str


class NamedDomain(Struct, frozen=True, forbid_unknown_fields=True):
    """Without a customer: that of a new one, which the operator asks to be proven."""

    domain: str
    customer: str = ""


class DomainOfCustomer(Struct, frozen=True, forbid_unknown_fields=True):
    domain: str
    customer: str


class DomainCommands:
    def __init__(self, accounts: CustomerAccounts, claims: DomainClaims) -> None:
        self._accounts = accounts
        self._claims = claims

    def table(self) -> Commands:
        return {
            "domain list": Command(NamedCustomer, self.list),
            "domain record": Command(NamedDomain, self.record),
            "domain claim": Command(DomainOfCustomer, self.claim),
            "domain grant": Command(DomainOfCustomer, self.grant),
            "domain remove": Command(DomainOfCustomer, self.remove),
        }

    async def list(self, asked: NamedCustomer, asker: Asker) -> object:
        return _names(await self._accounts.find(asked.customer))

    async def record(self, asked: NamedDomain, asker: Asker) -> object:
        owner = (await self._accounts.find(asked.customer)).id if asked.customer else OPERATOR
        return _shown(await self._claims.look(owner, asked.domain))

    async def claim(self, asked: DomainOfCustomer, asker: Asker) -> object:
        customer = await self._accounts.find(asked.customer)
        return _names(await self._claims.take(asker.author, customer.id, asked.domain))

    async def grant(self, asked: DomainOfCustomer, asker: Asker) -> object:
        customer = await self._accounts.find(asked.customer)
        return _names(await self._claims.grant(asker.author, customer.id, asked.domain))

    async def remove(self, asked: DomainOfCustomer, asker: Asker) -> object:
        customer = await self._accounts.find(asked.customer)
        return _names(await self._claims.give_up(asker.author, customer.id, asked.domain))


def _names(customer: Customer) -> object:
    names = [(customer.domain, "main"), *((one, "alias") for one in customer.domain_aliases)]
    return [{"domain": name, "kind": kind} for name, kind in (*names, (customer.alternate_domain, "alternate"))]


def _shown(claim: Claim) -> object:
    return {"name": claim.name, "type": "TXT", "record": claim.record, "proof": claim.proof.value}
