"""One connection to a next hop, from finding the way until it closes; what its courier asks on the way."""

from typing import Protocol as Shape

from msgspec.structs import replace
from twisted.internet.defer import gatherResults

from emailgency.background import background
from emailgency.codec.smtp.client import Result
from emailgency.flows.relaying.errand import Errand
from emailgency.flows.relaying.exchanges import Unroutable
from emailgency.flows.relaying.guard import Guard
from emailgency.flows.relaying.means import Means
from emailgency.flows.relaying.parcels import REPLY_LENGTH, parcel_of
from emailgency.flows.relaying.settling import Carried, Settling
from emailgency.flows.trust.protection import Demand
from emailgency.model.envelope import Outcome
from emailgency.model.errors import Invalid, Temporary
from emailgency.net.courier import Courier
from emailgency.net.parcel import Closure, Parcel
from emailgency.rules.next_hop import Destination
from emailgency.store.spool.pending import Queue, Waiting

ADDRESSES = 6  # tried on one journey; RFC 5321 section 5.1: "the SMTP client SHOULD try at least two"
CLEAR_FOR = 3600.0  # seconds without TLS for an address whose handshake failed


class Base(Shape):
    """What a journey asks its lane."""

    queue: Queue
    guard: Guard
    settling: Settling
    clear: dict[str, float]  # ip -> until when TLS is not tried

    def next_for(self, journey: "Journey") -> tuple[Waiting, int] | None:
        """The next message and its pass of the guard; None: none now."""

    def dismiss(self, journey: "Journey") -> None:
        """Its canary goes back, unless it left."""

    def retreat(self) -> None:
        """Let no connection give anything more."""

    def wake(self) -> None:
        """Something may have changed."""


class Journey:
    """`canary`: the one message that may go, when the server must prove itself; `probe`: it must, canary or not."""

    def __init__(self, lane: Base, errand: Errand, means: Means) -> None:
        self.canary: Waiting | None = None
        self.probe = False
        self.courier: Courier | None = None
        self._lane = lane
        self._errand = errand
        self._means = means
        self._stopped = False

    @property
    def greeted(self) -> bool:
        """Its session stands."""
        return self.courier is not None and self.courier.greeted

    async def travel(self) -> Closure:
        """Never fails: what happened is in the Closure."""
        try:
            destinations = await self._errand.destinations()
        except Unroutable as error:
            if self._errand.hopeless(error):
                await self._nowhere(error)
            return Closure(reason=str(error))
        except (Invalid, Temporary) as error:
            return Closure(reason=f"no route: {error}")
        closure = Closure(reason="no address to try")
        for destination in destinations[:ADDRESSES]:
            demand = await self._errand.demand(destination)
            closure = await self._visit(destination, demand)
            if closure.tls_failed and self._means.courier.tls == "may" and not demand.must:
                self._lane.clear[destination.ip] = self._means.clock() + CLEAR_FOR
                closure = await self._visit(destination, demand)
            if closure.greeted or self._stopped:
                break
        return closure

    def stop(self) -> None:
        """Take nothing more; returns at once."""
        self._stopped = True
        if self.courier:
            self.courier.leave()

    def leave(self) -> None:
        """Finish what was begun; another journey may follow."""
        if self.greeted and self.courier:
            self.courier.leave()

    def abort(self, reason: str) -> None:
        if self.courier:
            self.courier.abort(reason)

    async def _nowhere(self, error: Unroutable) -> None:
        """The domain takes no mail: everything here fails, nothing is tried."""
        outcome = Outcome(word="bounced", enhanced=error.code, reply=str(error)[:REPLY_LENGTH])
        queue = self._lane.queue
        self._lane.dismiss(self)
        queue.hurry()
        now = self._means.clock()
        while waiting := queue.take(now):  # one by one: what cannot be told now, and all behind it, stays here
            await self._lane.settling.fail(waiting, outcome)

    async def _visit(self, destination: Destination, demand: Demand) -> Closure:
        if self._stopped:
            return Closure(reason="we are stopping")
        if forbidden := self._means.egress.check(destination.ip, destination.port):
            return Closure(reason=forbidden)
        if demand.refused:
            closure = Closure(reason=demand.refused.reason)
            self._errand.visited(destination, demand, False, closure)
            return closure
        means = self._means
        in_clear = not demand.must and self._lane.clear.get(destination.ip, 0.0) > means.clock()
        settings = replace(means.courier, tls="must") if demand.must else means.courier
        tls = None if in_clear else demand.tls
        self.courier = courier = means.couriers(self, settings, means.reactor, means.name, tls)
        try:
            closure = await courier.visit(destination)
        finally:
            self.courier = None
        if demand.fault and demand.must:
            closure = replace(closure, reason=f"{destination.host}: {demand.fault.reason}", greeted=False)
        self._errand.visited(destination, demand, courier.client.secure, closure)
        settling = self._lane.settling
        back = [settling.unsettled(one, closure, courier, self._stopped) for one in closure.unsettled]
        await gatherResults([background("putting back what was on its way", one) for one in back])
        return closure

    # ---- what the courier asks (net.courier.Cargo) ---------------------------------------------------------

    def take(self, courier: Courier) -> Parcel | None:
        if self._stopped or (found := self._lane.next_for(self)) is None:
            if self.probe and courier.idle and self._lane.guard.probing:
                courier.leave()
            return None
        waiting, pass_ = found
        self._lane.settling.carrying += 1
        return parcel_of(waiting, self._means.spool.path(waiting.live.envelope.id), Carried(waiting, pass_))

    async def settle(self, courier: Courier, parcel: Parcel, results: tuple[Result, ...]) -> None:
        carried = parcel.token
        assert isinstance(carried, Carried)
        await self._lane.settling.settle(courier, carried, results, self._lane.retreat)
        if not courier.greeted:
            self._lane.wake()

    def recorded(self, seconds: float) -> None:
        self._means.attempts.recorded(seconds)

    def unreadable(self, parcel: Parcel, reason: str) -> None:
        carried = parcel.token
        assert isinstance(carried, Carried)
        self._lane.settling.unreadable(carried, reason)
