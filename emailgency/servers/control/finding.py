"""What a person names, found in the directory; the words of what is not there are for him."""

from emailgency.codec.address import parse, parse_domain
from emailgency.model.address import Address
from emailgency.model.directory import Alias, Banished, Customer, DistributionList, Entry, Mailbox
from emailgency.model.errors import Invalid
from emailgency.store.directory import Directory, Gone

KINDS = {Mailbox: "a mailbox", Alias: "an alias", DistributionList: "a distribution list", Banished: "banished"}


async def customer(directory: Directory, name: str) -> Customer:
    """By any of his domains, or by his id. Raises Invalid."""
    try:
        domain = await directory.domain(parse_domain(name))
    except Invalid:
        domain = None
    try:
        return await directory.customer(domain.customer if domain else name)
    except Gone:
        raise Invalid(f"there is no customer {name}") from None


async def address(directory: Directory, text: str) -> tuple[Customer, Address]:
    """Whose address this is, and the address in his main domain. Raises Invalid."""
    given = parse(text)
    domain = await directory.domain(given.domain)
    if domain is None:
        raise Invalid(f"{given.domain} is no domain of a customer")
    owner = await directory.customer(domain.customer)
    return owner, Address(given.local, owner.domain)


async def entry(directory: Directory, text: str, kind: type[Entry]) -> Entry:
    """The entry of an address, which must be of this kind. Raises Invalid."""
    owner, wanted = await address(directory, text)
    found = await directory.entry(owner.id, wanted.local)
    if found is None:
        raise Invalid(f"there is no {wanted}")
    if not isinstance(found, kind):
        raise Invalid(f"{wanted} is not {KINDS[kind]} but {KINDS[type(found)]}")
    return found
