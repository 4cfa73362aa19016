"""One pending message in somebody's hand: held, tried at once, led elsewhere, given up, kept here (product row D1).

A deed is for all that waits of the message, and is refused while any of it is on its way: nobody knows then what its
server has taken. A held message is a `Tried` record that is never due, so it stays held over a restart; it keeps the
words of its last attempt, does not expire, and no flush moves it. Released, it has its whole term before it.
"""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from msgspec.structs import replace
from twisted.internet.defer import Deferred, FirstError, gatherResults
from twisted.logger import Logger

from emailgency.flows.pending.keep_here import KeepHere
from emailgency.flows.pending.pending_pick import PendingPick, Picked
from emailgency.flows.relaying.attempts import Attempt, Attempts
from emailgency.flows.relaying.lane import Lane
from emailgency.flows.relaying.reroute import Reroute
from emailgency.model.directory import Mailbox
from emailgency.model.envelope import Outcome
from emailgency.model.errors import Invalid
from emailgency.store.spool.pending import HELD, Hop

if TYPE_CHECKING:
    from emailgency.flows.relaying.bounce import Bounces
    from emailgency.store.spool.spool import Spool

_GIVEN_UP = Outcome(word="bounced", enhanced="5.0.0", reply="given up by the operator before its server took it")
_DROPPED = Outcome(word="dropped", reply="dropped by the operator")
_HAND = ("held", "released")  # of what was never tried


class PendingInHand:
    """Each deed names in the log who asked and answers for whom the message waits; Invalid says why it cannot be."""

    _log = Logger()

    def __init__(
        self,
        pick: PendingPick,
        spool: "Spool",
        bounces: "Bounces",
        keep_here: KeepHere,
        reroute: Reroute,
        attempts: Attempts,
        clock: Callable[[], float],
    ) -> None:
        self._pick = pick
        self._spool = spool
        self._bounces = bounces
        self._keep_here = keep_here
        self._reroute = reroute
        self._attempts = attempts
        self._clock = clock

    async def hold(self, id: str, who: str) -> tuple[str, ...]:
        """It is not tried until it is released. Raises Temporary: held, but not on stable storage yet."""
        picked = self._pick.pick(id)
        if all(part.waiting.held for part in picked.parts):
            raise Invalid("%(id)s is held already", id=id)
        self._tell(picked, "held", who)
        await self._due(picked, HELD, "held", who)
        return picked.recipients

    async def release(self, id: str, who: str) -> tuple[str, ...]:
        """It is due now. Raises Temporary: released, but not on stable storage yet."""
        picked = self._pick.pick(id)
        if not any(part.waiting.held for part in picked.parts):
            raise Invalid("%(id)s is not held", id=id)
        if rules := sorted({part.waiting.rule for part in picked.parts if part.waiting.rule}):
            raise Invalid("%(id)s is held by rule %(rule)s: remove that", id=id, rule=", ".join(rules))
        self._tell(picked, "released", who)
        await self._due(picked, self._clock(), "released", who)
        return picked.recipients

    def retry(self, id: str, who: str) -> str:
        """It is due now, and goes when the guard of its server lets it; how that server does."""
        picked = self._pick.pick(id)
        if any(part.waiting.held for part in picked.parts):
            raise Invalid("%(id)s is held: release it first", id=id)
        self._tell(picked, "to be tried at once", who)
        self._pick.take(picked)
        for part in picked.parts:
            part.waiting.due = self._clock()
        self._pick.put_back(picked)
        return ", ".join(sorted({_state(part.lane) for part in picked.parts}))

    async def bounce(self, id: str, who: str) -> tuple[str, ...]:
        """Its sender is told, or a copy kept in Undelivered, by rule C6. Raises Temporary: then it waits as before."""
        picked = self._pick.pick(id)
        recipients = picked.recipients
        self._tell(picked, "given up", who)
        outcome = replace(_GIVEN_UP, by=who)
        failures = dict.fromkeys(picked.targets, outcome)
        await self._end(picked, lambda: self._bounces.failed(picked.live, failures))
        self._tell_on(picked, outcome)
        return recipients

    async def keep(self, id: str, mailbox: Mailbox | None, who: str) -> tuple[str, ...]:
        """Into a mailbox of its customer, or Undelivered, and nowhere else. Raises Temporary: it waits as before."""
        picked = self._pick.pick(id)
        self._keep_here.check(picked.live.envelope, picked.targets, mailbox)
        recipients = picked.recipients
        place = str(mailbox.address) if mailbox else "Undelivered"
        self._tell(picked, f"kept in {place}", who)
        outcome = Outcome(word="kept", reply=f"kept in {place}", by=who)
        await self._end(picked, lambda: self._keep_here.keep(picked.live, picked.targets, mailbox, who))
        self._tell_on(picked, outcome)
        return recipients

    async def reroute(self, id: str, via: str, who: str) -> str:
        """To another server, `host[:port]` (who asks has looked at it), or "" to its own; the id it has from now on.

        Raises Temporary: it waits as before.
        """
        picked = self._pick.pick(id)
        self._reroute.check(picked.live.envelope, picked.targets, via)
        self._tell(picked, f"led to {via or 'its own server'}", who)
        made: list[str] = []

        async def lead() -> None:
            made.append(await self._reroute.lead(picked.live, picked.targets, via, who))

        await self._end(picked, lead)
        return made[0]

    async def _end(self, picked: Picked, deed: Callable[[], Awaitable[None]]) -> None:
        """By a deed that takes its time; what that does not finish waits as before."""
        self._pick.take(picked)
        lanes = [part.lane for part in picked.parts if part.lane]
        for lane in lanes:
            lane.settling.carrying += 1  # a lane that looks empty is forgotten, and this may come back
        try:
            await deed()
        except BaseException:
            self._pick.put_back(picked)
            raise
        finally:
            for lane in lanes:
                lane.settling.carrying -= 1

    async def drop(self, id: str, who: str) -> tuple[str, ...]:
        """Nobody is told. Raises Temporary: what was not recorded is found again at the next start."""
        picked = self._pick.pick(id)
        recipients = picked.recipients
        self._tell(picked, "dropped", who)
        self._pick.take(picked)
        outcome = replace(_DROPPED, by=who)
        await self._spool.finished(id, picked.targets, outcome)
        self._tell_on(picked, outcome)
        return recipients

    # ---- how ------------------------------------------------------------------------------------------------

    async def _due(self, picked: Picked, due: float, word: str, who: str) -> None:
        """Due then, also after a restart; what its server last said stays known."""
        self._pick.take(picked)
        freed_at = self._clock() if due < HELD else 0.0
        for part in picked.parts:
            part.waiting.due = due
            if freed_at:
                part.waiting.set_free(freed_at)
        outcomes: dict[Outcome, list[int]] = {}
        for target in picked.targets:
            tried = picked.live.tried.get(target)
            outcome = tried.outcome if tried and tried.outcome.word not in _HAND else Outcome(word=word)
            outcomes.setdefault(replace(outcome, by=who), []).append(target)
        record, id = self._spool.tried, picked.live.envelope.id
        records = [Deferred.fromCoroutine(record(id, some, due, one, freed_at)) for one, some in outcomes.items()]
        self._pick.put_back(picked)  # all records are begun: from here on it may go, and end
        try:
            await gatherResults(records, consumeErrors=True)
        except FirstError as first:
            first.subFailure.raiseException()

    def _tell_on(self, picked: Picked, outcome: Outcome) -> None:
        """To whoever listens for the end of attempts: there will be none."""
        for part in picked.parts:
            target = picked.live.envelope.plan[part.waiting.targets[0]]
            hop = part.lane.hop if part.lane else Hop("", target.customer)
            self._attempts.tell(Attempt(picked.live, hop, part.waiting.targets, outcome, self._clock()))

    def _tell(self, picked: Picked, deed: str, who: str) -> None:
        self._log.info(
            "{id} for {recipients} {deed} by {who}",
            id=picked.live.envelope.id,
            recipients=ascii(", ".join(picked.recipients)),
            deed=deed,
            who=who,
        )


def _state(lane: Lane | None) -> str:
    if lane is None:
        return "unknown"
    return "on hold" if lane.held else lane.health.state.value
