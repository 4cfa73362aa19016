"""Who hears of a customer's troubles, and whether he would hear of the worst (product row E4)."""

from collections.abc import Iterator

from emailgency.model.directory import Contact, Customer, Notice
from emailgency.rules.rights import domains_of


def told(customer: Customer, notice: Notice) -> Iterator[Contact]:
    """Those who want to know, and have said that the address is theirs."""
    return (one for one in customer.contacts if one.verified_at is not None and notice in one.wants)


def is_outside(contact: Contact, customer: Customer) -> bool:
    """Not in any domain of the customer: mail there arrives also when all of his are dead."""
    return contact.address.rpartition("@")[2].lower() not in domains_of(customer)


def reachable(customer: Customer) -> bool:
    """Whether somebody outside would be told that his server does not answer; the console nags while nobody would."""
    return any(is_outside(contact, customer) for contact in told(customer, Notice.SERVER))
