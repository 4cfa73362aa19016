"""Giving mail back: everything that waits for customers' own servers (product rows D1, D2).

One lane a next hop: the customer's SMTP transport, else each of his domains by its MX. For these domains no answer
of the DNS is final and no server's whim at banner, EHLO or MAIL: the message stays pending, the servers that last took
mail are tried, the log says so. A message lives as long as the customer or his plan says; relay on hold keeps
everything.
"""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct
from twisted.internet.defer import gatherResults
from twisted.logger import Logger

from emailgency.background import background
from emailgency.codec.smtp.client import Result, Stage
from emailgency.flows.customers import Customers
from emailgency.flows.errand import Records
from emailgency.flows.exchanges import Exchanges, Unroutable
from emailgency.flows.lane import Lane, Means
from emailgency.flows.lanes import Lanes
from emailgency.model.directory import Customer, RelayMode
from emailgency.model.envelope import Outcome, Relay
from emailgency.model.errors import Temporary
from emailgency.net.courier import Courier
from emailgency.rules.next_hop import Destination
from emailgency.store.pending import Hop, Waiting, waitings

if TYPE_CHECKING:
    from emailgency.flows.bounce import Bounces
    from emailgency.store.last_good import LastGood
    from emailgency.store.spool import Live


DROPPED = Outcome(word="dropped", reply="the customer was removed")


class RelaySettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Mail for customers' own servers."""

    connections: Annotated[int, Meta(ge=1, le=100, description="Connections to one customer's server at most")] = 20
    refresh: Annotated[
        float, Meta(gt=0, description="Seconds until changed relay settings, and mail that is too old, are noticed")
    ] = 10.0


class CustomerErrand(Records):
    """To one customer's own server."""

    def __init__(
        self,
        hop: Hop,
        customers: Customers,
        exchanges: Exchanges,
        bounces: "Bounces",
        last_good: "LastGood",
        limit: Callable[[], int],
    ) -> None:
        super().__init__(bounces)
        self._limit = limit
        self._hop = hop
        self._customers = customers
        self._exchanges = exchanges
        self._last_good = last_good
        self._alerted = ""  # the last alert, as long as it holds
        self._offered: list[Destination] = []  # by the DNS; no message was taken there yet
        self._good: list[Destination] = []  # what it had offered when one was, the one that took it first

    @property
    def name(self) -> str:
        customer = self._customers.get(self._hop.customer)
        return self._hop.domain or f"SMTP transport of {customer.domain if customer else self._hop.customer}"

    @property
    def limit(self) -> int:
        return self._limit()

    async def destinations(self) -> list[Destination]:
        """The SMTP transport, else the MX; when the DNS has nothing to offer, where it last worked (row D1)."""
        try:
            customer = await self._customers.load(self._hop.customer)
        except LookupError:
            raise Temporary(f"there is no customer {self._hop.customer} any more") from None
        if customer.smtp_transport:
            return await self._exchanges.of_transport(customer.smtp_transport)
        if not self._hop.domain:
            raise Temporary("the SMTP transport was taken away, the mail is led to the MX")
        try:
            found = await self._exchanges.of_domain(self._hop.domain)
        except Unroutable as error:
            self._alert(str(error))
            self._good = self._good or await self._last_good.recall(self._hop)
            if not self._good:
                raise
            return self._good
        if set(found) != set(self._good):  # else there is nothing new to remember, however many messages go
            self._offered = found
        return found

    def hopeless(self, reason: Unroutable) -> bool:
        return False

    def final(self, result: Result) -> bool:
        """A refusal of MAIL says nothing about the message: it stays pending and the log calls for help."""
        if result.stage is Stage.MAIL:
            reply = result.reply
            self._alert(f"MAIL was refused: {reply.code} {reply.enhanced} {reply.text!a}")
        return result.stage is not Stage.MAIL

    def _alert(self, words: str) -> None:
        """Once, until something else is wrong or a message was taken: not at each probe, nor for each message."""
        if words != self._alerted:
            self._alerted = words
            self._log.warn("ALERT {hop}: {words}; its mail stays pending", hop=self.name, words=words)

    def outlived(self, waiting: Waiting, now: float) -> bool:
        return now - waiting.received_at > self._customers.lifetime(self._hop.customer)

    async def give_up(self, waiting: Waiting, failures: dict[int, Outcome]) -> None:
        """A customer without a server of his own has the mail in his mailboxes: nothing failed (row D1)."""
        customer = self._customers.get(self._hop.customer)
        if customer and customer.relay is RelayMode.NONE:
            for target, outcome in failures.items():
                await self._spool.finished(waiting.live.envelope.id, (target,), outcome)
            return
        await super().give_up(waiting, failures)

    async def taken(self, waiting: Waiting, targets: list[int], outcome: Outcome, courier: Courier) -> None:
        self._alerted = ""
        offered, self._offered = self._offered, []
        if offered:
            self._good = sorted(offered, key=lambda one: one != courier.destination)
            background("remembering where mail is taken", self._last_good.remember(self._hop, self._good))
        await super().taken(waiting, targets, outcome, courier)


class RelayFlow(Lanes):
    """All customers' lanes. `start` after the spool has started; `live` messages and new ones find their lane."""

    _log = Logger()

    def __init__(
        self,
        customers: Customers,
        exchanges: Exchanges,
        bounces: "Bounces",
        last_good: "LastGood",
        means: Means,
        settings: RelaySettings,
    ) -> None:
        super().__init__(means)
        self._customers = customers
        self._exchanges = exchanges
        self._bounces = bounces
        self._last_good = last_good
        self.settings = settings
        self._homeless: dict[str, list[Waiting]] = {}  # by customer, while the directory does not answer
        self._removed: set[str] = set()  # customers whose mail is dropped, also what comes back from its way
        self._told: dict[str, str] = {}  # why, as far as the log has it
        self._transports: dict[str, str | None] = {}  # by customer, as of the last look

    def start(self) -> None:
        self._means.spool.listeners.append(self.arrived)
        for live in list(self._means.spool.live.values()):
            self.arrived(live)
        self._go_round()

    def arrived(self, live: "Live") -> None:
        """A message was committed, or found in the spool at the start."""
        plan = live.envelope.plan
        wanted = [(index, plan[index]) for index in sorted(live.remaining)]
        by_domain: dict[Hop, list[int]] = {}
        for index, target in wanted:
            if isinstance(target, Relay):
                hop = Hop(target.address.rpartition("@")[2].lower(), target.customer)
                by_domain.setdefault(hop, []).append(index)
        for hop, targets in by_domain.items():
            self._place(hop.customer, list(waitings(live, targets)))

    def flush(self, customer: str) -> int:
        """Make all of a customer's pending mail due now; how many messages that is. See `flows.flush`."""
        lanes = list(self.lanes(customer))
        for lane in lanes:
            lane.flush()
        return sum(len(lane.queue) for lane in lanes)

    def pending(self, customer: str) -> int:
        """Transactions that wait or are on their way, also those whose lane is not known yet."""
        in_lanes = sum(len(lane.queue) + lane.carrying for lane in self.lanes(customer))
        return in_lanes + len(self._homeless.get(customer, ()))

    async def drop(self, customer: str) -> int:
        """Give up what waits for a customer who was removed; how many.

        What is on its way may still arrive; if it comes back it is dropped at the next look. Without Temporary: what
        the disk does not record now counts as done all the same, and the spool records it later.
        """
        self._removed.add(customer)
        waiting = self._homeless.pop(customer, [])
        for lane in self.lanes(customer):
            waiting += lane.queue.remove(lambda _: True)
        finished = self._means.spool.finished  # all are begun before the first is awaited
        dropping = [finished(one.live.envelope.id, one.targets, DROPPED) for one in waiting]
        await gatherResults([background("recording dropped mail", one) for one in dropping])
        return len(waiting)

    # ---- lanes ---------------------------------------------------------------------------------------------

    def _place(self, id: str, waiting: Iterable[Waiting]) -> None:
        customer = self._customers.get(id)
        if customer is None:
            known = id in self._homeless
            self._homeless.setdefault(id, []).extend(waiting)
            if not known:
                background("looking up the customer of pending mail", self._house(id))
            return
        for one in waiting:
            self._lane(customer, one).add(one)

    def _lane(self, customer: Customer, waiting: Waiting) -> Lane:
        target = waiting.live.envelope.plan[waiting.targets[0]]
        assert isinstance(target, Relay)
        domain = "" if customer.smtp_transport else target.address.rpartition("@")[2].lower()
        hop = Hop(domain, customer.id)
        if hop not in self._lanes:
            errand = CustomerErrand(
                hop,
                self._customers,
                self._exchanges,
                self._bounces,
                self._last_good,
                lambda: self.settings.connections,
            )
            self._open(hop, errand).held = customer.relay is not RelayMode.ON
        return self._lanes[hop]

    async def _house(self, id: str) -> None:
        """Find the lane for mail whose customer was not known; what fails is tried again at the next tick."""
        try:
            await self._customers.load(id)
        except (Temporary, LookupError) as error:
            if self._told.get(id) != str(error):  # once, and not at every tick
                self._told[id] = str(error)
                self._log.warn("customer {customer} of pending mail unknown for now: {error}", customer=id, error=error)
            return
        self._told.pop(id, None)
        self._place(id, self._homeless.pop(id, []))

    # ---- now and then --------------------------------------------------------------------------------------

    def _pause(self) -> float:
        return self.settings.refresh

    async def _look_after(self) -> None:
        for id in list(self._homeless):
            await self._house(id)
        customers = {hop.customer for hop in self._lanes}
        for id in self._removed & {*customers, *self._homeless}:
            await self.drop(id)
        for id in customers - self._removed:
            await self._refresh(id)
        for lane in list(self._lanes.values()):
            if lane.hop.customer in self._removed and lane.forgettable:
                del self._lanes[lane.hop]
                continue
            customer = self._customers.get(lane.hop.customer)
            if customer and customer.relay is not RelayMode.HOLD:  # on hold nothing is lost, however long
                lane.give_up_old()

    async def _refresh(self, id: str) -> None:
        """Notice a changed transport (its mail changes lanes at once) and a changed relay mode.

        Mail is looked for in wrong lanes each time: a message that was under way comes back to the one it left from.
        """
        try:
            customer = await self._customers.load(id)
        except (Temporary, LookupError):
            return
        for lane in list(self.lanes(id)):
            if bool(lane.hop.domain) is bool(customer.smtp_transport):
                for waiting in lane.queue.remove(lambda _: True):
                    self._lane(customer, waiting).add(waiting)
                lane.wake()  # to find that it has nothing to wait for
        if self._transports.setdefault(id, customer.smtp_transport) != customer.smtp_transport:
            self._transports[id] = customer.smtp_transport
            for lane in self.lanes(id):
                lane.flush()
        for lane in list(self.lanes(id)):
            held = customer.relay is not RelayMode.ON
            if lane.held != held:
                lane.held = held
                lane.wake()
            if lane.forgettable:
                del self._lanes[lane.hop]
