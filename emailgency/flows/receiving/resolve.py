"""What one recipient means: looks up what the routing table needs to know, and asks it (rules.routing).

With everything in the directory's cache nothing here waits.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from emailgency.codec.address import as_addressed, foreign_domain, parse, wire
from emailgency.codec.srs import Srs, is_rewritten
from emailgency.model.address import Address
from emailgency.model.directory import Alias, Customer, DistributionList, Domain, DomainKind, Entry, Mailbox
from emailgency.model.envelope import Outbound, Recipient
from emailgency.model.errors import Invalid
from emailgency.model.verdict import Verdict
from emailgency.rules.routing import RELAYING_DENIED, STEALTH, Facts, Route, route
from emailgency.store.directory.directory import Directory
from emailgency.store.mailboxes.candidates import Candidates

__all__ = ["Resolver", "Resolves", "Route", "resolve_from_within"]

BAD_ADDRESS = Verdict(553, "5.1.3", "bad recipient address")
NO_FORWARD = Verdict(550, "5.1.1", "no forward of ours comes back to this address, or no longer")


class Resolver:
    """Raises Temporary when the directory does not know now."""

    def __init__(
        self, directory: Directory, srs: Srs, clock: Callable[[], float], candidates: Candidates | None = None
    ) -> None:
        """Without `candidates` nobody counts them, and their quota is never spent."""
        self.is_missing: Callable[[Customer, str], Awaitable[bool]] | None = None  # learned recipients (row G5)
        self._candidates = candidates
        self._directory = directory
        self._srs = srs
        self._clock = clock

    async def resolve(self, recipient: Recipient, index: int) -> Route | Verdict:
        """`index` is the recipient's place in the envelope. A Verdict: the address is none of ours."""
        if is_rewritten(recipient.as_given):
            return await self._returning(recipient.as_given, index)
        try:
            address = parse(recipient.as_given)
        except Invalid:
            return BAD_ADDRESS
        domain = await self._directory.domain(address.domain)
        if domain is None:
            return RELAYING_DENIED
        customer = await self._directory.customer(domain.customer)
        entry = await self._directory.entry(customer.id, address.local)
        address = Address(address.local, customer.domain)
        facts = Facts(
            customer=customer,
            plan=await self._directory.plan(customer.plan),
            domain=domain,
            entry=entry,
            address=address,
            relay_to=_relay_to(recipient.as_given, domain, customer),
            mailboxes=await self._owners(entry),
            candidates=await self._others(customer, address) if entry is None else 0,
            missing=entry is None and self.is_missing is not None and await self.is_missing(customer, address.local),
        )
        return route(facts, index)

    async def _returning(self, address: str, index: int) -> Route | Verdict:
        """Something that comes back to a forward goes on to the sender of what was forwarded."""
        try:
            domain = await self._directory.domain(foreign_domain(address))
        except Invalid:
            return BAD_ADDRESS
        if domain is None:
            return RELAYING_DENIED
        original = self._srs.original(address, self._clock()) if domain.kind is DomainKind.ALTERNATE else None
        if original is None:
            return NO_FORWARD
        customer = await self._directory.customer(domain.customer)
        plan = await self._directory.plan(customer.plan)
        back = Outbound(customer=customer.id, address=original, recipient=index, origin="return")
        return Route(customer, domain, None, (back,), plan.message_size)

    async def _others(self, customer: Customer, address: Address) -> int:
        """How many candidates there are without this one."""
        return 0 if self._candidates is None else await self._candidates.others(customer.id, address)

    async def _owners(self, entry: Entry | None) -> Mapping[str, Mailbox]:
        match entry:
            case Alias(mailbox=id):
                ids: tuple[str, ...] = (id,)
            case DistributionList(members=ids):
                pass
            case _:
                return {}
        found = {id: await self._directory.mailbox(id) for id in ids}
        return {id: mailbox for id, mailbox in found.items() if mailbox is not None}


class Resolves(Protocol):
    """A `Resolver`, or what stands in for one."""

    async def resolve(self, recipient: Recipient, index: int) -> Route | Verdict: ...


async def resolve_from_within(resolver: Resolves, recipient: Recipient, index: int) -> Route | Verdict:
    """What an address means to mail that begins with us: submitted, forwarded, or a notification.

    Stealth keeps mail with other servers (row C7), and there is none here: then the address is taken as its twin in
    the alternate domain, which is never hidden.
    """
    route = await resolver.resolve(recipient, index)
    if isinstance(route, Verdict) or route.verdict != STEALTH:
        return route
    twin = wire(Address(parse(recipient.as_given).local, route.customer.alternate_domain))
    return await resolver.resolve(Recipient(as_given=twin), index)


def _relay_to(as_given: str, domain: Domain, customer: Customer) -> str:
    """The customer's server knows his own domains as they are, the alternate one only as the main (rows A8, A9)."""
    return as_addressed(as_given, customer.domain if domain.kind is DomainKind.ALTERNATE else None)
