"""The server's end of the ledger: its process is fed and kept alive, and threads of ours read beside it.

Accepting and giving mail never waits for it, and it takes next to nothing of the reactor: the process reads the spool
journal by itself. What the journal does not hold (mail that nobody wanted, what readers did) is told every second, and
the last second of it is lost with a kill.
"""

import os
import sys
from collections.abc import Callable
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct
from twisted.internet.defer import Deferred, succeed
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from emailgency.codec import frames
from emailgency.codec.maildir import email_id
from emailgency.model.envelope import Envelope
from emailgency.store import layout
from emailgency.store.ledger.facts import shares
from emailgency.store.ledger.messages import (
    Begin,
    Bounds,
    CatchUp,
    Dropped,
    Forget,
    Reached,
    Request,
    Stop,
    Touched,
)

TOLD_EVERY = 1.0  # seconds
WAITING = 20_000  # things to tell; more in a second are not worth remembering
PATIENCE = 10.0  # seconds that a question waits for the process: then what is there is told
RESTART = (1.0, 60.0)  # seconds until it is started again: at first, and after many deaths
_NONE = 1 << 62

_replies: msgspec.msgpack.Decoder[Reached] = msgspec.msgpack.Decoder(Reached)
_encode = msgspec.msgpack.Encoder().encode


class LedgerSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is remembered of each message when it is gone. The oldest go first; a message takes about 1 KiB."""

    days: Annotated[int, Meta(ge=0, le=36_500, description="Days; 0: nothing is remembered at all.")] = 400
    customer_octets: Annotated[int, Meta(ge=1 << 20, description="Octets on the disk for one customer.")] = 1 << 30
    octets: Annotated[int, Meta(ge=1 << 20, description="Octets on the disk for all customers together.")] = 8 << 30


class _Process(ProcessProtocol):
    """One run of it."""

    _log = Logger()

    def __init__(self, ledger: "Ledger") -> None:
        self._ledger = ledger
        self._frames = frames.Frames()

    def outReceived(self, data: bytes) -> None:
        for payload in self._frames.feed(data):
            self._ledger.replied(_replies.decode(payload))

    def errReceived(self, data: bytes) -> None:
        for line in data.decode("ascii", "backslashreplace").splitlines():
            self._log.error("ledger: {line}", line=line)

    def processEnded(self, reason: Failure) -> None:
        self._ledger.ended(reason)


class Ledger:
    """`start` it when the spool has; without, nothing is remembered and nothing found."""

    _log = Logger()

    def __init__(
        self, reactor: Any, data: str, clock: Callable[[], float], settings: LedgerSettings | None = None
    ) -> None:
        self._reactor = reactor
        self._data = data
        self._clock = clock
        self._settings = settings or LedgerSettings()
        self._process: Any = None
        self._asked: dict[int, tuple[Deferred[None], Any]] = {}
        self._number = 0
        self._segment = 0
        self._waiting: list[Dropped] = []
        self._touched: dict[tuple[str, str, str], list[str]] = {}
        self._count = 0  # of what waits to be told
        self._calls: dict[str, Any] = {}
        self._said: frozenset[str] = frozenset()  # in the log, and nothing has changed since
        self._stopping: Deferred[None] | None = None
        self._deaths = 0

    def start(self) -> None:
        if self._settings.days:
            self._spawn()

    async def stop(self) -> None:
        """When nothing is written to the spool journal any more."""
        for call in self._calls.values():
            call.cancel()
        self._calls.clear()
        if self._process is None:
            return
        self._tell_all()
        self._stopping = Deferred()
        self._say(Stop(0))
        killer = self._reactor.callLater(PATIENCE, self._kill)
        await self._stopping
        if killer.active():
            killer.cancel()

    def needed(self) -> int:
        """The oldest segment of the spool journal that may have to be read."""
        return self._segment if self._settings.days else _NONE

    # ---- what it is told -----------------------------------------------------------------------------------

    def dropped(self, envelope: Envelope) -> None:
        """A message that nobody wanted, with an envelope as it would have had."""
        for customer, share in shares(envelope).items():
            if self._room(1):
                self._waiting.append(Dropped(customer, share))

    def touched(self, path: str, names: list[str], word: str) -> None:
        """A reader has done this ("read", "expunged") to files of a folder."""
        customer, mailbox = _whose(layout.mailbox_of(path))
        if customer and self._room(len(names)):
            key = (customer, mailbox, word)
            self._touched.setdefault(key, []).extend(names)

    def forget(self, customer: str) -> None:
        """The customer is gone, and so is all that was known of his mail."""
        self._say(Forget(customer))

    def caught_up(self) -> "Deferred[None]":
        """Fires when all that has happened until now can be found; after a while in any case."""
        if self._process is None:
            return succeed(None)
        self._tell_all()
        self._number += 1
        number, done = self._number, Deferred[None]()
        self._asked[number] = done, self._reactor.callLater(PATIENCE, self._answer, number)
        self._say(CatchUp(number))
        return done

    def path(self, customer: str) -> str:
        """Of his ledger; it may not be there."""
        return os.path.join(self._data, layout.ledger(customer))

    def customers(self) -> list[str]:
        """Those with a ledger. Blocks."""
        try:
            names = os.listdir(os.path.join(self._data, layout.LEDGER))
        except FileNotFoundError:
            return []
        return sorted(name.removesuffix(".sqlite") for name in names if name.endswith(".sqlite"))

    # ---- the process ---------------------------------------------------------------------------------------

    def replied(self, reply: Reached) -> None:
        self._deaths = 0
        self._segment = reply.segment
        for words in frozenset(reply.trouble) - self._said:
            self._log.error("ALERT the ledger: {reason}", reason=words)
        self._said = frozenset(reply.trouble)
        if reply.number:
            self._answer(reply.number)

    def ended(self, reason: Failure) -> None:
        self._process = None
        for number in list(self._asked):
            self._answer(number)
        if self._stopping is not None:
            self._stopping.callback(None)
            return
        self._deaths += 1
        delay = min(RESTART[1], RESTART[0] * 2.0 ** (self._deaths - 1))
        words = reason.getErrorMessage()
        self._log.error("the ledger's process ended: {reason}; again in {delay} s", reason=words, delay=delay)
        self._calls["spawn"] = self._reactor.callLater(delay, self._spawn)

    def _spawn(self) -> None:
        self._calls.pop("spawn", None)
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        arguments = [sys.executable, "-m", "emailgency.store.ledger.child"]
        self._process = self._reactor.spawnProcess(_Process(self), sys.executable, arguments, env=environment)
        bounds = Bounds(self._settings.days, self._settings.customer_octets, self._settings.octets)
        self._say(Begin(self._data, bounds))

    def _kill(self) -> None:
        self._log.error("the ledger's process does not end, it is killed")
        self._process.signalProcess("KILL")

    def _answer(self, number: int) -> None:
        if (asked := self._asked.pop(number, None)) is not None:
            done, call = asked
            if call.active():
                call.cancel()
            done.callback(None)

    def _room(self, count: int) -> bool:
        if self._process is None or self._count + count > WAITING:
            return False
        self._count += count
        if "tell" not in self._calls:
            self._calls["tell"] = self._reactor.callLater(TOLD_EVERY, self._tell_later)
        return True

    def _tell_later(self) -> None:
        del self._calls["tell"]
        self._tell_all()

    def _tell_all(self) -> None:
        dropped, self._waiting = self._waiting, []
        touched, self._touched = self._touched, {}
        self._count = 0
        for one in dropped:
            self._say(one)
        now = self._clock()
        for (customer, mailbox, word), names in touched.items():
            ids = dict.fromkeys(email_id(name).partition("_")[0] for name in names)
            self._say(Touched(customer, mailbox, tuple(ids), word, now))

    def _say(self, request: Request) -> None:
        if self._process is not None:
            self._process.write(frames.encode(_encode(request)))


def _whose(path: str) -> tuple[str, str]:
    """Customer and mailbox of a Maildir; no customer: it is nobody's."""
    parts = path.split("/")
    if layout.is_mailbox(path):
        return parts[1], parts[3]
    return (parts[1], "") if parts[0] == "customers" and parts[-1] == "undelivered" else ("", "")
