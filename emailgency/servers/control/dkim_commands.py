"""`dkim add|show|remove`: the keys that a customer's mail is signed with, and their records in the DNS (row C8)."""

import msgspec
from msgspec import Struct

from emailgency.flows.accounts.customer_accounts import CustomerAccounts
from emailgency.flows.trust.signing import Announced, Signing
from emailgency.model.directory import OPERATOR
from emailgency.servers.control.command import Asker, Command, Commands


class NamedOwner(Struct, frozen=True, forbid_unknown_fields=True):
    """`customer` may be the word "operator": the keys of what the server itself writes."""

    customer: str


class NamedKey(Struct, frozen=True, forbid_unknown_fields=True):
    customer: str
    selector: str


class DkimCommands:
    def __init__(self, accounts: CustomerAccounts, signing: Signing, own_domain: str) -> None:
        self._accounts = accounts
        self._signing = signing
        self._own_domain = own_domain

    def table(self) -> Commands:
        return {
            "dkim add": Command(NamedOwner, self.add),
            "dkim show": Command(NamedOwner, self.show),
            "dkim remove": Command(NamedKey, self.remove),
        }

    async def add(self, asked: NamedOwner, asker: Asker) -> object:
        owner, domains = await self._owner(asked.customer)
        key = await self._signing.make(owner)
        return [_shown(await self._signing.announced(key, domain)) for domain in domains]

    async def show(self, asked: NamedOwner, asker: Asker) -> object:
        return [_shown(one) for one in await self._signing.show(*await self._owner(asked.customer))]

    async def remove(self, asked: NamedKey, asker: Asker) -> object:
        owner, _ = await self._owner(asked.customer)
        await self._signing.remove(owner, asked.selector)
        return {"selector": asked.selector}

    async def _owner(self, name: str) -> tuple[str, tuple[str, ...]]:
        """Id and domains; mail from the alternate domain is read here, never written."""
        if name == OPERATOR:
            return OPERATOR, (self._own_domain,)
        customer = await self._accounts.find(name)
        return customer.id, (customer.domain, *customer.domain_aliases)


def _shown(one: Announced) -> object:
    return msgspec.to_builtins(one)
