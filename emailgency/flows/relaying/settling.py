"""What becomes of a message after an attempt: recorded as taken, put off, or given up; and what that tells the guard.

A next hop whose connection ended before its last result was recorded gets nothing more until that is on stable
storage: or, on a full disk, each connection would add a message that a crash repeats.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace
from twisted.logger import Logger

from emailgency.codec.smtp.client import Result, Stage
from emailgency.flows.relaying.attempts import Attempt
from emailgency.flows.relaying.errand import Errand
from emailgency.flows.relaying.guard import Guard, Told
from emailgency.flows.relaying.means import Means
from emailgency.flows.relaying.parcels import REPLY_LENGTH, address_of, outcome_of
from emailgency.model.envelope import Outcome
from emailgency.net.courier import UNRECORDED, Courier
from emailgency.net.parcel import Closure, Unsettled
from emailgency.rules import guard as rule
from emailgency.rules.guard import Said
from emailgency.rules.retry import message_wait
from emailgency.store.spool.pending import Hop, Queue, Waiting

if TYPE_CHECKING:
    from emailgency.store.spool.spool import Live


_NONE: dict[int, Outcome] = {}  # nothing failed, as nearly always


class Carried(Struct, eq=False):
    """A message on its way: the token of its parcel. `pass_` is of `Guard.begin`."""

    waiting: Waiting
    pass_: int


class Given(Struct, eq=False):
    """A result that is not recorded yet. `failed`: it could not be; the spool tries again while `live.recording`."""

    courier: Courier
    live: "Live"
    failed: bool = False


class Settling:
    """One a lane. `carrying`: messages taken out of the queue and not yet settled."""

    _log = Logger()

    def __init__(self, hop: Hop, queue: Queue, guard: Guard, errand: Errand, means: Means) -> None:
        self.carrying = 0
        self._hop = hop
        self._queue = queue
        self._guard = guard
        self._errand = errand
        self._means = means
        self._given: set[Given] = set()

    @property
    def empty(self) -> bool:
        """Nothing is on its way, and all that was is recorded."""
        return not (self.carrying or self._given)

    @property
    def in_debt(self) -> bool:
        """A connection is over whose last result is not on stable storage."""
        for given in self._given:
            if given.failed or not given.courier.greeted:
                break
        else:
            return False
        self._given = {given for given in self._given if not given.failed or given.live.recording}
        return any(given.failed or not given.courier.greeted for given in self._given)

    async def settle(
        self, courier: Courier, carried: Carried, results: tuple[Result, ...], retreat: Callable[[], None]
    ) -> None:
        """Tell the guard, then record; returns when that is on stable storage. `retreat`: nothing more may be given."""
        waiting = carried.waiting
        self.carrying -= 1
        given = Given(courier, waiting.live)
        self._given.add(given)
        try:
            taken, failures = list(waiting.targets), _NONE
            if all(result.reply.code < 300 for result in results):
                self._guard.taken(carried.pass_, courier.waited, courier)
            else:
                taken, failures = await self._sorted(courier, carried, results)
            if taken:
                accepted = results[waiting.targets.index(taken[0])]
                outcome = outcome_of("relayed", accepted, courier)
                await self._errand.taken(waiting, taken, outcome, courier)
                self._tell(waiting, tuple(taken), outcome)
            if failures:
                await self._failed(waiting, failures)
        except BaseException:
            given.failed = True
            if given.live.recording:
                self._log.error("nothing goes to {hop} until what it took is recorded", hop=self._errand.name)
                retreat()
            # What is not recorded stays pending and goes again: twice rather than never
            unrecorded = tuple(target for target in waiting.targets if target in waiting.live.remaining)
            if unrecorded:
                self.put_back(waiting, unrecorded, self._means.retry.message_first)
            raise
        self._given.discard(given)
        if len(taken) + len(failures) < len(waiting.targets):
            await self._put_off_rest(courier, waiting, results, {*taken, *failures})

    async def _sorted(
        self, courier: Courier, carried: Carried, results: tuple[Result, ...]
    ) -> tuple[list[int], dict[int, Outcome]]:
        """The targets that were taken, and those that failed for good."""
        waiting = carried.waiting
        found = list(zip(waiting.targets, results, strict=True))
        known = await self._known(waiting, found)
        says: dict[int, Said] = {}
        refused: dict[int, Result] = {}
        for target, result in found:
            reply = result.reply
            says[target] = rule.said(result.stage.value, reply.code, reply.enhanced, target in known)
            if _is_refusal(reply.code):
                refused[target] = result
        said = rule.heaviest(says.values())
        before = {target: self._refused_before(waiting, target) for target in refused}
        repeated = bool(refused) and all(at is not None for at in before.values())
        loudest = next(result for target, result in found if says[target] is said)
        if loudest.ours:
            self._guard.came_back(carried.pass_)
        else:
            self._guard.told(Told(said, carried.pass_, courier.waited, _words(loudest), repeated))
        now, guard = self._means.clock(), self._guard
        failures = {
            target: outcome_of("bounced", result, courier)
            for target, result in refused.items()
            if not self._errand.guarded
            or (result.ours and result.stage is Stage.RCPT)  # no server of the world could be told such an address
            or (
                not result.ours
                and result.stage is not Stage.MAIL  # says nothing about the message
                and rule.final(guard.health, before[target], guard.last_taken, now, self._means.guard)
            )
        }
        gone = [address_of(waiting, target) for target in failures if target in known]
        if gone:
            await self._errand.unknown(gone)
        return [target for target, one in says.items() if one is Said.TAKEN], failures

    async def _known(self, waiting: Waiting, found: list[tuple[int, Result]]) -> set[int]:
        """Targets refused at RCPT whose address this server took before."""
        asked = {
            target: address_of(waiting, target)
            for target, result in found
            if result.stage is Stage.RCPT and result.reply.code >= 500
        }
        if not (asked and self._errand.guarded):
            return set()
        known = await self._errand.known(list(asked.values()))
        return {target for target, address in asked.items() if address in known}

    @staticmethod
    def _refused_before(waiting: Waiting, target: int) -> float | None:
        tried = waiting.live.tried.get(target)
        return tried.at if tried and _is_refusal(tried.outcome.code) else None

    async def _put_off_rest(
        self, courier: Courier, waiting: Waiting, results: tuple[Result, ...], settled: set[int]
    ) -> None:
        """Refused and merely deferred ones apart: the record of each says why."""
        groups: dict[bool, list[tuple[int, Result]]] = {}
        for target, result in zip(waiting.targets, results, strict=True):
            if target not in settled:
                groups.setdefault(_is_refusal(result.reply.code), []).append((target, result))
        for group in groups.values():
            targets = tuple(target for target, _ in group)
            await self.put_off(waiting, targets, outcome_of("deferred", group[0][1], courier))

    async def unsettled(self, unsettled: Unsettled, closure: Closure, courier: Courier, stopping: bool) -> None:
        """The connection went away under a message: the one it was about waits, the one behind it is innocent."""
        carried = unsettled.parcel.token
        assert isinstance(carried, Carried)
        waiting = carried.waiting
        self.carrying -= 1
        waiting.doubtful = waiting.doubtful or unsettled.doubtful
        if not unsettled.begun or stopping or closure.reason == UNRECORDED:
            self._guard.came_back(carried.pass_)
            self.put_back(waiting, waiting.targets, 0.0)
            return
        self._guard.lost(carried.pass_)
        outcome = Outcome(
            word="doubtful" if unsettled.doubtful else "deferred",
            enhanced="4.4.2",
            reply=closure.reason[:REPLY_LENGTH],
            remote=courier.peer,
        )
        if unsettled.doubtful:
            self._log.warn(
                "{id} may have been taken by {peer}, it will be sent again: {reason}",
                id=waiting.live.envelope.id,
                peer=courier.peer,
                reason=ascii(closure.reason),
            )
        await self.put_off(waiting, waiting.targets, outcome)

    def unreadable(self, carried: Carried, reason: str) -> None:
        """Its file is not what it should be; nothing was sent."""
        waiting = carried.waiting
        self._log.error("{id} cannot be read: {reason}", id=waiting.live.envelope.id, reason=reason)
        self.carrying -= 1
        self._guard.came_back(carried.pass_)
        waiting.attempted = True  # as far as it can be
        self.put_back(waiting, waiting.targets, self._means.retry.message_longest)

    # ---- the ends ------------------------------------------------------------------------------------------

    async def put_off(self, waiting: Waiting, targets: tuple[int, ...], outcome: Outcome) -> None:
        """To be tried again, later than the last time.

        What was too old before its first attempt had been kept from its server: its term begins now.
        """
        now = self._means.clock()
        freed_at = now if not waiting.attempted and self._errand.outlived(waiting, now) else waiting.freed_at
        wait = message_wait(self._means.retry, waiting.wait, self._means.chance)
        later = self.put_back(replace(waiting, attempted=True, freed_at=freed_at), targets, wait)
        await self._errand.put_off(later, outcome)
        self._tell(waiting, targets, outcome)

    def put_back(self, waiting: Waiting, targets: tuple[int, ...], wait: float) -> Waiting:
        """Into the queue again, due in so many seconds."""
        now = self._means.clock()
        later = replace(waiting, targets=targets, due=now + wait, wait=wait or waiting.wait, seal=None)
        self._queue.add(later, now)
        return later

    async def expire(self, waiting: Waiting) -> None:
        """It has waited too long."""
        reason = self._guard.health.reason or "waited too long"
        self.carrying += 1  # a lane that looks empty is forgotten, and this may come back
        try:
            await self.fail(waiting, Outcome(word="expired", enhanced="4.4.7", reply=reason[:REPLY_LENGTH]))
        finally:
            self.carrying -= 1

    async def fail(self, waiting: Waiting, outcome: Outcome) -> None:
        """It is given up."""
        try:
            await self._failed(waiting, dict.fromkeys(waiting.targets, outcome))
        except BaseException:
            self.put_back(waiting, waiting.targets, self._means.retry.message_first)
            raise

    async def _failed(self, waiting: Waiting, failures: dict[int, Outcome]) -> None:
        await self._errand.give_up(waiting, failures)
        for target, outcome in failures.items():
            self._tell(waiting, (target,), outcome)

    def _tell(self, waiting: Waiting, targets: tuple[int, ...], outcome: Outcome) -> None:
        if self._means.attempts.listeners or outcome.word == "doubtful":
            self._means.attempts.tell(Attempt(waiting.live, self._hop, targets, outcome, self._means.clock()))


def _is_refusal(code: int) -> bool:
    return code >= 500 and code != 503  # a bad sequence of commands says nothing of the message


def _words(result: Result) -> str:
    reply = result.reply
    return f"{result.stage.value} refused: {reply.code} {reply.enhanced} {reply.text}"[:REPLY_LENGTH]
