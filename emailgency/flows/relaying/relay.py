"""Giving mail back: everything that waits for customers' own servers (product rows D1, D2).

One lane a next hop: the customer's SMTP transport, else each of his domains by its MX; `customer_errand.py` says
what is special on the way there. A message lives as long as the customer or his plan says, and longer while an incident
is open; relay on hold keeps everything.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct
from twisted.internet.defer import gatherResults
from twisted.logger import Logger

from emailgency.background import background
from emailgency.flows.accounts.customers import Customers
from emailgency.flows.relaying.customer_errand import CustomerErrand, Experience
from emailgency.flows.relaying.exchanges import Exchanges
from emailgency.flows.relaying.lane import Lane
from emailgency.flows.relaying.lanes import Lanes
from emailgency.flows.relaying.means import Means
from emailgency.flows.relaying.rerouted_errand import ReroutedErrand
from emailgency.model.directory import Customer, RelayMode
from emailgency.model.envelope import Outcome, Relay
from emailgency.model.errors import Temporary
from emailgency.store.spool.pending import Hop, Waiting, waitings

if TYPE_CHECKING:
    from emailgency.flows.relaying.bounce import Bounces
    from emailgency.flows.trust.sealing import Sealing
    from emailgency.store.spool.spool import Live


DROPPED = Outcome(word="dropped", reply="the customer was removed")


class RelaySettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Mail for customers' own servers."""

    connections: Annotated[int, Meta(ge=1, le=100, description="Connections to one customer's server at most")] = 20
    refresh: Annotated[
        float, Meta(gt=0, description="Seconds until changed relay settings, and mail that is too old, are noticed")
    ] = 10.0


class RelayFlow(Lanes):
    """All customers' lanes. `start` after the spool has started; `live` messages and new ones find their lane."""

    _log = Logger()

    def __init__(
        self,
        customers: Customers,
        exchanges: Exchanges,
        bounces: "Bounces",
        experience: Experience,
        means: Means,
        settings: RelaySettings,
    ) -> None:
        super().__init__(means)
        self._customers = customers
        self._exchanges = exchanges
        self._bounces = bounces
        self._experience = experience
        self.settings = settings
        self.sealing: Sealing | None = None  # set before the start; None: nothing is sealed
        self.homeless: dict[str, list[Waiting]] = {}  # by customer, while the directory does not answer
        self._removed: set[str] = set()  # customers whose mail is dropped, also what comes back from its way
        self._ill: list[Hop] = []  # were not up when we were stopped: they are probed, mail or not
        self._told: dict[str, str] = {}  # why, as far as the log has it
        self._transports: dict[str, str | None] = {}  # by customer, as of the last look

    def start(self, *, killed: bool = False) -> None:
        """`killed`: the process before us had no time to end: what it gave last may be with its server already."""
        self._means.spool.listeners.append(self.arrived)
        for customer, domain in self._experience.incidents.history.hops():
            if self._experience.incidents.health(Hop(domain, customer)).probing:
                self._ill.append(Hop(domain, customer))
        for live in list(self._means.spool.live.values()):
            self.arrived(live, doubtful=killed)
        self._go_round()

    def arrived(self, live: "Live", doubtful: bool = False) -> None:
        """A message was committed, or found in the spool at the start."""
        plan = live.envelope.plan
        wanted = [(index, plan[index]) for index in sorted(live.remaining)]
        by_domain: dict[Hop, list[int]] = {}
        for index, target in wanted:
            if isinstance(target, Relay):
                hop = Hop(target.address.rpartition("@")[2].lower(), target.customer, target.via)
                by_domain.setdefault(hop, []).append(index)
        for hop, targets in by_domain.items():
            found = list(waitings(live, targets))
            for one in found:
                tried = live.tried.get(one.targets[0])
                one.doubtful = doubtful or (tried is not None and tried.outcome.word == "doubtful")
            self._place(hop.customer, found)

    def flush(self, customer: str) -> int:
        """Make all of a customer's pending mail due now; how many messages that is. See `flows.relaying.flush`."""
        lanes = list(self.lanes(customer))
        count = sum(len(lane.queue) - lane.queue.held for lane in lanes)
        for lane in lanes:
            lane.flush()
        return count

    async def accept_server(self, customer: str) -> None:
        """Whoever answers at a customer's addresses is his server from now on. Raises Temporary."""
        for hop_customer, domain in self._experience.incidents.history.hops():
            if hop_customer == customer:
                await self._experience.last_good.forget_identities(Hop(domain, customer))
        for lane in self.lanes(customer):
            await lane.accept()
        self._log.info("the server of {customer} is accepted as it is", customer=customer)
        self.flush(customer)

    def pending(self, customer: str) -> int:
        """Transactions that wait or are on their way, also those whose lane is not known yet."""
        in_lanes = sum(len(lane.queue) + lane.carrying for lane in self.lanes(customer))
        return in_lanes + len(self.homeless.get(customer, ()))

    async def drop(self, customer: str) -> int:
        """Give up what waits for a customer who was removed; how many.

        What is on its way may still arrive; if it comes back it is dropped at the next look. Without Temporary: what
        the disk does not record now counts as done all the same, and the spool records it later.
        """
        self._removed.add(customer)
        waiting = self.homeless.pop(customer, [])
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
            known = id in self.homeless
            self.homeless.setdefault(id, []).extend(waiting)
            if not known:
                background("looking up the customer of pending mail", self._house(id))
            return
        self._means.holds.meet(customer)
        for one in waiting:
            self._lane(customer, one).add(one)

    def _lane(self, customer: Customer, waiting: Waiting) -> Lane:
        target = waiting.live.envelope.plan[waiting.targets[0]]
        assert isinstance(target, Relay)
        if target.via:
            return self._lane_to(customer, Hop("", customer.id, target.via))
        domain = "" if customer.smtp_transport else target.address.rpartition("@")[2].lower()
        return self._lane_to(customer, Hop(domain, customer.id))

    def _lane_to(self, customer: Customer, hop: Hop) -> Lane:
        if hop not in self._lanes:
            own = CustomerErrand(
                hop,
                self._customers,
                self._exchanges,
                self._bounces,
                self._experience,
                lambda: self.settings.connections,
                self._means,
            )
            own.sealing = self.sealing
            led = ReroutedErrand(hop.via, own, self._exchanges, self._bounces) if hop.via else own
            self._open(hop, led).held = customer.relay is not RelayMode.ON
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
        self._place(id, self.homeless.pop(id, []))

    # ---- now and then --------------------------------------------------------------------------------------

    def _pause(self) -> float:
        return self.settings.refresh

    async def _look_after(self) -> None:
        await self._visit_the_ill()
        for id in list(self.homeless):
            await self._house(id)
        customers = {hop.customer for hop in self._lanes}
        for id in self._removed & {*customers, *self.homeless}:
            await self.drop(id)
        for id in customers - self._removed:
            await self._refresh(id)
        for lane in list(self._lanes.values()):
            if lane.hop.customer in self._removed and lane.empty:
                await lane.stop()
                del self._lanes[lane.hop]
                continue
            customer = self._customers.get(lane.hop.customer)
            if customer and customer.relay is not RelayMode.HOLD:  # on hold nothing is lost, however long
                lane.give_up_old()
        self._end_incidents()
        await self._experience.known.write()

    async def _visit_the_ill(self) -> None:
        """Open the lanes of servers that were not up before the restart."""
        ill, self._ill = self._ill, []
        for hop in ill:
            try:
                self._lane_to(await self._customers.load(hop.customer), hop).wake()
            except LookupError:
                continue
            except Temporary:
                self._ill.append(hop)

    def _end_incidents(self) -> None:
        """An incident ends when all servers of its customer are well, and nothing that may go is here."""
        for lane in self._lanes.values():
            if lane.quiet:
                lane.guard.quiet()
        own = [(hop.customer, lane) for hop, lane in self._lanes.items() if not hop.via]
        ill = {customer for customer, lane in own if lane.guard.probing or not lane.quiet or lane.held}
        ill |= {hop.customer for hop in self._ill} | set(self.homeless)
        for customer in self._experience.incidents.ongoing() - ill:
            self._experience.incidents.close(customer)

    async def _refresh(self, id: str) -> None:
        """Notice a changed transport (its mail changes lanes at once) and a changed relay mode.

        Mail is looked for in wrong lanes each time: a message that was under way comes back to the one it left from.
        """
        try:
            customer = await self._customers.load(id)
        except (Temporary, LookupError):
            return
        held = customer.relay is not RelayMode.ON
        turned = [lane for lane in self.lanes(id) if lane.hold(held)]
        for lane in list(self.lanes(id)):
            if not lane.hop.via and bool(lane.hop.domain) is bool(customer.smtp_transport):
                for waiting in lane.queue.remove(lambda _: True):
                    self._lane(customer, waiting).add(waiting)
                lane.wake()  # to find that it has nothing to wait for
        if self._transports.setdefault(id, customer.smtp_transport) != customer.smtp_transport:
            self._transports[id] = customer.smtp_transport
            for lane in self.lanes(id):
                lane.flush()
        for lane in list(self.lanes(id)):
            if lane in turned:
                lane.wake()
            if lane.forgettable or (lane.empty and _is_no_way(customer, lane.hop)):
                await lane.stop()
                del self._lanes[lane.hop]


def _is_no_way(customer: Customer, hop: Hop) -> bool:
    """No new mail of the customer goes there by itself."""
    if hop.via or customer.relay is RelayMode.NONE or bool(hop.domain) is bool(customer.smtp_transport):
        return True
    return bool(hop.domain) and hop.domain not in (customer.domain, *customer.domain_aliases)
