"""To another server than the customer's own, because somebody said so of some messages (flows/relaying/reroute.py).

It is guarded like his own: what it refuses stays pending. But it is not his: how it does opens no incident, is no news
of his server's health, and teaches nothing.
"""

from typing import TYPE_CHECKING

from emailgency.flows.relaying.customer_errand import CustomerErrand
from emailgency.flows.relaying.errand import Records
from emailgency.flows.relaying.exchanges import Exchanges, Unroutable
from emailgency.model.envelope import Outcome
from emailgency.rules.next_hop import Destination
from emailgency.store.spool.pending import Waiting

if TYPE_CHECKING:
    from emailgency.flows.relaying.bounce import Bounces


class ReroutedErrand(Records):
    """`own` is the errand to the customer's server, which knows how long his mail lives."""

    guarded = True

    def __init__(self, via: str, own: CustomerErrand, exchanges: Exchanges, bounces: "Bounces") -> None:
        super().__init__(bounces)
        self._via = via
        self._own = own
        self._exchanges = exchanges

    @property
    def name(self) -> str:
        return f"{self._via}, for mail of {self._own.name}"

    @property
    def limit(self) -> int:
        return self._own.limit

    async def destinations(self) -> list[Destination]:
        return await self._exchanges.of_transport(self._via)

    def hopeless(self, reason: Unroutable) -> bool:
        return False

    def unsealed(self, waiting: Waiting) -> bool:
        return self._own.unsealed(waiting)

    async def seal(self, waiting: Waiting) -> None:
        await self._own.seal(waiting)

    def outlived(self, waiting: Waiting, now: float) -> bool:
        return self._own.outlived(waiting, now)

    def expires_at(self, term_from: float) -> float | None:
        return self._own.expires_at(term_from)

    async def give_up(self, waiting: Waiting, failures: dict[int, Outcome]) -> None:
        await self._own.give_up(waiting, failures)

    def stopped(self, why: str, most: int) -> None:
        self._own.alert(f"mail that was led to {self._via} is refused there: {why}")

    def alert(self, words: str) -> None:
        self._own.alert(f"{self._via}: {words}")
