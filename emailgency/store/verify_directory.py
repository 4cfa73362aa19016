"""`emailgency verify`, the part about the directory: the change journal, what it adds up to, and Redis beside it.

Changes nothing: Redis' own files are looked at through a server of the moment that works on a copy. Blocks.
"""

import os
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from emailgency.model.directory import OPERATOR, Alias, Customer, DistributionList, Domain, Entry, Mailbox, Plan
from emailgency.store.directory.changes import entry_key
from emailgency.store.directory.journal import START, Broken, Journal, Mark, Tables, apply
from emailgency.store.directory.working_copy import MARK, place
from emailgency.store.verify import Finding, names

JOURNAL = "journal"
CUSTOMERS = "customers"
ASKED_AT_ONCE = 500  # fields a HMGET

Ask = Callable[..., Any]  # a Redis command and its answer


def verify_directory(data: str, ask: Ask | None) -> Iterator[Finding]:
    """`ask` None: there is no Redis to compare."""
    try:
        tables, mark = Journal(os.path.join(data, JOURNAL)).tables()
        yield from _snapshot(data, tables)
    except (Broken, msgspec.DecodeError, OSError) as error:
        yield Finding(JOURNAL, str(error))
        return
    yield from _sense(tables)
    yield from _strangers(data, tables)
    if ask is not None:
        yield from _redis(ask, tables, mark)


def _snapshot(data: str, tables: Tables) -> Iterator[Finding]:
    """The snapshot only shortens: replaying all changes from the first gives the same."""
    replayed: Tables = {}
    for change in Journal(os.path.join(data, JOURNAL)).history():
        apply(replayed, change.edits)
    if _plain(replayed) != _plain(tables):
        yield Finding(f"{JOURNAL}/snapshot.json", "is not what the changes before it add up to")


def _plain(tables: Tables) -> dict[str, dict[str, bytes]]:
    return {table: {key: bytes(row) for key, row in rows.items()} for table, rows in tables.items() if rows}


# ---- what the tables say of each other -------------------------------------------------------------------


class _Read:
    """The tables as records."""

    def __init__(self, tables: Tables) -> None:
        self.plans = _rows(tables, "plan", Plan)
        self.customers = _rows(tables, "customer", Customer)
        self.domains = _rows(tables, "domain", Domain)
        self.entries: dict[str, Entry] = _rows(tables, "entry", Entry)
        self.mailboxes = _rows(tables, "mailbox", str)


def _rows(tables: Tables, table: str, kind: Any) -> dict[str, Any]:
    decode = msgspec.json.Decoder(kind).decode
    return {key: decode(bytes(row)) for key, row in tables.get(table, {}).items()}


def _sense(tables: Tables) -> Iterator[Finding]:
    try:
        read = _Read(tables)
    except msgspec.DecodeError as error:
        yield Finding(JOURNAL, f"a row is not understood: {error}")
        return
    for problem in (*_customers(read), *_entries(read), *_mailboxes(read)):
        yield Finding(JOURNAL, problem)


def _customers(read: _Read) -> Iterator[str]:
    for customer in read.customers.values():
        if customer.plan not in read.plans:
            yield f"customer {customer.domain} has the plan {customer.plan}, which does not exist"
        for name in (customer.domain, customer.alternate_domain, *customer.domain_aliases):
            domain = read.domains.get(name)
            if domain is None or domain.customer != customer.id:
                yield f"the domain {name} of customer {customer.domain} does not lead to him"
    for name, domain in read.domains.items():
        if domain.customer not in read.customers:
            yield f"the domain {name} belongs to the customer {domain.customer}, who does not exist"


def _entries(read: _Read) -> Iterator[str]:
    for key, entry in read.entries.items():
        customer = read.customers.get(entry.customer)
        if key != entry_key(entry.customer, entry.address.local):
            yield f"{entry.address} stands under the key {key}"
        if customer is None or entry.address.domain != customer.domain:
            yield f"{entry.address} is not in the domain of its customer"
        targets: tuple[str, ...] = ()
        if isinstance(entry, Alias):
            targets = (entry.mailbox,)
        elif isinstance(entry, DistributionList):
            targets = entry.members
        for target in targets:
            if not read.mailboxes.get(target, "").startswith(f"{entry.customer}/"):
                yield f"{entry.address} leads to {target}, which is no mailbox of its customer"


def _mailboxes(read: _Read) -> Iterator[str]:
    found = {entry.id: key for key, entry in read.entries.items() if isinstance(entry, Mailbox)}
    for id in found.keys() | read.mailboxes.keys():
        if found.get(id) != read.mailboxes.get(id):
            yield f"mailbox {id} is {found.get(id)} among the entries and {read.mailboxes.get(id)} among the mailboxes"


def _strangers(data: str, tables: Tables) -> Iterator[Finding]:
    """Folders of customers and mailboxes that the directory does not know."""
    customers, mailboxes = tables.get("customer", {}), tables.get("mailbox", {})
    for customer in names(os.path.join(data, CUSTOMERS)):
        if customer not in customers and customer != OPERATOR:
            yield Finding(f"{CUSTOMERS}/{customer}", "belongs to no customer")
            continue
        for mailbox in names(os.path.join(data, CUSTOMERS, customer, "mailboxes")):
            if mailbox not in mailboxes:
                yield Finding(f"{CUSTOMERS}/{customer}/mailboxes/{mailbox}", "belongs to no mailbox")


# ---- Redis -----------------------------------------------------------------------------------------------


def _redis(ask: Ask, tables: Tables, mark: Mark) -> Iterator[Finding]:
    """Behind the journal is no fault (the next start fills it again); at its end it must be the same, never beyond."""
    found = ask("GET", MARK)
    if found is None:
        return
    position = found.decode("ascii", "replace").partition("-")[0]
    if not position.isdigit():
        yield Finding("redis", f"its mark is {found!r}")
    elif int(position) > mark.position:
        yield Finding("redis", f"has seen change {position}, the journal ends with {mark.position}")
    elif found == str(mark).encode():
        yield from _same(ask, tables)
    elif int(position) == mark.position and mark != START:
        yield Finding("redis", "has seen another history than the journal tells")


def _same(ask: Ask, tables: Tables) -> Iterator[Finding]:
    wanted: dict[str, dict[bytes, bytes]] = {}
    for table, rows in tables.items():
        for key, row in rows.items():
            name, field = place(table, key)
            wanted.setdefault(name, {})[field.encode("utf-8", "surrogatepass")] = bytes(row)
    for name, expected in wanted.items():
        fields = list(expected)
        for start in range(0, len(fields), ASKED_AT_ONCE):
            some = fields[start : start + ASKED_AT_ONCE]
            for at, row in zip(some, ask("HMGET", name, *some), strict=True):
                if row is None or msgspec.json.decode(row) != msgspec.json.decode(expected[at]):
                    yield Finding("redis", f"{name} {at.decode(errors='replace')} is not what the journal says")
        if ask("HLEN", name) != len(expected):
            yield Finding("redis", f"{name} has rows the journal does not know")
