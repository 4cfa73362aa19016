"""The lane to one next hop: takes what is pending there, oldest first, over as many connections as its health allows.

What belongs to all remote mail is here: probing, reuse of connections, recording of outcomes, putting back what
is to be tried again. A next hop whose connection ended before its last result was recorded gets nothing more until
that is on stable storage: or, on a full disk, each connection would add a message that a crash repeats. What differs
between a customer's own server and anybody else's is asked of an `Errand`.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec import Struct
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from emailgency.background import background
from emailgency.codec.smtp.client import Result
from emailgency.flows.errand import Errand
from emailgency.flows.exchanges import Unroutable
from emailgency.flows.parcels import REPLY_LENGTH, outcome_of, parcel_of
from emailgency.model.envelope import Outcome
from emailgency.model.errors import Invalid, Temporary
from emailgency.net.client_tls import Opportunistic
from emailgency.net.courier import UNRECORDED, Courier, CourierSettings
from emailgency.net.egress import Egress
from emailgency.net.parcel import Closure, Parcel, Unsettled
from emailgency.net.reactor import NetReactor
from emailgency.rules import health as rule
from emailgency.rules.next_hop import Destination
from emailgency.rules.retry import RetrySettings, message_wait
from emailgency.store.pending import Hop, Queue, Waiting

if TYPE_CHECKING:
    from emailgency.store.spool import Live, Spool

ADDRESSES = 6  # tried on one journey; RFC 5321 section 5.1: "the SMTP client SHOULD try at least two"
CLEAR_FOR = 3600.0  # seconds without TLS for an address whose handshake failed
FULL_WAIT = 1.0  # seconds until the next look for a free place, or for room on the disk


class Places:
    """For connections, over all lanes; `limit` keeps a thousand dead servers from taking every descriptor."""

    def __init__(self, limit: int) -> None:
        self.limit = limit  # may change
        self._open = 0

    def enter(self) -> bool:
        """False: all places are taken."""
        if self._open >= self.limit:
            return False
        self._open += 1
        return True

    def leave(self) -> None:
        self._open -= 1


class Means(Struct, kw_only=True):
    """What every lane travels with; `courier` and `retry` change when the settings are read again."""

    spool: "Spool"
    egress: Egress
    reactor: NetReactor
    clock: Callable[[], float]
    chance: Callable[[], float]  # random numbers in [0, 1)
    name: str  # ours in EHLO
    courier: CourierSettings
    retry: RetrySettings
    places: Places


class Given(Struct, eq=False):
    """A result that is not recorded yet. `failed`: it could not be; the spool tries again while `live.recording`."""

    courier: Courier
    live: "Live"
    failed: bool = False


class Lane:
    """One per next hop; `wake` whenever something may have changed."""

    _log = Logger()

    def __init__(self, hop: Hop, errand: Errand, means: Means) -> None:
        self.hop = hop
        self.queue = Queue()
        self.held = False  # relay on hold: nothing leaves
        self.health = rule.Health()
        self.carrying = 0  # messages taken out of the queue and not yet settled
        self._errand = errand
        self._means = means
        self._couriers: set[Courier] = set()
        self._given: set[Given] = set()
        self._journeys = 0
        self._clear: dict[str, float] = {}  # ip -> until when TLS is not tried, after a failed handshake
        self._alarm: IDelayedCall | None = None
        self._stopped = False
        self._home: Deferred[None] | None = None  # fires when the last courier is back after `stop`

    def add(self, waiting: Waiting) -> None:
        self.queue.add(waiting, self._means.clock())
        self.wake()

    def flush(self) -> None:
        """All is due now, and the next probe too (row D2); the number of connections still grows step by step."""
        self.queue.hurry()
        self.health = rule.hurried(self.health, self._means.clock())
        self.wake()

    async def stop(self) -> None:
        """No new work; returns when what is on the way has ended, or was cut off by whoever has no patience left."""
        self._stopped = True
        if self._alarm and self._alarm.active():
            self._alarm.cancel()
        for courier in list(self._couriers):
            courier.leave()
        if self._journeys:
            home: Deferred[None] = Deferred()
            self._home = home
            await home

    def cut(self) -> None:
        for courier in list(self._couriers):
            courier.abort("we are stopping")
        if self._home and not self._couriers:  # whoever still asks the DNS has nothing in hand
            self._came_home()

    def give_up_old(self) -> None:
        """Give up what has waited too long, also while the server is down."""
        now = self._means.clock()
        while waiting := self.queue.take_older(now, now):
            if not self._errand.outlived(waiting, now):
                self.queue.add(waiting, now)
                return
            background("giving up what has waited too long", self._give_up(waiting))

    @property
    def connections(self) -> int:
        return self._journeys

    @property
    def forgettable(self) -> bool:
        """Nothing is here and nothing is on the way."""
        return not (len(self.queue) or self._journeys or self.carrying or self._given)

    # ---- going out -----------------------------------------------------------------------------------------

    def wake(self) -> None:
        """Give work to idle couriers, send out new ones as far as health allows, else sleep until something is due."""
        if self._stopped or self.held:
            return
        now = self._means.clock()
        if self._in_debt():
            self._sleep(now, at_most=FULL_WAIT)
            return
        for courier in self._couriers:
            if not self.queue.ready(now):
                break
            courier.more()
        allowed = min(self._errand.limit, rule.allowed(self.health, now))
        opening = self._journeys - sum(courier.greeted for courier in self._couriers)
        while self._journeys < allowed and self.queue.ready(now) > opening:
            if not self._means.places.enter():
                self._sleep(now, at_most=FULL_WAIT)
                return
            self._journeys += 1
            opening += 1
            background("carrying mail to a next hop", self._journey())
        self._sleep(now)

    def _sleep(self, now: float, at_most: float | None = None) -> None:
        times = [now + at_most] if at_most is not None else []
        if (due := self.queue.next_due()) is not None:
            times.append(due)
        if self.queue.ready(now) and not self._journeys:
            times.append(self.health.next_probe)
        if self._alarm and self._alarm.active():
            self._alarm.cancel()
        if times:
            self._alarm = self._means.reactor.callLater(max(0.01, min(times) - now), self.wake)

    async def _journey(self) -> None:
        """One connection, from finding the way until it closes."""
        closure = Closure(reason="interrupted")
        try:
            closure = await self._travel()
        finally:
            self._journeys -= 1
            self._means.places.leave()
            self._returned(closure)
            if not self._journeys:
                self._came_home()

    def _came_home(self) -> None:
        home, self._home = self._home, None
        if home:
            home.callback(None)

    async def _travel(self) -> Closure:
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
            closure = await self._visit(destination)
            if closure.tls_failed and self._means.courier.tls == "may":
                self._clear[destination.ip] = self._means.clock() + CLEAR_FOR
                closure = await self._visit(destination)
            if closure.greeted or self._stopped:
                break
        return closure

    async def _nowhere(self, error: Unroutable) -> None:
        """The domain takes no mail: everything here fails, nothing is tried."""
        outcome = Outcome(word="bounced", enhanced=error.code, reply=str(error)[:REPLY_LENGTH])
        self.queue.hurry()
        now = self._means.clock()
        while waiting := self.queue.take(now):  # one by one: what cannot be told now, and all behind it, stays here
            await self._fail(waiting, outcome)

    async def _visit(self, destination: Destination) -> Closure:
        if self._stopped:
            return Closure(reason="we are stopping")
        if forbidden := self._means.egress.check(destination.ip, destination.port):
            return Closure(reason=forbidden)
        in_clear = self._clear.get(destination.ip, 0.0) > self._means.clock()
        tls = None if in_clear else Opportunistic(destination.host)
        courier = Courier(self, self._means.courier, self._means.reactor, self._means.name, tls)
        self._couriers.add(courier)
        try:
            closure = await courier.visit(destination)
        finally:
            self._couriers.discard(courier)
        back = [self._unsettled(unsettled, closure, courier) for unsettled in closure.unsettled]
        await gatherResults([background("putting back what was on its way", one) for one in back])
        return closure

    def _returned(self, closure: Closure) -> None:
        """What a connection that is over says about the server."""
        now = self._means.clock()
        if closure.reason != UNRECORDED and not (closure.greeted and (closure.carried or not closure.unsettled)):
            if any(courier.greeted for courier in self._couriers):
                self.health = rule.crowded(self.health, now, self._journeys)
            else:
                before = self.health
                self.health = rule.failed(before, now, closure.reason, self._means.retry, self._means.chance)
                if before.state is not self.health.state or before.reason != self.health.reason:
                    self._log.warn(
                        "next hop {hop} is {state}: {reason}; {pending} pending",
                        hop=self._errand.name,
                        state=self.health.state.value,
                        reason=ascii(closure.reason),
                        pending=len(self.queue),
                    )
        self.wake()

    # ---- what couriers ask (net.courier.Cargo) -------------------------------------------------------------

    def take(self, courier: Courier) -> Parcel | None:
        if self._stopped or self.held or self._in_debt():
            return None
        now = self._means.clock()
        while waiting := self.queue.take(now):
            if self._errand.outlived(waiting, now):
                background("giving up what has waited too long", self._give_up(waiting))
                continue
            self.carrying += 1
            return parcel_of(waiting, self._means.spool.path(waiting.live.envelope.id))
        return None

    async def settle(self, courier: Courier, parcel: Parcel, results: tuple[Result, ...]) -> None:
        waiting = parcel.token
        assert isinstance(waiting, Waiting)
        self.carrying -= 1
        self._alive()
        given = Given(courier, waiting.live)
        self._given.add(given)
        taken: list[int] = []
        again: list[tuple[int, Result]] = []
        failures: dict[int, Outcome] = {}
        for target, result in zip(waiting.targets, results, strict=True):
            if result.reply.code < 300:
                taken.append(target)
            elif result.reply.code >= 500 and self._errand.final(result):
                failures[target] = outcome_of("bounced", result, courier)
            else:
                again.append((target, result))
        try:
            if taken:
                accepted = results[waiting.targets.index(taken[0])]
                await self._errand.taken(waiting, taken, outcome_of("relayed", accepted, courier), courier)
            if failures:
                await self._errand.give_up(waiting, failures)
        except BaseException:
            self._retreat(given)
            # What is not recorded stays pending and goes again: twice rather than never
            unrecorded = tuple(target for target in waiting.targets if target in waiting.live.remaining)
            if unrecorded:
                self._put_back(waiting, unrecorded, self._means.retry.message_first)
            raise
        self._given.discard(given)
        if not courier.greeted:
            self.wake()
        if again:
            targets = tuple(target for target, _ in again)
            await self._again(waiting, targets, outcome_of("deferred", again[0][1], courier))

    def _in_debt(self) -> bool:
        """A connection is over whose last result is not on stable storage."""
        self._given = {given for given in self._given if not given.failed or given.live.recording}
        return any(given.failed or not given.courier.greeted for given in self._given)

    def _retreat(self, given: Given) -> None:
        given.failed = True
        if given.live.recording:
            self._log.error("nothing goes to {hop} until what it took is recorded", hop=self._errand.name)
            for courier in list(self._couriers):
                courier.retreat()

    def unreadable(self, parcel: Parcel, reason: str) -> None:
        waiting = parcel.token
        assert isinstance(waiting, Waiting)
        self._log.error("{id} cannot be read: {reason}", id=waiting.live.envelope.id, reason=reason)
        self.carrying -= 1
        self._put_back(waiting, waiting.targets, self._means.retry.message_longest)

    # ---- afterwards ----------------------------------------------------------------------------------------

    def _alive(self) -> None:
        before = self.health
        self.health = rule.taken(before, self._means.clock(), self._errand.limit)
        if self.health is not before:
            if before.state is not rule.State.UP:
                pending = len(self.queue)
                self._log.info("next hop {hop} is up; {pending} pending", hop=self._errand.name, pending=pending)
            self.wake()

    async def _unsettled(self, unsettled: Unsettled, closure: Closure, courier: Courier) -> None:
        """The connection went away under a message: the one it was about waits, the one behind it is innocent."""
        waiting = unsettled.parcel.token
        assert isinstance(waiting, Waiting)
        self.carrying -= 1
        if unsettled.doubtful:
            self._log.warn(
                "{id} may have been taken by {peer}, it will be sent again: {reason}",
                id=waiting.live.envelope.id,
                peer=courier.peer,
                reason=ascii(closure.reason),
            )
        if not unsettled.begun or self._stopped or closure.reason == UNRECORDED:
            self._put_back(waiting, waiting.targets, 0.0)
            return
        outcome = Outcome(word="deferred", enhanced="4.4.2", reply=closure.reason[:REPLY_LENGTH], remote=courier.peer)
        await self._again(waiting, waiting.targets, outcome)

    async def _again(self, waiting: Waiting, targets: tuple[int, ...], outcome: Outcome) -> None:
        wait = message_wait(self._means.retry, waiting.wait, self._means.chance)
        later = self._put_back(waiting, targets, wait)
        await self._errand.put_off(later, outcome)

    def _put_back(self, waiting: Waiting, targets: tuple[int, ...], wait: float) -> Waiting:
        now = self._means.clock()
        later = Waiting(waiting.live, targets, now + wait, wait or waiting.wait)
        self.queue.add(later, now)
        return later

    async def _give_up(self, waiting: Waiting) -> None:
        reason = self.health.reason or "waited too long"
        self.carrying += 1  # a lane that looks empty is forgotten, and this may come back
        try:
            await self._fail(waiting, Outcome(word="expired", enhanced="4.4.7", reply=reason[:REPLY_LENGTH]))
        finally:
            self.carrying -= 1

    async def _fail(self, waiting: Waiting, outcome: Outcome) -> None:
        try:
            await self._errand.give_up(waiting, dict.fromkeys(waiting.targets, outcome))
        except BaseException:
            self._put_back(waiting, waiting.targets, self._means.retry.message_first)
            raise
