"""The ledger's process: `python -m emailgency.store.ledger.child`. Requests on 0, replies on 1.

It reads the spool journal a second behind its writer, so that nobody who takes or gives mail waits for it, and a kill
of everything loses nothing: the journal is synced before any 250, and no segment goes before it has been read and what
was made of it is on stable storage. Runs at low priority.
"""

import contextlib
import os
import select
import sqlite3
import time
from collections.abc import Callable

import msgspec

from emailgency.codec import frames
from emailgency.model.story import Facts, Happening, Kind
from emailgency.store import layout
from emailgency.store.ledger.facts import into
from emailgency.store.ledger.file import LedgerFile, facts_of
from emailgency.store.ledger.following import Following, Position
from emailgency.store.ledger.gathering import Gathering, Rows
from emailgency.store.ledger.messages import Begin, CatchUp, Dropped, Reached, Request, Stop, Touched
from emailgency.store.ledger.shelf import Shelf

NICE = 5  # behind the others, but people wait for what it reads
LOOK = 1.0  # seconds between two looks at the journal
MARK = 30.0  # seconds after which what was written is made to last
AGAIN = 5.0  # seconds until what could not be written is tried again
BOUNDS = 3600.0  # seconds between two looks at the bounds
GROWN = 100_000  # messages after which the bounds are looked at sooner

_requests: msgspec.msgpack.Decoder[Request] = msgspec.msgpack.Decoder(Request)
_encode = msgspec.msgpack.Encoder().encode
_position: msgspec.json.Decoder[Position] = msgspec.json.Decoder(Position)


class Keeper:
    """One data folder."""

    def __init__(self, begin: Begin, now: Callable[[], float] = time.time) -> None:
        self._mark = os.path.join(begin.data, layout.LEDGER_MARK)
        self._shelf = Shelf(begin.data, begin.bounds)
        self._following = Following(begin.data, _marked(self._mark))
        self._gathering = Gathering()
        self._gone: set[str] = set()  # customers
        self._marked_at = self._looked_at = now()
        self._marked = self._following.marked
        self._grown = GROWN  # the first time at once
        self._now = now

    def catch_up(self) -> None:
        """All that the journal holds now. Raises sqlite3.OperationalError, OSError; then the rest waits."""
        self._write()
        for piece in self._following.pieces():
            self._gathering.take(piece.records, piece.again)
            self._write()
            if self._following.position[0] > self._marked[0] and not piece.again:
                self.mark()

    def dropped(self, customer: str, facts: Facts) -> None:
        if customer not in self._gone:
            self._shelf.write(customer, lambda file: file.add([facts], []))

    def touched(self, request: Touched) -> None:
        """Only what the ledger knows of, and has a copy there."""
        if request.customer in self._gone:
            return
        mine = into(request.mailbox) if request.mailbox else ""
        self._shelf.write(request.customer, lambda file: file.add([], _touches(file, request, mine)))

    def forget(self, customer: str) -> None:
        self._gone.add(customer)
        self._gathering.rows.pop(customer, None)
        self._shelf.remove(customer)

    def look(self) -> None:
        """What is to be done now and then."""
        now = self._now()
        if now - self._marked_at >= MARK and self._following.position != self._marked:
            self.mark()
        if self._grown >= GROWN or now - self._looked_at >= BOUNDS:
            self._looked_at = now
            self._grown = GROWN if self._shelf.keep_bounds(now) else 0

    def mark(self) -> None:
        """What was read so far need not be read again."""
        self._shelf.settle()
        position = self._following.position
        octets = msgspec.json.encode(position)
        descriptor = os.open(f"{self._mark}.new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, octets)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(f"{self._mark}.new", self._mark)
        self._marked, self._marked_at = position, self._now()

    def reached(self, number: int) -> Reached:
        told = (*self._following.complaints, *self._shelf.complaints)
        self._following.complaints.clear()
        self._shelf.complaints.clear()
        return Reached(number, self._marked[0], told)

    def end(self) -> None:
        self._shelf.close()

    def _write(self) -> None:
        """What was gathered; what cannot be written stays gathered."""
        rows = self._gathering.rows
        for customer in list(rows):
            if customer not in self._gone:
                self._put(customer, rows[customer])
            del rows[customer]

    def _put(self, customer: str, rows: Rows) -> None:
        self._shelf.write(customer, lambda file: file.add(rows.messages, rows.happenings))
        self._grown += len(rows.messages)
        if rows.void:
            self._shelf.write(customer, lambda file: file.forget(rows.void))


def _touches(file: LedgerFile, request: Touched, mine: str) -> list[tuple[str, Happening]]:
    found = []
    for id, octets in file.among(request.ids, mine):
        kind = Kind.MAILBOX if request.mailbox else Kind.UNDELIVERED
        copies = (one for one in facts_of(octets).copies if one.kind is kind and one.place == request.mailbox)
        targets = tuple(one.target for one in copies)
        if targets:
            found.append((id, Happening(request.at, request.word, targets)))
    return found


def _marked(path: str) -> Position:
    try:
        with open(path, "rb") as file:
            return _position.decode(file.read())
    except (FileNotFoundError, msgspec.MsgspecError):
        return (0, 0)


class Child:
    """Requests in their order; between them the journal."""

    def __init__(self) -> None:
        self._frames = frames.Frames()
        self._keeper: Keeper | None = None
        self._told = 0  # segment
        self._wait = LOOK

    def run(self) -> None:
        """Until the server closes its end, or says so."""
        while True:
            readable, _, _ = select.select([0], [], [], self._wait)
            octets = os.read(0, 1 << 20) if readable else b""
            if readable and not octets:
                return
            for payload in self._frames.feed(octets) if octets else ():
                if not self._answer(_requests.decode(payload)):
                    return
            if not readable:
                self._work(0)

    def _answer(self, request: Request) -> bool:
        """False: that was the last one."""
        if isinstance(request, Begin):
            self._keeper = Keeper(request)
            return True
        keeper = self._keeper
        assert keeper is not None
        if isinstance(request, CatchUp | Stop):
            self._work(request.number, last=isinstance(request, Stop))
            return not isinstance(request, Stop)
        try:
            if isinstance(request, Dropped):
                keeper.dropped(request.customer, request.facts)
            elif isinstance(request, Touched):
                keeper.catch_up()
                keeper.touched(request)
            else:
                keeper.forget(request.customer)
        except (sqlite3.Error, OSError) as error:
            _say(Reached(0, self._told, (f"{type(request).__name__}: {error}",)))
        return True

    def _work(self, number: int, last: bool = False) -> None:
        keeper = self._keeper
        if keeper is None:
            return
        trouble: tuple[str, ...] = ()
        try:
            keeper.catch_up()
            keeper.mark() if last else keeper.look()
            self._wait = LOOK
        except (sqlite3.Error, OSError) as error:
            trouble = (str(error),)
            self._wait = AGAIN
        reached = keeper.reached(number)
        if number or trouble or reached.trouble or reached.segment != self._told:
            self._told = reached.segment
            _say(Reached(number, reached.segment, (*reached.trouble, *trouble)))
        if last:
            keeper.end()


def _say(reply: Reached) -> None:
    waiting = memoryview(frames.encode(_encode(reply)))
    while waiting:
        waiting = waiting[os.write(1, waiting) :]


def main() -> None:
    with contextlib.suppress(OSError):
        os.nice(NICE)
    with contextlib.suppress(BrokenPipeError, KeyboardInterrupt):
        Child().run()


if __name__ == "__main__":
    main()
