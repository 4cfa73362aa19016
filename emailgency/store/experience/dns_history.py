"""What the DNS said of customers' domains and since when, on disk: the last changes of each record (product row G7)."""

import os
from collections import deque
from collections.abc import Collection, Iterator
from typing import Any

from emailgency.model.domain_check import DnsChange
from emailgency.store import layout
from emailgency.store.experience.event_file import EventFile

CHANGES = 12  # kept of each record
RECORDS = 100_000  # with a history; beyond, the customer whose DNS changed longest ago is forgotten

_OfCustomer = dict[tuple[str, str], deque[DnsChange]]  # by domain and kind


class DnsHistory:
    """`start` reads it; without, nothing is known and nothing is written."""

    def __init__(self, reactor: Any, data: str) -> None:
        self._customers: dict[str, _OfCustomer] = {}
        self._records = 0
        self._file: EventFile[DnsChange] = EventFile(
            reactor, os.path.join(data, layout.DNS_HISTORY), DnsChange, self._keep, self._kept
        )

    def start(self) -> None:
        self._file.start()

    def add(self, change: DnsChange) -> None:
        """Remember it now, and on disk as soon as may be."""
        self._file.add(change)

    def last(self, customer: str, domain: str, kind: str) -> DnsChange | None:
        """How it is, as far as we know."""
        changes = self._customers.get(customer, {}).get((domain, kind))
        return changes[-1] if changes else None

    def latest(self, customer: str) -> list[DnsChange]:
        """How each of his records is."""
        return [changes[-1] for changes in self._customers.get(customer, {}).values()]

    def of(self, customer: str) -> list[DnsChange]:
        """Oldest first."""
        found = [change for changes in self._customers.get(customer, {}).values() for change in changes]
        return sorted(found, key=lambda change: change.at)

    def customers(self) -> list[str]:
        return list(self._customers)

    def forget(self, customer: str, but: Collection[str] = ()) -> None:
        """What is known of his domains that are not in `but`; from disk when the file is written anew."""
        of_customer = self._customers.get(customer, {})
        for key in [key for key in of_customer if key[0] not in but]:
            del of_customer[key]
            self._records -= 1
        if not of_customer:
            self._customers.pop(customer, None)

    def _keep(self, change: DnsChange) -> None:
        of_customer = self._customers.pop(change.customer, {})
        self._customers[change.customer] = of_customer  # at the end: it changed last
        changes = of_customer.get((change.domain, change.kind))
        if changes is None:
            changes = of_customer[change.domain, change.kind] = deque(maxlen=CHANGES)
            self._records += 1
        changes.append(change)
        if self._records > RECORDS:
            self.forget(next(iter(self._customers)))

    def _kept(self) -> Iterator[DnsChange]:
        for of_customer in self._customers.values():
            for changes in of_customer.values():
                yield from changes
