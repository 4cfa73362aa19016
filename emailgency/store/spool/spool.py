"""The spool in the reactor: what has been accepted and is not done yet (design: "The durability contract").

The files are the truth and the storer writes them; this is the index of what is live. It is complete once `start` has
returned, and it changes only when the storer has said that the disk has changed.
"""

from collections import Counter
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

import msgspec
from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from emailgency.background import background, in_thread
from emailgency.model.envelope import Envelope, Outbound, Outcome, Relay, Target
from emailgency.model.errors import Temporary
from emailgency.model.verdict import Verdict
from emailgency.store import layout
from emailgency.store.disk import DiskSettings, DiskWatch
from emailgency.store.ids import Ids
from emailgency.store.spool import records as spool_records
from emailgency.store.spool import replay
from emailgency.store.spool.arrival import Arrival
from emailgency.store.spool.live import LOCAL, Live, deliveries, delivery
from emailgency.store.spool.records import Accepted, Acknowledged, Finished, Tried
from emailgency.store.storing.delivering import token_of
from emailgency.store.storing.line import Storer, StorerDied
from emailgency.store.storing.messages import Commit, Delivery, Forget, Record, Redeliver, Release, Settle
from emailgency.store.storing.replies import Delivered, Done

Relocate = Callable[[Envelope, Target], Coroutine[Deferred[Any], Any, Target]]

HUNG = Verdict(451, "4.3.0", "our storage does not answer, try again later")

_REMOTE = (Relay, Outbound)
_TIDY_DELAY = 0.1  # seconds in which records nobody waits for gather
_RETRY_DELAY = 5.0  # seconds until what the disk refused is tried again
_HOUR = 3600.0
_REMEMBERED = 24 * _HOUR  # RFC 1047: a sender that missed our 250 comes back within its retry time
_YOUNG_SEGMENTS = 4  # older ones are given up, what is live in them is written again
_UNREAD_SEGMENTS = 8  # kept for who follows the journal, should he be behind: 128 MiB as they come
_RETOLD_AT_ONCE = 200  # messages; about a millisecond of the reactor's time


class Spool:
    """See docs/interfaces.md."""

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        storer: Storer,
        data: str,
        clock: Callable[[], float],
        settings: DiskSettings | None = None,
        relocate: Relocate | None = None,
    ) -> None:
        """`relocate` says where an old local target goes, its mailbox may have gone; Temporary: it is asked again."""
        self.live: dict[str, Live] = {}
        self.listeners: list[Callable[[Live], None]] = []
        self.needed: Callable[[], int] | None = None  # the oldest segment that who follows the journal has not read
        self._reactor = reactor
        self._storer = storer
        self._data = data
        self._clock = clock
        self._relocate = relocate
        self._disk = DiskWatch(reactor, storer, data, settings or DiskSettings())
        self._ids = Ids()
        self._lingering: dict[str, Live] = {}  # all done, but the sender has not spoken again
        self._fingerprints: dict[str, str] = {}
        self._segments: Counter[int] = Counter()  # envelopes in each segment that are live or linger
        self._segment = 0  # the youngest we have heard of
        self._kept_from = 0  # segments below have been given up
        self._ended: list[str] = []
        self._acknowledged: list[str] = []
        self._void: list[Live] = []
        self._unrecorded: list[tuple[Live, bytes]] = []
        self._stuck: set[str] = set()
        self._calls: dict[str, Any] = {}
        self._stopped = False
        self._rotten = False  # the journal had lost something when we read it
        self._sweeping: Deferred[None] = succeed(None)
        storer.listeners.append(self._delivered)
        storer.on_restart.append(self._storer_restarted)

    @property
    def accepting(self) -> Verdict | None:
        """Not None: the disk is low or the storer hangs, this is what to say at MAIL."""
        return self._disk.verdict or (HUNG if self._storer.hung else None)

    async def start(self) -> None:
        """Read the journal and finish what a crash left; then `live` is complete. The storer is running already."""
        await self._storer.ask(Record(self._storer.number(), ()))  # it answers when no other one writes any more
        replayed = await in_thread(self._reactor, replay.replay, self._data)
        for complaint in replayed.complaints:
            self._log.critical("ALERT spool: {complaint}", complaint=complaint)
        self._rotten = bool(replayed.complaints)
        self._segment = replayed.segment
        for id, live in replayed.live.items():
            self._segments[live.segment] += 1
            self.live[id] = live
            if not live.acknowledged and live.envelope.fingerprint is not None:
                self._fingerprints[live.envelope.fingerprint] = id
        self._settle()
        for live in list(self.live.values()):
            self._redeliver(live)
            self._end_when_done(live)
        if self.live or replayed.complaints:
            self._log.info("spool: {count} messages are live", count=len(self.live))
        self._disk.start()
        self._hourly()

    async def stop(self) -> None:
        """Nothing more will be asked; the storer is stopped afterwards."""
        self._stopped = True
        self._disk.stop()
        calls, self._calls = self._calls, {}
        for call in calls.values():
            call.cancel()
        self._tidy()
        await self._sweeping

    # ---- arrival -----------------------------------------------------------------------------------------

    def begin(self, at: float) -> Arrival:
        """A new message; `at` is seconds since the epoch."""
        return Arrival(self._ids.fresh(at), self._storer)

    async def commit(self, arrival: Arrival, envelope: Envelope) -> None:
        """Returns at COMMIT. Temporary: nothing is kept. A caller who is cancelled changes nothing any more."""
        if envelope.size != arrival.size or envelope.checksum != arrival.checksum:
            envelope = msgspec.structs.replace(envelope, size=arrival.size, checksum=arrival.checksum)
        targets = range(len(envelope.plan))
        request = Commit(
            self._storer.number(),
            arrival.id,
            arrival.rest(),
            spool_records.encode(Accepted(envelope)),
            deliveries(envelope, targets),
        )
        done: Deferred[None] = Deferred()
        found = (Live(envelope, set(targets)), done)
        self._storer.ask(request).addCallbacks(
            self._committed, self._not_committed, callbackArgs=found, errbackArgs=found
        )
        await done

    def _committed(self, reply: Done, live: Live, done: "Deferred[None]") -> None:
        envelope = live.envelope
        live.segment = self._segment = reply.segment
        self._segments[reply.segment] += 1
        self.live[envelope.id] = live
        if envelope.fingerprint is None:
            live.acknowledged = True
        else:
            self._fingerprints[envelope.fingerprint] = envelope.id
        if any(isinstance(target, _REMOTE) for target in envelope.plan):
            for listener in self.listeners:
                try:
                    listener(live)
                except Exception:  # it is accepted all the same
                    self._log.failure("{id}: telling of a message failed", id=envelope.id)
        if not envelope.plan:
            self._end_when_done(live)
        done.callback(None)

    def _not_committed(self, failure: Failure, live: Live, done: "Deferred[None]") -> None:
        if failure.check(StorerDied):
            self._void.append(live)  # its Accepted may be on the disk; our 451 makes it void
        done.errback(failure)

    # ---- targets -----------------------------------------------------------------------------------------

    async def finished(self, id: str, targets: Iterable[int], outcome: Outcome) -> None:
        """These targets are done, for good or for ill; returns when that is on stable storage.

        Temporary: not yet; they count as done all the same, and the record is written as soon as the disk takes it.
        """
        live = self.live[id]
        record = Finished(id, tuple(live.remaining.intersection(targets)), self._clock(), outcome)
        if record.targets:
            live.finish(record)
            await self._record(live, spool_records.encode(record))

    async def tried(
        self, id: str, targets: Iterable[int], next_attempt: float, outcome: Outcome, freed_at: float = 0.0
    ) -> None:
        """An attempt settled nothing; the next one is due at `next_attempt`, seconds since the epoch."""
        live = self.live[id]
        record = Tried(id, tuple(targets), self._clock(), next_attempt, outcome, freed_at)
        live.attempt(record)
        await self._record(live, spool_records.encode(record))

    def _record(self, live: Live, line: bytes) -> "Deferred[None]":
        """Fires when the line is on stable storage. A caller who gives up waiting changes nothing."""
        done: Deferred[None] = Deferred()
        live.recording += 1

        def recorded(_: Done) -> None:
            live.recording -= 1
            self._end_when_done(live)
            done.callback(None)

        def refused(failure: Failure) -> None:
            self._unrecorded.append((live, line))
            self._later("retry", _RETRY_DELAY, self._retry)
            done.errback(failure)

        self._storer.ask(Record(self._storer.number(), (line,))).addCallbacks(recorded, refused)
        return done

    def _delivered(self, event: Delivered) -> None:
        live = self.live.get(event.id)
        if live is None:
            return
        if event.placed:
            done = tuple(placed.target for placed in event.placed)
            live.finish(Finished(event.id, done, self._clock(), spool_records.DELIVERED))
        for target, reason in event.failed:
            self._log.error("{id} target {target} deferred: {reason}", id=event.id, target=target, reason=reason)
            self._stuck.add(event.id)
            self._later("retry", _RETRY_DELAY, self._retry)
        self._end_when_done(live)

    # ---- the end of a message ----------------------------------------------------------------------------

    def acknowledged(self, id: str) -> None:
        """Its sender has spoken again after our 250: a repetition is another message (RFC 1047)."""
        live = self.live.get(id) or self._lingering.get(id)
        if live is None or live.acknowledged:
            return
        live.acknowledged = True
        self._fingerprints.pop(live.envelope.fingerprint or "", None)
        self._acknowledged.append(id)
        self._end_when_done(live)
        self._later("tidy", _TIDY_DELAY, self._tidy)

    def repeated(self, fingerprint: str) -> str | None:
        """The id of a message whose sender may have missed our 250."""
        return self._fingerprints.get(fingerprint)

    def path(self, id: str) -> str:
        """The file of a message, for reading."""
        return f"{self._data}/{layout.message(id)}"

    def _end_when_done(self, live: Live) -> None:
        if live.remaining or live.recording:
            return
        id = live.envelope.id
        self.live.pop(id, None)
        if not live.acknowledged:
            self._lingering[id] = live
            return
        self._lingering.pop(id, None)
        self._segments[live.segment] -= 1
        self._ended.append(id)
        self._later("tidy", _TIDY_DELAY, self._tidy)

    def _tidy(self) -> None:
        """Tell the journal in one go what nobody waits for, and which of its segments may go."""
        self._calls.pop("tidy", None)
        ended, self._ended = self._ended, []
        spoken, self._acknowledged = [id for id in self._acknowledged if id in self.live], []
        if spoken:
            self._ask_quietly(Record(self._storer.number(), (spool_records.encode(Acknowledged(tuple(spoken))),)))
        if ended:
            self._storer.tell(Release(tuple(ended)))
        oldest = min((segment for segment, count in self._segments.items() if count > 0), default=self._segment)
        unread = max(self.needed(), self._segment - _UNREAD_SEGMENTS) if self.needed else oldest
        if (keep := min(oldest, unread)) > self._kept_from:
            self._kept_from = keep
            self._segments = +self._segments
            self._storer.tell(Forget(keep))
        if oldest < self._segment - _YOUNG_SEGMENTS:
            self._retell(oldest)

    def _retell(self, segment: int) -> None:
        """Write what is live in an old segment again, so that it can go."""
        old = [
            live
            for live in (*self.live.values(), *self._lingering.values())
            if live.segment == segment and not live.recording and not live.local()
        ][:_RETOLD_AT_ONCE]
        if not old:
            return
        for live in old:
            live.recording += 1

        def retold(reply: Done) -> None:
            for live in old:
                self._segments[live.segment] -= 1
                live.segment = reply.segment
                self._segments[reply.segment] += 1
            self._later("tidy", _TIDY_DELAY, self._tidy)

        def over(_: object) -> None:
            for live in old:
                live.recording -= 1
                self._end_when_done(live)

        lines = tuple(line for live in old for line in live.retold())
        answer = self._storer.ask(Record(self._storer.number(), lines)).addCallback(retold)
        answer.addErrback(lambda failure: failure.trap(Temporary)).addCallback(over)

    def _hourly(self) -> None:
        """Forget whom to expect back, and files that belong to nothing."""
        self._calls.pop("hourly", None)
        now = self._clock()
        for live in (*self._lingering.values(), *self.live.values()):
            if not live.acknowledged and live.envelope.received_at < now - _REMEMBERED:
                self.acknowledged(live.envelope.id)
        known = frozenset(self.live) | frozenset(self._lingering) | frozenset(self._ended)
        self._sweeping = background("sweeping the spool", self._sweep(known, now))
        self._later("hourly", _HOUR, self._hourly)

    async def _sweep(self, known: frozenset[str], now: float) -> None:
        await in_thread(self._reactor, replay.sweep, self._data, known, self._ids.mark, now, self._rotten)

    # ---- recovery ----------------------------------------------------------------------------------------

    def _settle(self) -> None:
        """Deliveries that are recorded as finished but may still stand in tmp/."""
        folders: dict[str, list[str]] = {}
        for id, live in self.live.items():
            done = [index for index in range(len(live.envelope.plan)) if index not in live.remaining]
            for one in deliveries(live.envelope, done):
                folders.setdefault(one.folder, []).append(token_of(id, one))
        for folder, ids in folders.items():
            self._ask_quietly(Settle(self._storer.number(), folder, tuple(ids)))

    def _redeliver(self, live: Live) -> None:
        local = live.local()
        if not local:
            return
        if self._relocate is None:
            again = deliveries(live.envelope, local)
            self._ask_quietly(Redeliver(self._storer.number(), live.envelope.id, again))
        else:
            background(f"delivering {live.envelope.id} again", self._redeliver_relocated(live, local, self._relocate))

    async def _redeliver_relocated(self, live: Live, local: list[int], relocate: Relocate) -> None:
        envelope = live.envelope
        places: list[Delivery] = []
        try:
            for index in local:
                target = await relocate(envelope, envelope.plan[index])
                assert isinstance(target, LOCAL)
                places.append(delivery(envelope, index, target))
        except Temporary:  # the directory is not there yet
            self._stuck.add(envelope.id)
            self._later("retry", _RETRY_DELAY, self._retry)
        else:
            self._ask_quietly(Redeliver(self._storer.number(), envelope.id, tuple(places)))

    def _retry(self) -> None:
        """Once more what the disk refused."""
        waiting = self._calls.pop("retry", None)
        if waiting is not None and waiting.active():
            waiting.cancel()
        stuck, self._stuck = self._stuck, set()
        for id in stuck & self.live.keys():
            self._redeliver(self.live[id])
        lines, self._unrecorded = self._unrecorded, []
        for live, line in lines:
            live.recording -= 1
            self._record(live, line).addErrback(lambda failure: failure.trap(Temporary))

    def _storer_restarted(self) -> None:
        """Before anything else: what was refused is void, and what the dead one had in hand is done again."""
        void, self._void = self._void, []
        if void:
            folders = {one.folder for live in void for one in deliveries(live.envelope, live.local())}
            self._storer.tell(Release(tuple(live.envelope.id for live in void), void=True, folders=tuple(folders)))
        self._stuck = {id for id, live in self.live.items() if live.local()}
        self._retry()

    # ---- small things ------------------------------------------------------------------------------------

    def _later(self, name: str, delay: float, deed: Callable[[], None]) -> None:
        if name not in self._calls and not self._stopped:
            self._calls[name] = self._reactor.callLater(delay, deed)

    def _ask_quietly(self, request: Record | Redeliver | Settle) -> None:
        """What fails is asked again: after a restart of the storer, or at the next start."""
        self._storer.ask(request).addErrback(lambda failure: failure.trap(Temporary))


__all__ = ["Live", "Relocate", "Spool"]
