"""Whose address is it, and may he have one more: what the flows that change addresses decide by."""

from collections.abc import Iterable

from emailgency.model.address import Address
from emailgency.model.directory import Alias, Banished, Customer, DistributionList, Entry, Mailbox, Plan
from emailgency.model.errors import Invalid
from emailgency.model.words import Words
from emailgency.store.directory.changes import Edit, edit, entry_key
from emailgency.store.directory.directory import Directory

_KINDS: dict[type, Words] = {
    Mailbox: Words("a mailbox"),
    Alias: Words("an alias"),
    DistributionList: Words("a distribution list"),
    Banished: Words("banished"),
}


def kind(entry: Entry) -> Words:
    return _KINDS[type(entry)]


async def owner(directory: Directory, address: Address) -> tuple[Customer, Address]:
    """The customer, and the address in his main domain. Raises Invalid."""
    domain = await directory.domain(address.domain)
    if domain is None:
        raise Invalid("%(domain)s is no domain of a customer", domain=address.domain)
    customer = await directory.customer(domain.customer)
    return customer, Address(address.local, customer.domain)


async def entry_at(directory: Directory, address: Address) -> Entry:
    """Raises Invalid when the address is not ours, or unknown."""
    customer, address = await owner(directory, address)
    entry = await directory.entry(customer.id, address.local)
    if entry is None:
        raise Invalid("there is no address %(address)s", address=address)
    return entry


async def mailbox_at(directory: Directory, address: Address) -> Mailbox:
    """Raises Invalid when the address is no mailbox."""
    entry = await entry_at(directory, address)
    if not isinstance(entry, Mailbox):
        raise Invalid("%(address)s is no mailbox but %(kind)s", address=entry.address, kind=kind(entry))
    return entry


def entry_edits(before: Entry | None, after: Entry | None) -> list[Edit]:
    """The edits that replace an entry; a mailbox is also found by its id."""
    entry = after or before
    assert entry is not None
    key = entry_key(entry.customer, entry.address.local)
    edits = [edit("entry", key, before, after)]
    old = before.id if isinstance(before, Mailbox) else None
    new = after.id if isinstance(after, Mailbox) else None
    if old != new:
        if old is not None:
            edits.append(edit("mailbox", old, key, None))
        if new is not None:
            edits.append(edit("mailbox", new, None, key))
    return edits


def check_plan(plan: Plan, entries: Iterable[Entry]) -> None:
    """Would the customer stay within his plan with these entries? Raises Invalid."""
    entries = list(entries)
    mailboxes = [entry for entry in entries if isinstance(entry, Mailbox)]
    limits = (
        (len(mailboxes), plan.mailboxes, Words("mailboxes")),
        (sum(mailbox.vip for mailbox in mailboxes), plan.vip_mailboxes, Words("VIP mailboxes")),
        (
            sum(isinstance(entry, DistributionList) for entry in entries),
            plan.distribution_lists,
            Words("distribution lists"),
        ),
    )
    for count, limit, what in limits:
        if count > limit:
            raise Invalid(
                "the plan %(name)s has room for %(limit)s %(what)s, and these would be %(count)s",
                name=plan.name,
                limit=limit,
                what=what,
                count=count,
            )


def check_delay(plan: Plan, days: int | None) -> None:
    """May mail be kept for so long in this plan? None is the plan's default. Raises Invalid."""
    if days is not None and not 1 <= days <= plan.expiration_delay_max:
        raise Invalid(
            "mail is kept for 1 to %(days)s days in the plan %(name)s",
            days=plan.expiration_delay_max,
            name=plan.name,
        )
