"""The server's end of the pipes to the ledger's process: starts it, asks it, starts it again when it dies."""

import os
import sys
from collections.abc import Callable
from typing import Any

import msgspec
from twisted.internet.defer import Deferred, succeed
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from emailgency.codec import frames
from emailgency.store.ledger.messages import CatchUp, Reached, Request, Stop

PATIENCE = 20.0  # seconds that a question waits for the process: then what is there is told
RESTART = (1.0, 60.0)  # seconds until it is started again: at first, and after many deaths

_replies: msgspec.msgpack.Decoder[Reached] = msgspec.msgpack.Decoder(Reached)
_encode = msgspec.msgpack.Encoder().encode


class _Process(ProcessProtocol):
    """One run of it."""

    _log = Logger()

    def __init__(self, line: "LedgerLine") -> None:
        self._line = line
        self._frames = frames.Frames()

    def outReceived(self, data: bytes) -> None:
        for payload in self._frames.feed(data):
            self._line.replied(_replies.decode(payload))

    def errReceived(self, data: bytes) -> None:
        for line in data.decode("ascii", "backslashreplace").splitlines():
            self._log.error("ledger: {line}", line=line)

    def processEnded(self, reason: Failure) -> None:
        self._line.ended(reason)


class LedgerLine:
    """Requests are taken in their order; what is said while the process is down is lost."""

    _log = Logger()

    def __init__(self, reactor: Any, first: Callable[[], list[Request]]) -> None:
        """`first` gives what each new process is told before all else."""
        self.segment = 0  # of the spool journal: those below are not needed any more
        self._reactor = reactor
        self._first = first
        self._process: Any = None
        self._asked: dict[int, tuple[Deferred[None], Any]] = {}
        self._number = 0
        self._said: frozenset[str] = frozenset()  # in the log, and nothing has changed since
        self._deaths = 0
        self._restart: Any = None
        self._stopping: Deferred[None] | None = None

    @property
    def up(self) -> bool:
        return self._process is not None

    def start(self) -> None:
        self._restart = None
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        arguments = [sys.executable, "-m", "emailgency.store.ledger.child"]
        self._process = self._reactor.spawnProcess(_Process(self), sys.executable, arguments, env=environment)
        for request in self._first():
            self.say(request)

    async def stop(self) -> None:
        """It catches up, makes that last, and ends."""
        if self._restart is not None:
            self._restart.cancel()
        if self._process is None:
            return
        self._stopping = Deferred()
        self.say(Stop(0))
        killer = self._reactor.callLater(PATIENCE, self._kill)
        await self._stopping
        if killer.active():
            killer.cancel()

    def say(self, request: Request) -> None:
        if self._process is not None:
            self._process.write(frames.encode(_encode(request)))

    def caught_up(self) -> "Deferred[None]":
        """Fires when all that was said and all that stands in the spool journal can be found; or after a while."""
        if self._process is None:
            return succeed(None)
        self._number += 1
        number, done = self._number, Deferred[None]()
        self._asked[number] = done, self._reactor.callLater(PATIENCE, self._answer, number)
        self.say(CatchUp(number))
        return done

    def replied(self, reply: Reached) -> None:
        self._deaths = 0
        self.segment = reply.segment
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
        delay = min(RESTART[1], RESTART[0] * 2.0 ** min(self._deaths - 1, 10))
        words = reason.getErrorMessage()
        self._log.error("the ledger's process ended: {reason}; again in {delay} s", reason=words, delay=delay)
        self._restart = self._reactor.callLater(delay, self.start)

    def _kill(self) -> None:
        self._log.error("the ledger's process does not end, it is killed")
        self._process.signalProcess("KILL")

    def _answer(self, number: int) -> None:
        if (asked := self._asked.pop(number, None)) is not None:
            done, call = asked
            if call.active():
                call.cancel()
            done.callback(None)
