"""What customers' servers have gone through, on disk: health changes and incidents, the last ones of each.

One file `history` in the data folder (`event_file`). Whoever asks gets what is in memory: the disk is only for the next
start.
"""

import os
from collections import deque
from collections.abc import Iterator
from typing import Any

from emailgency.model.incident import Event, Incident, Turn
from emailgency.store import layout
from emailgency.store.experience.event_file import EventFile

TURNS = 100  # kept of each next hop
INCIDENTS = 50  # kept of each customer
HOPS = 20_000  # next hops with a history; beyond, the one that changed longest ago is forgotten


class History:
    """`start` reads it; without, nothing is known and nothing is written."""

    def __init__(self, reactor: Any, data: str) -> None:
        self._turns: dict[tuple[str, str], deque[Turn]] = {}
        self._incidents: dict[str, dict[str, Incident]] = {}
        self._file: EventFile[Event] = EventFile(
            reactor, os.path.join(data, layout.HISTORY), Event, self._keep, self._kept
        )

    def start(self) -> None:
        self._file.start()

    def add(self, event: Event) -> None:
        """Remember it now, and on disk as soon as may be. An incident with the same id takes the place of the other."""
        self._file.add(event)

    def turns(self, customer: str, domain: str) -> list[Turn]:
        """Oldest first."""
        return list(self._turns.get((customer, domain), ()))

    def last(self, customer: str, domain: str) -> Turn | None:
        turns = self._turns.get((customer, domain))
        return turns[-1] if turns else None

    def hops(self) -> list[tuple[str, str]]:
        """Customer and domain of all that is known."""
        return list(self._turns)

    def customers(self) -> list[str]:
        """Those who ever had an incident."""
        return list(self._incidents)

    def incidents(self, customer: str) -> list[Incident]:
        """Oldest first."""
        return list(self._incidents.get(customer, {}).values())

    def _keep(self, event: Event) -> None:
        if isinstance(event, Turn):
            key = event.customer, event.domain
            turns = self._turns.pop(key, None) or deque(maxlen=TURNS)
            self._turns[key] = turns  # at the end: it changed last
            turns.append(event)
            if len(self._turns) > HOPS:
                del self._turns[next(iter(self._turns))]
            return
        of_customer = self._incidents.setdefault(event.customer, {})
        of_customer[event.id] = event
        if len(of_customer) > INCIDENTS:
            del of_customer[next(iter(of_customer))]

    def _kept(self) -> Iterator[Event]:
        for turns in self._turns.values():
            yield from turns
        for of_customer in self._incidents.values():
            yield from of_customer.values()
