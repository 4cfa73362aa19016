"""The spool in the reactor: what has been accepted and is not done yet (design: "The durability contract").

The files are the truth and the storer writes them; this is the index of what is live. It is complete once `start` has
returned, and it changes only when the storer has said that the disk has changed.
"""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from msgspec import Struct
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from emailgency.model.address import Address
from emailgency.model.envelope import Catchall, Deliver, Envelope, Outbound, Outcome, Relay, Target, Undelivered
from emailgency.model.errors import Temporary
from emailgency.model.verdict import Verdict
from emailgency.store import layout, spool_records
from emailgency.store.arrival import Arrival
from emailgency.store.ids import Ids
from emailgency.store.spool_records import Accepted, Acknowledged, Finished, Tried
from emailgency.store.storing.line import Storer, StorerDied
from emailgency.store.storing.messages import Commit, Delivered, Delivery, Done, Record, Redeliver, Release

_LOCAL = (Deliver, Catchall, Undelivered)
_REMOTE = (Relay, Outbound)


class Live(Struct, eq=False):
    """A message with work left. `remaining` are indices in the plan."""

    envelope: Envelope
    remaining: set[int]
    tried: dict[int, Tried] = {}
    finished: list[Finished] = []
    acknowledged: bool = False
    segment: int = 0  # of the journal that holds its envelope
    recording: int = 0  # records on their way to the disk


def deliveries(envelope: Envelope, targets: Iterable[int]) -> tuple[Delivery, ...]:
    """What the storer needs to know of the local ones among these targets."""
    return tuple(
        _delivery(envelope, index, target)
        for index, target in ((index, envelope.plan[index]) for index in targets)
        if isinstance(target, _LOCAL)
    )


def _delivery(envelope: Envelope, index: int, target: Target) -> Delivery:
    if isinstance(target, Deliver):
        return Delivery(index, layout.mailbox(target.customer, target.mailbox))
    if isinstance(target, Catchall):
        local, _, domain = target.address.rpartition("@")
        folder = layout.catchall(target.customer, Address(local, domain))
        return Delivery(index, folder, address=target.address)
    as_given = envelope.recipients[target.recipient].as_given
    return Delivery(index, layout.undelivered(target.customer), prefix=f"X-Original-To: {as_given}\r\n".encode())


class Spool:
    """See docs/architecture.md, "Interfaces between the rooms"."""

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        storer: Storer,
        data: str,
        clock: Callable[[], float],
    ) -> None:
        self.live: dict[str, Live] = {}
        self.listeners: list[Callable[[Live], None]] = []
        self.accepting: Verdict | None = None
        self._reactor = reactor
        self._storer = storer
        self._data = data
        self._clock = clock
        self._ids = Ids()
        self._lingering: dict[str, Live] = {}  # all done, but the sender has not spoken again
        self._fingerprints: dict[str, str] = {}
        self._ended: list[str] = []
        self._acknowledged: list[str] = []
        self._void: list[str] = []
        self._tidying: Any = None
        storer.listeners.append(self._delivered)
        storer.on_restart.append(self._storer_restarted)

    async def start(self) -> None:
        """Read the journal and finish what a crash left. Afterwards `live` is complete."""

    # ---- arrival -----------------------------------------------------------------------------------------

    def begin(self, at: float) -> Arrival:
        """A new message; `at` is seconds since the epoch."""
        return Arrival(self._ids.fresh(at), self._storer)

    async def commit(self, arrival: Arrival, envelope: Envelope) -> None:
        """Returns at COMMIT. Temporary: nothing is kept. A caller who is cancelled changes nothing any more."""
        if envelope.size != arrival.size or envelope.checksum != arrival.checksum:
            envelope = msgspec.structs.replace(envelope, size=arrival.size, checksum=arrival.checksum)
        targets = range(len(envelope.plan))
        live = Live(envelope, set(targets))
        request = Commit(
            self._storer.number(),
            arrival.id,
            arrival.rest(),
            spool_records.encode(Accepted(envelope)),
            deliveries(envelope, targets),
        )
        done: Deferred[None] = Deferred()
        self._storer.ask(request).addCallbacks(
            self._committed, self._not_committed, callbackArgs=(live, done), errbackArgs=(live, done)
        )
        await done

    def _committed(self, reply: Done, live: Live, done: "Deferred[None]") -> None:
        live.segment = reply.segment
        envelope = live.envelope
        self.live[envelope.id] = live
        if envelope.fingerprint is None:
            live.acknowledged = True
        else:
            self._fingerprints[envelope.fingerprint] = envelope.id
        done.callback(None)
        if any(isinstance(target, _REMOTE) for target in envelope.plan):
            for listener in self.listeners:
                listener(live)
        self._end_when_done(live)

    def _not_committed(self, failure: Failure, live: Live, done: "Deferred[None]") -> None:
        if failure.check(StorerDied):
            self._void.append(live.envelope.id)  # its Accepted may be on the disk; our 451 makes it void
        done.errback(failure)

    # ---- targets -----------------------------------------------------------------------------------------

    async def finished(self, id: str, targets: Iterable[int], outcome: Outcome) -> None:
        """These targets are done, for good or for ill; returns when that is on stable storage."""
        live = self.live[id]
        done = tuple(target for target in targets if target in live.remaining)
        record = Finished(id, done, self._clock(), outcome)
        await self._record(live, record)
        live.remaining.difference_update(done)
        live.finished.append(record)
        self._end_when_done(live)

    async def tried(self, id: str, targets: Iterable[int], next_attempt: float, outcome: Outcome) -> None:
        """An attempt settled nothing; the next one is due at `next_attempt`, seconds since the epoch."""
        live = self.live[id]
        record = Tried(id, tuple(targets), self._clock(), next_attempt, outcome)
        await self._record(live, record)
        for target in record.targets:
            live.tried[target] = record

    async def _record(self, live: Live, record: spool_records.Record) -> None:
        live.recording += 1
        try:
            await self._storer.ask(Record(self._storer.number(), (spool_records.encode(record),)))
        finally:
            live.recording -= 1

    def _delivered(self, event: Delivered) -> None:
        live = self.live.get(event.id)
        if live is None:
            return
        done = tuple(placed.target for placed in event.placed)
        if done:
            live.remaining.difference_update(done)
            live.finished.append(Finished(event.id, done, self._clock(), spool_records.DELIVERED))
            for target, reason in event.failed:
                self._log.error(
                    "{id} target {target} not delivered: {reason}", id=event.id, target=target, reason=reason
                )
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
        self._tidy_soon()

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
        if live.acknowledged:
            self._lingering.pop(id, None)
            self._ended.append(id)
            self._tidy_soon()
        else:
            self._lingering[id] = live

    def _tidy_soon(self) -> None:
        if self._tidying is None:
            self._tidying = self._reactor.callLater(0.1, self._tidy)

    def _tidy(self) -> None:
        """Tell the journal in one go what nobody waits for."""
        self._tidying = None
        ended, self._ended = self._ended, []
        spoken, self._acknowledged = [id for id in self._acknowledged if id in self.live], []
        if spoken:
            self._storer.ask(
                Record(self._storer.number(), (spool_records.encode(Acknowledged(tuple(spoken))),))
            ).addErrback(lambda failure: failure.trap(Temporary))
        if ended:
            self._storer.tell(Release(tuple(ended)))

    def _storer_restarted(self) -> None:
        void, self._void = self._void, []
        if void:
            self._storer.tell(Release(tuple(void), void=True))
        for live in self.live.values():
            again = deliveries(live.envelope, sorted(live.remaining))
            if again:
                self._storer.ask(Redeliver(self._storer.number(), live.envelope.id, again)).addErrback(
                    lambda failure: failure.trap(Temporary)
                )
