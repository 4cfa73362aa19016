"""The lane to one next hop: takes what is pending there, oldest first, over as many connections as its guard allows.

What belongs to all remote mail is here: probing, reuse of connections, sleeping until something is due. The parts:
`Guard` knows the server, a `Journey` is one connection, `Settling` records what became of messages. What differs
between a customer's own server and anybody else's is asked of an `Errand`.
"""

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall

from emailgency.background import background
from emailgency.flows.relaying.errand import Errand
from emailgency.flows.relaying.guard import Guard
from emailgency.flows.relaying.journey import Journey
from emailgency.flows.relaying.means import Means
from emailgency.flows.relaying.settling import Settling
from emailgency.net.courier import UNRECORDED
from emailgency.net.parcel import Closure
from emailgency.rules.health import Health, State
from emailgency.store.spool.pending import Hop, Queue, Waiting

SEALED_AHEAD = 8  # messages being sealed at a time
FULL_WAIT = 1.0  # seconds until the next look for a free place, or for room on the disk


class Lane:
    """One per next hop; `wake` whenever something may have changed."""

    def __init__(self, hop: Hop, errand: Errand, means: Means) -> None:
        self.hop = hop
        self.queue = Queue(means.holds.parted)
        self.held = False  # relay on hold: nothing leaves
        self.guard = Guard(errand, means)
        self.guard.changed = self.wake
        self.settling = Settling(hop, self.queue, self.guard, errand, means)
        self.clear: dict[str, float] = {}  # ip -> until when TLS is not tried, after a failed handshake
        self._errand = errand
        self._means = means
        self._journeys: set[Journey] = set()
        self._alarm: IDelayedCall | None = None
        self._unreached = False  # a connection failed since this lane is open, or may be used again
        self._opened_at = means.clock()
        self._sealing = 0  # messages taken out of the queue to be sealed
        self._stopped = False
        self._home: Deferred[None] | None = None  # fires when the last courier is back after `stop`

    @property
    def health(self) -> Health:
        return self.guard.health

    @property
    def connections(self) -> int:
        """Open ones, and those that look for their way."""
        return len(self._journeys)

    @property
    def carrying(self) -> int:
        """Messages on their way."""
        return self.settling.carrying

    @property
    def quiet(self) -> bool:
        """Nothing may go now and nothing is on its way; what is here was put off."""
        return not self.queue.ready(self._means.clock()) and self.settling.empty

    @property
    def forgettable(self) -> bool:
        """Nothing is here, nothing is on the way, and nothing is known that must be."""
        return self.empty and not (self._journeys or (self._errand.guarded and self.health.state is not State.UP))

    @property
    def empty(self) -> bool:
        """No mail is here, and none is on its way."""
        return not len(self.queue) and self.settling.empty

    def expires_at(self, waiting: Waiting) -> float | None:
        """When it is given up, if nothing changes; None: never, as things are."""
        return None if waiting.held else self._expiry(waiting.term_from)

    def first_expiry(self) -> float | None:
        """When the first of what is here is given up; None as of `expires_at`."""
        first = min((one.term_from for one in self.queue if not one.held), default=None)
        return None if first is None else self._expiry(first)

    def _expiry(self, term_from: float) -> float | None:
        at = self._errand.expires_at(term_from)
        if at is None or at > self._means.clock():
            return at
        return self._errand.expires_at(self._opened_at)  # it is owed an attempt, else it had gone

    def hold(self, held: bool) -> bool:
        """Nothing leaves, or all may again: `wake` the lane then. Whether that is news."""
        if held == self.held:
            return False
        self.held = held
        if not held:
            self._unreached = False
            self.queue.set_free(self._means.clock())
        return True

    def add(self, waiting: Waiting) -> None:
        self.queue.add(waiting, self._means.clock())
        self.wake()

    def flush(self) -> None:
        """All is due now, and the next probe too (row D2); what leaves at once is for the guard to say."""
        self.queue.hurry()
        self.guard.hurry()
        self.wake()

    async def accept(self) -> None:
        """Whoever answers is the server that is meant. Raises Temporary."""
        await self._errand.accept()

    def give_up_old(self) -> None:
        """Give up what has waited too long, also while the server is down."""
        now = self._means.clock()
        while waiting := self.queue.take_older(now, now):
            if not self._spent(waiting, now):
                self.queue.add(waiting, now)
                break
            self._give_up(waiting)
        if waiting and (at := self._errand.expires_at(waiting.received_at)) is not None and at < now:
            # It was held, or is owed an attempt; what came after it need not have been
            for one in self.queue.remove(lambda one: not one.held and self._spent(one, now)):
                self._give_up(one)

    def _spent(self, waiting: Waiting, now: float) -> bool:
        """It has waited too long, though it was tried: perhaps something held it while we were stopped, or it was led
        here after that. What cannot be tried waits a whole term in this lane; of strangers' servers it is enough that
        they were not reached.
        """
        if not self._errand.outlived(waiting, now):
            return False
        if waiting.attempted or self.held or (self._unreached and not self._errand.guarded):
            return True
        at = self._errand.expires_at(self._opened_at)
        return at is not None and at < now

    def _give_up(self, waiting: Waiting) -> None:
        background("giving up what has waited too long", self.settling.expire(waiting))

    # ---- going out -----------------------------------------------------------------------------------------

    def wake(self) -> None:
        """Give work to idle couriers, send out new ones as the guard allows, else sleep until something is due."""
        if self._stopped or self.held:
            return
        now = self._means.clock()
        if self.settling.in_debt:
            self._sleep(now, at_most=FULL_WAIT)
            return
        if self.guard.probing:
            self._probe(now)
        else:
            self._give(now)

    def _give(self, now: float) -> None:
        for journey in list(self._journeys):
            if not self.queue.ready(now):
                break
            if journey.courier:
                journey.courier.more()
        if self.guard.probing:  # what was taken has told that
            return
        room, ready = self.guard.room(now), self.queue.ready(now)
        if room is not None:
            ready = min(ready, room)
        opening = sum(not journey.greeted for journey in self._journeys)
        while len(self._journeys) < self.guard.connections(now) and ready > opening:
            if not self._send_out(Journey(self, self._errand, self._means)):
                self._sleep(now, at_most=FULL_WAIT)
                return
            opening += 1
        if self.quiet:
            self.guard.quiet()
        self._sleep(now)

    def _probe(self, now: float) -> None:
        """Whoever is on the way from better times comes home; then one goes, with one message or none."""
        for journey in list(self._journeys):
            if not journey.probe:
                journey.leave()
        wanted = self.queue.ready(now) or (self.guard.probe_without_mail and not self.held)
        if wanted and not self._journeys and self.guard.connections(now):
            probe = Journey(self, self._errand, self._means)
            probe.probe = True
            if not self._send_out(probe):
                self._sleep(now, at_most=FULL_WAIT)
                return
        self._sleep(now)

    def _send_out(self, journey: Journey) -> bool:
        if not self._means.places.enter():
            return False
        self._journeys.add(journey)
        background("carrying mail to a next hop", self._travel(journey))
        return True

    def _sleep(self, now: float, at_most: float | None = None) -> None:
        times = [now + at_most] if at_most is not None else []
        if (due := self.queue.next_due()) is not None:
            times.append(due)
        wanted = self.queue.ready(now) or self.guard.probe_without_mail
        waited_for = wanted and not (self._journeys and self.guard.probing)
        if waited_for and (look := self.guard.next_look(now)) is not None:
            times.append(look)
        if self._alarm and self._alarm.active():
            self._alarm.cancel()
        if times:
            self._alarm = self._means.reactor.callLater(max(0.01, min(times) - now), self.wake)

    async def _travel(self, journey: Journey) -> None:
        closure = Closure(reason="interrupted")
        try:
            if journey.probe and self.queue.ready(self._means.clock()):
                journey.canary = await self._errand.canary(self.queue, self._means.clock())
                self.settling.carrying += bool(journey.canary)
                if journey.canary and self._errand.unsealed(journey.canary):
                    await self._errand.seal(journey.canary)
            why = await self._errand.impostor() if journey.probe else ""
            closure = Closure(reason=why) if why else await journey.travel()
        finally:
            self.dismiss(journey)
            self._journeys.discard(journey)
            self._means.places.leave()
            self._returned(journey, closure)
            if not self._journeys:
                self._came_home()

    def _returned(self, journey: Journey, closure: Closure) -> None:
        """What a connection that is over says about the server."""
        if closure.reason != UNRECORDED and not (closure.greeted and (closure.carried or not closure.unsettled)):
            if not self._stopped:
                self._unreached = True
                others = sum(one.greeted for one in self._journeys)
                self.guard.session_failed(closure.reason, others=others, still_open=len(self._journeys))
        elif journey.probe and closure.greeted and not closure.carried:
            self.guard.stood()
        self.wake()

    def next_for(self, journey: Journey) -> tuple[Waiting, int] | None:
        """The next message and its pass of the guard; None: none now."""
        if self._stopped or self.held or self.settling.in_debt:
            return None
        if self.guard.probing:
            if canary := self._canary_of(journey):
                return canary, self.guard.begin()
            return None
        now = self._means.clock()
        if self.guard.room(now) == 0:
            return None
        while waiting := self.queue.take(now):
            if waiting.attempted and self._errand.outlived(waiting, now):
                self._give_up(waiting)
            elif self._errand.unsealed(waiting):
                background("sealing what is to go", self._seal(waiting))
                if self._sealing >= SEALED_AHEAD:
                    return None
            else:
                return waiting, self.guard.begin()
        return None

    async def _seal(self, waiting: Waiting) -> None:
        """It is the next to go again as soon as that is done."""
        self._sealing += 1
        self.settling.carrying += 1  # neither empty nor forgettable
        try:
            await self._errand.seal(waiting)
        finally:
            self._sealing -= 1
            self.settling.carrying -= 1
            self.add(waiting)

    def _canary_of(self, journey: Journey) -> Waiting | None:
        canary, journey.canary = journey.canary, None
        self.settling.carrying -= bool(canary)  # whoever gets it counts it
        return canary

    def dismiss(self, journey: Journey) -> None:
        """Its canary goes back, unless it left."""
        if canary := self._canary_of(journey):
            self.settling.put_back(canary, canary.targets, 0.0)

    def retreat(self) -> None:
        """Results cannot be recorded: let no further message be taken."""
        for journey in list(self._journeys):
            if journey.courier:
                journey.courier.retreat()

    # ---- the end -------------------------------------------------------------------------------------------

    async def stop(self) -> None:
        """No new work; returns when what is on the way has ended, or was cut off by whoever has no patience left."""
        self._stopped = True
        if self._alarm and self._alarm.active():
            self._alarm.cancel()
        for journey in list(self._journeys):
            journey.stop()
        if self._journeys:
            home: Deferred[None] = Deferred()
            self._home = home
            await home

    def cut(self) -> None:
        abroad = [journey for journey in self._journeys if journey.courier]
        for journey in abroad:
            journey.abort("we are stopping")
        if self._home and not abroad:  # whoever still asks the DNS has nothing in hand
            self._came_home()

    def _came_home(self) -> None:
        home, self._home = self._home, None
        if home:
            home.callback(None)
