"""What a mailbox may do beyond reading its own mail."""

from emailgency.model.address import Address
from emailgency.model.directory import Alias, Customer, Entry, Mailbox


def domains_of(customer: Customer) -> tuple[str, ...]:
    """All domains in which the customer's addresses are meant: main, aliases, alternate."""
    return (customer.domain, *customer.domain_aliases, customer.alternate_domain)


def may_submit_as(sender: Address, mailbox: Mailbox, customer: Customer, entry: Entry | None) -> bool:
    """Row B10: its own address and its aliases, in every domain of the customer, and nothing else.

    `entry` is what the directory knows of the sender's local part at this customer. A distribution list is not its
    members' own address.
    """
    if mailbox.customer != customer.id or sender.domain not in domains_of(customer):
        return False
    if sender.local == mailbox.address.local:
        return True
    return isinstance(entry, Alias) and entry.mailbox == mailbox.id and entry.address.local == sender.local


def sending_denied(mailbox: Mailbox, customer: Customer) -> bool:
    """Row B8: for this mailbox or for all of the customer at once."""
    return mailbox.smtp_denied or customer.smtp_denied or customer.suspended
