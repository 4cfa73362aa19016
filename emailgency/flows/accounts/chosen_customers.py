"""The customers for whom something is switched on, at hand without asking the directory for each of ten thousand."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import msgspec

from emailgency.background import background
from emailgency.model.directory import Customer
from emailgency.store.directory.changes import Change, row

if TYPE_CHECKING:
    from emailgency.store.directory.directory import Directory

_decode = msgspec.json.Decoder(Customer).decode


class ChosenCustomers:
    """Those whom `wanted` picks: all of them once the directory is awake, and kept current by its changes."""

    def __init__(self, directory: "Directory", wanted: Callable[[Customer], bool]) -> None:
        self.listeners: list[Callable[[str], None]] = []  # get the id of whoever has come, changed or gone
        self._directory = directory
        self._wanted = wanted
        self._chosen: dict[str, Customer] = {}

    def start(self) -> None:
        self._directory.listeners.append(self._changed)
        background("finding the customers for whom something is switched on", self._load())

    def __iter__(self) -> Iterator[Customer]:
        return iter(tuple(self._chosen.values()))

    def get(self, id: str) -> Customer | None:
        """None: it is switched off, there is no such customer, or the directory has not told yet."""
        return self._chosen.get(id)

    async def _load(self) -> None:
        await self._directory.when_ready()
        for customer in await self._directory.customers():
            self._note(customer.id, await self._directory.customer(customer.id))

    def _changed(self, change: Change) -> None:
        for edit in change.edits:
            if edit.table == "customer":
                after = row(edit.after)
                self._note(edit.key, None if after is None else _decode(after))

    def _note(self, id: str, customer: Customer | None) -> None:
        known = self._chosen.get(id)
        if customer is not None and self._wanted(customer):
            self._chosen[id] = customer
        elif self._chosen.pop(id, None) is None:
            return
        if known != self._chosen.get(id):
            for listener in self.listeners:
                listener(id)
