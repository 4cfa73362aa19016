"""What is known of one next hop, and what may go there because of it: the rules of health, pace and guard, applied.

For a customer's own server the guard of row G1 stands between DOWN and UP, and watches while it is UP. Somebody else's
server gets no guard: what he refuses is his affair.
"""

from collections.abc import Callable

from msgspec import Struct
from twisted.logger import Logger

from emailgency.flows.relaying.errand import Errand
from emailgency.flows.relaying.means import Means
from emailgency.net.courier import Courier
from emailgency.rules import guard as gates
from emailgency.rules import health as healths
from emailgency.rules import pace as paces
from emailgency.rules.guard import CANARY, OPEN, Gate, Said, Tally
from emailgency.rules.health import Health, State
from emailgency.rules.pace import Pace

BUSY = 10  # messages in a row that an overloaded server put off, until it is asked by probes only
DOUBTS = 5  # different messages in a row, refused and none taken, that make a suspicion a certainty


class Told(Struct, frozen=True):
    """What one transaction tells. `pass_`: of `Guard.begin`; `repeated`: the same was refused before."""

    said: Said
    pass_: int
    waited: float  # seconds from its end to the final reply
    words: str
    repeated: bool = False


class Guard:
    """One a lane. `health` is what it is all about."""

    _log = Logger()

    def __init__(self, errand: Errand, means: Means) -> None:
        self.health = errand.health()
        self.pace = Pace()
        self.gate = CANARY if self.health.probing else OPEN
        self.last_taken = float("-inf")
        self._errand = errand
        self._means = means
        self._tally = Tally()
        self._passes = 0  # gates so far; what left under an earlier one proves nothing under this
        self._suspicious = False  # it was the answers that made us stop: only a message that is taken proves better
        self._busy = 0
        self._doubts = 0
        self.changed: Callable[[], None] = lambda: None  # called when more or less may go than before

    # ---- what may go ---------------------------------------------------------------------------------------

    @property
    def probing(self) -> bool:
        """Only a probe may go there."""
        return self.health.probing

    @property
    def probe_without_mail(self) -> bool:
        """A session alone would tell something: the server was not to be reached, and is a customer's."""
        return self._errand.guarded and self.health.probing and not self._suspicious

    def connections(self, now: float) -> int:
        """How many may be open now."""
        if self.health.probing:
            return 1 if now >= self.health.next_probe else 0
        return min(self._errand.limit, self.pace.connections)

    def room(self, now: float) -> int | None:
        """How many messages may begin now; None: as many as there are."""
        return self.gate.room(now)

    def next_look(self, now: float) -> float | None:
        """When something may go that may not now; None: when something is told."""
        if self.health.probing:
            return self.health.next_probe
        return self.gate.opens_at if self.gate.opens_at > now else None

    def begin(self) -> int:
        """One leaves; the pass is to be told back."""
        if self.gate.wave:
            self.gate = gates.begin(self.gate)
        return self._passes

    def came_back(self, pass_: int) -> None:
        """It was not tried after all."""
        if self.gate.wave and pass_ == self._passes:
            self.gate = gates.came_back(self.gate)

    def lost(self, pass_: int) -> None:
        """The connection went away under it: an answer of a kind, and not a good one."""
        if self.gate.wave and pass_ == self._passes and not self.health.probing:
            self._count(taken=False)

    # ---- what is told --------------------------------------------------------------------------------------

    def taken(self, pass_: int, waited: float, courier: Courier) -> None:
        """All of a message was taken: the same as `told`, and cheap while all is well."""
        if self.health.state is not State.UP or self.gate.wave:
            stranger = self._errand.stranger(courier) if self.health.probing else ""
            self.told(Told(Said.TAKEN, pass_, waited, ""), stranger)
            return
        now = self.last_taken = self._means.clock()
        self._busy = self._doubts = 0
        if self._errand.guarded:
            self._tally.note(False, self._means.guard)
        pace = paces.taken(self.pace, now, waited, self._errand.limit)
        if pace is not self.pace:
            self.pace = pace
            self.changed()

    def told(self, told: Told, stranger: str = "") -> None:
        """A transaction has ended. `stranger`: words when another server than before took it."""
        before = self.health, self.pace, self.gate
        self._hear(told, stranger)
        if before[0] is not self.health or before[1] is not self.pace or before[2] is not self.gate:
            self.changed()

    def _hear(self, told: Told, stranger: str) -> None:
        now = self._means.clock()
        if told.said is Said.TAKEN:
            self.last_taken, self._busy, self._doubts = now, 0, 0
        elif told.said in (Said.DENIED, Said.REFUSED):
            self._doubts += not told.repeated
        if not self._errand.guarded:
            self._become(healths.passed(self.health, now, guarded=False))
            self._adapt(told, now)
        elif self.health.probing:
            if told.pass_ == self._passes:
                self._judge(told, now, stranger)
        else:
            self._watch(told, now)

    def _judge(self, told: Told, now: float, stranger: str) -> None:
        """The canary has its answer."""
        suspect = self.health.state is State.SUSPECT
        lives = suspect and not self._suspicious and told.said in (Said.LATER, Said.REFUSED)
        if told.said is Said.TAKEN or lives:
            self._pass(now, stranger)
        elif told.repeated or (suspect and told.said in (Said.LATER, Said.REFUSED) and self._doubts < DOUBTS):
            # It says more of that message than of the server: the next one, please
            wait = self._means.retry.probe_first if told.repeated else 0.0
            self._renew(CANARY)
            self.health = healths.postponed(self.health, now + wait)
        else:
            self._fail(now, told.words)

    def _watch(self, told: Told, now: float) -> None:
        """Mail flows: does it still do well?"""
        self._adapt(told, now)
        if (told.said is Said.DENIED and not told.repeated) or self._busy >= BUSY:
            self._stop(now, told.words)
        elif not told.repeated and self._tally.note(told.said in (Said.REFUSED, Said.DENIED), self._means.guard):
            self._stop(now, f"too much is refused, last: {told.words}")
        elif self.gate.wave and told.pass_ == self._passes:
            self._count(taken=told.said is Said.TAKEN)

    def _count(self, *, taken: bool) -> None:
        self.gate = gates.ended(self.gate, taken, self._means.guard)
        if not self.gate.ended:  # a new wave, and nothing of the last one counts for it
            self._passes += 1
        if not self.gate.wave:
            self._become(healths.recovered(self.health, self._means.clock()))

    def _adapt(self, told: Told, now: float) -> None:
        if told.said is Said.BUSY:
            self._busy += 1
            self.pace = paces.eased(self.pace, now)
        else:
            self.pace = paces.taken(self.pace, now, told.waited, self._errand.limit)

    def stood(self) -> None:
        """A session was had without mail: the server answers."""
        if self.health.probing:
            self._pass(self._means.clock(), "")

    def session_failed(self, reason: str, *, others: int, still_open: int) -> None:
        """No session came about, or it died over its first message. `others`: sessions that stand."""
        now = self._means.clock()
        if others:
            self.pace = paces.crowded(self.pace, now, still_open)
        else:
            self._suspicious = False
            self._fail(now, reason)

    def quiet(self) -> None:
        """Nothing is ready and nothing is on its way: what was pending is home, except what was put off."""
        if self.health.state is State.RECOVERING and self.gate.wave > 1:
            self._renew(OPEN)
            self._become(healths.recovered(self.health, self._means.clock()))

    def hurry(self) -> None:
        """A flush: a probe now, or waves again from the first."""
        self.health = healths.hurried(self.health, self._means.clock())
        if not self.health.probing and self._errand.guarded and not self.gate.wave:
            self._renew(Gate(self._means.guard.factor))
            self.pace = Pace(best=self.pace.best)

    # ---- what follows --------------------------------------------------------------------------------------

    def _pass(self, now: float, stranger: str) -> None:
        before = self.health.state
        self._suspicious = False
        self._become(healths.passed(self.health, now, self._errand.guarded))
        self.pace = Pace(min(2, self._errand.limit))
        self._renew(OPEN)
        if self.health.state is State.RECOVERING and self.last_taken < now:
            self._renew(CANARY)  # nothing was taken yet
        elif self.health.state is State.RECOVERING:
            wait = self._means.guard.stranger * gates.MINUTE if stranger else 0.0
            self._renew(Gate(self._means.guard.factor, opens_at=now + wait if wait else 0.0))
            if stranger:
                self._errand.alert(f"another server than before took mail: {stranger}; the rest waits {wait:.0f} s")
        if before is not self.health.state:
            self._tally.clear()

    def _fail(self, now: float, reason: str) -> None:
        self.pace = Pace()
        self._renew(CANARY)
        self._become(healths.failed(self.health, now, reason, self._means.retry, self._means.chance))

    def _stop(self, now: float, why: str) -> None:
        self._suspicious = True
        self._busy = 0
        self._tally.clear()
        self.pace = Pace()
        self._renew(CANARY)
        self._become(healths.stopped(self.health, now, why, self._means.retry, self._means.chance))
        self._errand.stopped(why, self._means.guard.stops)

    def _renew(self, gate: Gate) -> None:
        self.gate = gate
        self._passes += 1

    def _become(self, health: Health) -> None:
        before, self.health = self.health, health
        if before.state is health.state and before.reason == health.reason:
            return
        log = self._log.warn if health.probing else self._log.info
        log(
            "next hop {hop} is {state}{reason}",
            hop=self._errand.name,
            state=health.state.value,
            reason=f": {health.reason!a}" if health.probing else "",
        )
        if before.state is not health.state:
            self._errand.turned(health)
