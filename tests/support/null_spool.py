"""A spool for benchmarks of the relay alone: one file for all messages, records that are synced at once."""

import time
from collections.abc import Callable

from emailgency.model.envelope import Client, Envelope, Outcome, Recipient, Target
from emailgency.model.errors import Temporary
from emailgency.store.spool.records import Tried
from emailgency.store.spool.spool import Live


def envelope(id: str, plan: tuple[Target, ...], **more) -> Envelope:
    """An envelope with as many recipients as its targets name."""
    count = max((target.recipient for target in plan), default=0) + 1
    fields = {
        "customer": "acme",
        "sender": "sender@example.org",
        "received_at": 1_000_000.0,
        "size": 0,
        "return_path": 0,
        "recipients": tuple(Recipient(as_given=f"r{i}@mydomain.zz") for i in range(count)),
        "client": Client(ip="192.0.2.1"),
    }
    return Envelope(id=id, plan=plan, **{**fields, **more})


class NullSpool:
    """Remembers what it was told; `path` is the same for every message."""

    def __init__(self, file: str, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self.file = file
        self.live: dict[str, Live] = {}
        self.listeners = []
        self.ended: dict[str, list[tuple[tuple[int, ...], Outcome]]] = {}
        self.attempts: list[tuple[str, tuple[int, ...], float, Outcome]] = []

    def accept(self, envelope: Envelope) -> Live:
        live = Live(envelope, set(range(len(envelope.plan))))
        self.live[envelope.id] = live
        for listener in self.listeners:
            listener(live)
        return live

    def path(self, id: str) -> str:
        return self.file

    async def finished(self, id, targets, outcome) -> None:
        targets = tuple(targets)
        self.ended.setdefault(id, []).append((targets, outcome))
        live = self.live[id]
        live.remaining -= set(targets)
        if not live.remaining:
            del self.live[id]

    async def tried(self, id, targets, next_attempt, outcome, freed_at=0.0) -> None:
        self.attempts.append((id, tuple(targets), next_attempt, outcome))
        self.live[id].attempt(Tried(id, tuple(targets), self.clock(), next_attempt, outcome, freed_at))


class FullDisk(NullSpool):
    """Refuses records until `write`; as with the real one its targets count as done, and it tries again."""

    def __init__(self, file: str) -> None:
        super().__init__(file)
        self.full = True
        self.refused: list[Live] = []

    async def finished(self, id, targets, outcome) -> None:
        live = self.live[id]
        await super().finished(id, targets, outcome)
        if self.full:
            live.recording += 1
            self.refused.append(live)
            raise Temporary("no space left on device")

    def write(self) -> None:
        self.full = False
        for live in self.refused:
            live.recording -= 1
