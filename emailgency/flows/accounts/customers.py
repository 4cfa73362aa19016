"""What relaying must know of each customer, at hand without asking: his transport, relay mode, lifetime of mail."""

from typing import TYPE_CHECKING

from emailgency.model.directory import Customer

if TYPE_CHECKING:
    from emailgency.store.directory.directory import Directory

DAY = 86_400.0


class Customers:
    """Those who have mail pending; `load` once, `refresh` now and then."""

    def __init__(self, directory: "Directory") -> None:
        self._directory = directory
        self._known: dict[str, Customer] = {}
        self._lifetimes: dict[str, float] = {}

    def get(self, id: str) -> Customer | None:
        """What was loaded last."""
        return self._known.get(id)

    def lifetime(self, id: str) -> float:
        """Seconds his mail stays pending; as good as for ever while his plan is unknown."""
        return self._lifetimes.get(id, float("inf"))

    async def load(self, id: str) -> Customer:
        """Raises Temporary when the directory is away, LookupError when there is no such customer."""
        customer = await self._directory.customer(id)
        days = customer.pending_lifetime
        if days is None:
            days = (await self._directory.plan(customer.plan)).pending_lifetime
        self._known[id] = customer
        self._lifetimes[id] = days * DAY
        return customer
