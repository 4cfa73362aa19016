"""What waits for a next hop, in memory: built from the spool's live messages, which are its home (row D1).

One `Queue` a next hop with two heaps: what may go now, oldest message first, and what was put off, by the time it is
due; what somebody holds lies beside them. A message costs one small record here whatever its size; its envelope is the
spool's. Redis is not asked: the schedule can always be made again from the spool, and is at each start.
"""

from collections.abc import Callable, Iterable, Iterator
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from emailgency.store.spool.spool import Live


HELD = 253_402_300_799.0  # the last second of the year 9999, as `due`: not before somebody releases it
TRANSACTION = 100  # recipients; RFC 5321 section 4.5.3.1.8 lets a server refuse more


class Hop(Struct, frozen=True):
    """Where mail goes: to a customer's own server (`customer` set) or to anybody's. `domain` "": his SMTP transport.

    `via`: to this `host[:port]` instead, because somebody said so. `tls`: "required" or "no" by RFC 8689, "" as usual.
    """

    domain: str
    customer: str = ""
    via: str = ""
    tls: str = ""

    def __str__(self) -> str:
        if self.via:
            return f"{self.customer}>{self.via}"
        if self.tls:
            return f"{self.domain} (TLS {self.tls})"
        return f"{self.customer}:{self.domain}" if self.customer else self.domain


class Waiting(Struct):
    """Targets of one message that go to the same hop in one transaction, from one reverse-path."""

    live: "Live"
    targets: tuple[int, ...]
    due: float  # seconds since the epoch
    wait: float = 0.0  # the last wait, from which the next one grows
    sender: str | None = None  # reverse-path in wire form; None: the envelope's
    fields: bytes = b""  # header fields of ours to stand before the message
    seal: bytes | None = None  # fields for this attempt alone, before `fields`; None: not made
    doubtful: bool = False  # perhaps the next hop has it already: a final reply was lost, or we were restarted
    rule: str = ""  # id of the customer's rule that holds it
    freed_at: float = 0.0  # when it was last set free after it was held; 0.0: never was, as far as we know
    attempted: bool = False  # since then, and since the start of this process

    @property
    def received_at(self) -> float:
        return self.live.envelope.received_at

    @property
    def term_from(self) -> float:
        """Since when it waits for its server: what leaves a hold has its whole term before it."""
        return max(self.live.envelope.received_at, self.freed_at)

    @property
    def held(self) -> bool:
        return self.due >= HELD or bool(self.rule)

    def set_free(self, now: float) -> None:
        """Nobody holds it any more."""
        self.freed_at = now
        self.attempted = False


def waitings(live: "Live", targets: list[int], sender: str | None = None, fields: bytes = b"") -> Iterator[Waiting]:
    """Split targets of one message and hop into transactions; what was tried before goes on with its own schedule."""
    schedules: dict[tuple[float, float, float], list[int]] = {}
    for target in targets:
        tried = live.tried.get(target)
        schedule = (0.0, 0.0, 0.0)
        if tried:
            schedule = (tried.next, tried.next - tried.at if tried.next < HELD else 0.0, tried.freed_at)
        schedules.setdefault(schedule, []).append(target)
    for (due, wait, freed_at), group in schedules.items():
        for start in range(0, len(group), TRANSACTION):
            some = tuple(group[start : start + TRANSACTION])
            yield Waiting(live, some, due, wait, sender, fields, freed_at=freed_at)


class Queue:
    """Everything pending for one hop; taken out while an attempt is made, put back if that settled nothing.

    `parted` gives what is to be added for something: as it is, or in parts of which a rule holds some.
    """

    def __init__(self, parted: Callable[[Waiting], Iterable[Waiting]] = lambda waiting: (waiting,)) -> None:
        self._parted = parted
        self._ready: list[tuple[float, int, Waiting]] = []  # received_at, tie, ...
        self._later: list[tuple[float, int, Waiting]] = []  # due, tie, ...
        self._held: list[Waiting] = []  # never due
        self._tie = 0

    def __len__(self) -> int:
        return len(self._ready) + len(self._later) + len(self._held)

    def __iter__(self) -> Iterator[Waiting]:
        for _, _, waiting in (*self._ready, *self._later):
            yield waiting
        yield from list(self._held)

    @property
    def held(self) -> int:
        """How many nobody may take."""
        return len(self._held)

    def add(self, waiting: Waiting, now: float) -> None:
        rule = waiting.rule
        for part in self._parted(waiting):
            if rule and not part.rule:
                part.set_free(now)
            self._tie += 1
            if part.held:
                self._held.append(part)
            elif part.due <= now:
                heappush(self._ready, (part.received_at, self._tie, part))
            else:
                heappush(self._later, (part.due, self._tie, part))

    def reconsider(self, now: float) -> None:
        """Other rules hold other mail now."""
        for waiting in self.remove(lambda _: True):
            self.add(waiting, now)

    def set_free(self, now: float) -> None:
        """Nothing was to leave from here, and may now; what somebody or a rule holds beside that stays held."""
        for waiting in self:
            if not waiting.held:
                waiting.set_free(now)

    def ready(self, now: float) -> int:
        """How many may go now."""
        while self._later and self._later[0][0] <= now:
            _, tie, waiting = heappop(self._later)
            heappush(self._ready, (waiting.received_at, tie, waiting))
        return len(self._ready)

    def take(self, now: float) -> Waiting | None:
        """The oldest message that may go now."""
        return heappop(self._ready)[2] if self.ready(now) else None

    def take_older(self, received_before: float, now: float) -> Waiting | None:
        """The oldest that may go now, if it was received before that time; for what has waited too long."""
        if self.ready(now) and self._ready[0][0] < received_before:
            return heappop(self._ready)[2]
        return None

    def foremost(self, count: int, now: float) -> list[Waiting]:
        """So many of the oldest that may go now, nearly in order; they stay here."""
        self.ready(now)
        return [waiting for _, _, waiting in self._ready[:count]]

    def next_due(self) -> float | None:
        """When the next one that was put off is due; None: none was."""
        return self._later[0][0] if self._later else None

    def hurry(self) -> None:
        """Everything that is not held is due now (row D2)."""
        self._ready += [(waiting.received_at, tie, waiting) for _, tie, waiting in self._later]
        self._later = []
        heapify(self._ready)

    def oldest(self) -> float | None:
        """When the oldest message here was received."""
        return min((waiting.received_at for waiting in self), default=None)

    def remove(self, unwanted: Callable[[Waiting], bool]) -> list[Waiting]:
        """Take out all that `unwanted` picks."""
        picked = [waiting for waiting in self if unwanted(waiting)]
        if picked:
            gone = set(map(id, picked))
            self._ready = [item for item in self._ready if id(item[2]) not in gone]
            self._later = [item for item in self._later if id(item[2]) not in gone]
            self._held = [waiting for waiting in self._held if id(waiting) not in gone]
            heapify(self._ready)
            heapify(self._later)
        return picked
