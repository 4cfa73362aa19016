"""The one table that says what an address means (product.md, section A).

    entry found                    stored in               relayed to the customer's server   besides
    mailbox                        its INBOX               yes                                its forwards
    alias                          INBOX of its mailbox    yes, as addressed                  that mailbox's forwards
    distribution list              INBOX of each member    once, as addressed                 -
    candidate, or none yet         catchall                yes                                -
    none, candidate quota spent    Undelivered             yes                                -
    none, and surely none there    nowhere                 no                                 550 (row G5, at an outage)
    banished                       nowhere                 no                                 250 and gone, or 550

The rule takes facts and answers a `Route`; `flows.receiving.resolve` looks the facts up. It drops no mail by accident:
a list without members or an alias whose mailbox has gone is stored in Undelivered.
"""

from collections.abc import Mapping

from msgspec import Struct

from emailgency.model.address import Address
from emailgency.model.directory import (
    HARD_MESSAGE_LIMIT,
    Alias,
    Banished,
    Customer,
    DistributionList,
    Domain,
    DomainKind,
    Entry,
    Mailbox,
    Plan,
    RelayMode,
)
from emailgency.model.envelope import Catchall, Deliver, Outbound, Relay, Target, Undelivered
from emailgency.model.verdict import Verdict

RELAYING_DENIED = Verdict(550, "5.7.1", "relaying denied")
BANISHED = MISSING = Verdict(550, "5.1.1", "no such address here")  # one cannot be told from the other
STEALTH = Verdict(451, "4.3.2", "not accepting mail for this domain now, please keep it and try again later")

SUSPENDED = Verdict(451, "4.2.1", "the service for this domain is suspended, please keep the mail and try again later")

POSTMASTER = "postmaster"


class Route(Struct, frozen=True):
    """What becomes of one recipient of ours. Exactly one of: `targets`, `verdict`, `dropped`.

    `dropped` is a banished address whose sender is told 250: the recipient counts as accepted and has no targets.
    """

    customer: Customer
    domain: Domain
    entry: Entry | None
    targets: tuple[Target, ...]
    size_limit: int  # octets as SIZE counts, for this recipient (row B7)
    verdict: Verdict | None = None
    dropped: bool = False


class Facts(Struct, frozen=True):
    """What the directory says of one recipient.

    `address` is canonical, in the customer's main domain; `relay_to` is the wire form for the customer's server;
    `mailboxes` holds, by id, the mailbox of an alias or the members of a list, as far as they exist; `candidates`
    counts the customer's unknown addresses without this one; `missing`: his server, which is down, has said that it
    does not have it either.
    """

    customer: Customer
    plan: Plan
    domain: Domain
    entry: Entry | None
    address: Address
    relay_to: str
    mailboxes: Mapping[str, Mailbox] = {}
    candidates: int = 0
    missing: bool = False


def route(facts: Facts, index: int) -> Route:
    """`index` is the recipient's place in the envelope; every target carries it."""
    customer = facts.customer
    if customer.suspended:
        return _refused(facts, SUSPENDED)
    if customer.stealth and facts.domain.kind is not DomainKind.ALTERNATE and facts.address.local != POSTMASTER:
        return _refused(facts, STEALTH)
    if isinstance(facts.entry, Banished):
        if customer.banished_refused:
            return _refused(facts, BANISHED)
        return Route(customer, facts.domain, facts.entry, (), facts.plan.message_size, dropped=True)
    if facts.entry is None and facts.missing:
        return _refused(facts, MISSING)
    owners = _owners(facts)
    stored = _stored(facts, owners, index)
    relayed = (
        ()
        if customer.relay is RelayMode.NONE
        else (Relay(customer=customer.id, address=facts.relay_to, recipient=index),)
    )
    return Route(customer, facts.domain, facts.entry, stored + relayed, _size_limit(facts.plan, owners))


def _refused(facts: Facts, verdict: Verdict) -> Route:
    return Route(facts.customer, facts.domain, facts.entry, (), facts.plan.message_size, verdict)


def _owners(facts: Facts) -> tuple[Mailbox, ...]:
    """The mailboxes the entry stands for, each once (attack row 14), never of another customer."""
    match facts.entry:
        case Mailbox():
            return (facts.entry,)
        case Alias(mailbox=id):
            ids: tuple[str, ...] = (id,)
        case DistributionList(members=members):
            ids = tuple(dict.fromkeys(members))
        case _:
            return ()
    found = (facts.mailboxes.get(id) for id in ids)
    return tuple(mailbox for mailbox in found if mailbox and mailbox.customer == facts.customer.id)


def _stored(facts: Facts, owners: tuple[Mailbox, ...], index: int) -> tuple[Target, ...]:
    customer = facts.customer.id
    if facts.entry is None:
        if facts.candidates >= facts.plan.candidates:
            return (Undelivered(customer=customer, recipient=index),)
        return (Catchall(customer=customer, address=str(facts.address), recipient=index),)
    if not owners:
        return (Undelivered(customer=customer, recipient=index),)
    if isinstance(facts.entry, DistributionList):
        return tuple(Deliver(customer=customer, mailbox=owner.id, recipient=index) for owner in owners)
    return _into_mailbox(owners[0], index)


def _into_mailbox(mailbox: Mailbox, index: int) -> tuple[Target, ...]:
    """Its own copy, unless its user forwards and wants none; then the forwards (row A1)."""
    forwards = tuple(
        Outbound(customer=mailbox.customer, address=address, recipient=index, origin="forward")
        for address in mailbox.forwards
    )
    if forwards and not mailbox.keep_copy:
        return forwards
    return (Deliver(customer=mailbox.customer, mailbox=mailbox.id, recipient=index), *forwards)


def _size_limit(plan: Plan, owners: tuple[Mailbox, ...]) -> int:
    """The plan's, or the hard limit for a VIP mailbox (row B6) and for a list that has only such members."""
    if owners and all(owner.vip for owner in owners):
        return HARD_MESSAGE_LIMIT
    return min(plan.message_size, HARD_MESSAGE_LIMIT)
