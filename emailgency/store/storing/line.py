"""The reactor's end of the socket pair to the storer: starts it, asks it, starts it again when it dies."""

import contextlib
import os
import socket
import sys
from collections.abc import Callable
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, ProcessProtocol, Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from emailgency.codec import frames
from emailgency.model.errors import Temporary
from emailgency.store.storing.messages import Abort, Append, Asking, Commit, Stop, Telling, Write
from emailgency.store.storing.replies import Delivered, Failed, Reply

_replies: msgspec.msgpack.Decoder[Reply] = msgspec.msgpack.Decoder(Reply)
_encode = msgspec.msgpack.Encoder().encode
# Pieces of large messages lie in memory that malloc keeps: got from the kernel anew each time, a third of the storer's
# CPU went into page faults (5 MiB messages)
_KEPT_MEMORY = {"MALLOC_MMAP_THRESHOLD_": "33554432", "MALLOC_TRIM_THRESHOLD_": "33554432"}
_SENT_AT_ONCE = 512 << 10  # octets, as far as the kernel allows: 128 KiB are 40 events of the reactor for 5 MiB
_CHILD_LINE = 3  # the descriptor as the child sees it


class StorerDied(Temporary):
    """The process ended before it answered: what was asked may have happened or not."""


class StorerSettings(Struct, frozen=True):
    """How the storer process is run."""

    segment_size: Annotated[int, Meta(description="Octets of one segment of the spool journal.", ge=4096)] = 16 << 20
    high_water: Annotated[
        int, Meta(description="Octets waiting for the storer above which nothing more is read from clients.", ge=65536)
    ] = 8 << 20
    restart_delay: Annotated[
        float, Meta(description="Seconds before the second restart of a dying storer; doubles up to 30.", gt=0)
    ] = 0.2
    stop_timeout: Annotated[float, Meta(description="Seconds a stopping storer may take for its last syncs.", gt=0)] = (
        20.0
    )
    patience: Annotated[
        float,
        Meta(description="Seconds without an answer after which mail gets 451 and /ready says why.", gt=0),
    ] = 10.0


class _Line(Protocol):
    """Frames in and out, and how much waits to go out.

    The transport's own `bufferSize` stays small: it is also what a read allots, 20 µs for the 8 MiB of a high water.
    """

    def __init__(self, storer: "Storer") -> None:
        self._storer = storer
        self._frames = frames.Frames()
        self._held: int | None = None  # octets written since the transport keeps some back; None: it does not

    def connectionMade(self) -> None:
        transport: Any = self.transport
        transport.SEND_LIMIT = _SENT_AT_ONCE
        transport.registerProducer(self, True)

    def dataReceived(self, data: bytes) -> None:
        for payload in self._frames.feed(data):
            self._storer.replied(_replies.decode(payload))

    def send(self, request: Telling | Asking) -> None:
        frame = frames.encode(_encode(request))
        transport: Any = self.transport
        transport.write(frame)
        if self._held is not None:
            self._held += len(frame)
            if self._held > self._storer.settings.high_water:
                self._storer.set_busy(True)

    def pauseProducing(self) -> None:
        if self._held is None:  # the transport says it at every write
            self._held = 0

    def resumeProducing(self) -> None:
        self._held = None
        self._storer.set_busy(False)

    def stopProducing(self) -> None:
        """The transport is going; connectionLost tells."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._storer.line_lost()


class _Process(ProcessProtocol):
    """What the child prints goes to the log; its end is an event."""

    _log = Logger()

    def __init__(self, storer: "Storer") -> None:
        self._storer = storer

    def errReceived(self, data: bytes) -> None:
        for line in data.decode("ascii", "backslashreplace").splitlines():
            self._log.error("storer: {line}", line=line)

    def processEnded(self, reason: Failure) -> None:
        self._storer.ended(reason)


class Storer:
    """Asks are answered in order. When the process dies every open ask fails as Temporary and it is started again."""

    _log = Logger()

    def __init__(self, reactor: Any, data: str, settings: StorerSettings | None = None) -> None:
        self.settings = settings or StorerSettings()
        self.busy = False
        self.on_event: Callable[[Delivered], None] = lambda event: None
        self.on_busy: list[Callable[[bool], None]] = []  # told when `busy` changes
        self.on_restart: list[Callable[[], None]] = []  # told when a new process stands in for a dead one
        self.listeners: list[Callable[[Delivered], None]] = []  # before on_event
        self._reactor = reactor
        self._data = data
        self._number = 0
        self._asked: dict[int, tuple[Deferred[Any], float]] = {}  # answer and time, the oldest first
        self._transport: Any = None
        self._process: Any = None
        self._line: _Line | None = None
        self._spare: socket.socket | None = None  # a second descriptor, to read what a dead storer still had said
        self._writing: set[str] = set()  # ids with a Write in the running process
        self._broken: set[str] = set()  # ids whose Writes died with theirs
        self._stopping = False
        self._stopped: Deferred[None] | None = None
        self._deaths = 0  # since an answer
        self._spawned = 0.0  # seconds of the reactor
        self._reason = ""

    @property
    def waited(self) -> float:
        """Seconds that the oldest open request waits for its answer; 0: none is open."""
        return next((self._reactor.seconds() - at for _, at in self._asked.values()), 0.0)

    @property
    def hung(self) -> bool:
        """It lives, perhaps, but who asked it has waited too long: stopped, or its disk does not come back."""
        return self.waited > self.settings.patience

    @property
    def failing(self) -> bool:
        """It dies again and again; the present one, if there is one, has not yet lived long enough to be trusted."""
        young = self._reactor.seconds() - self._spawned < self.settings.patience
        return self._deaths > 1 and (self._transport is None or young)

    def number(self) -> int:
        """A fresh number for a request."""
        self._number += 1
        return self._number

    async def start(self) -> None:
        """Start the process; requests may follow at once."""
        os.makedirs(self._data, mode=0o700, exist_ok=True)
        self._stopping = False
        self._spawn()

    async def stop(self) -> None:
        """Let it finish, sync and write exact UIDNEXTs, then wait for its end."""
        if self._process is None or self._stopping:
            return
        self._stopping = True
        self._stopped = Deferred()
        killer = self._reactor.callLater(self.settings.stop_timeout, self._kill)
        with contextlib.suppress(Temporary):
            await self.ask(Stop(self.number()))
        await self._stopped
        if killer.active():
            killer.cancel()

    def tell(self, request: Telling) -> None:
        """Send a request that has no reply. When the process is down it is lost: so is what it belonged to."""
        if isinstance(request, Write):
            (self._writing if self._transport is not None else self._broken).add(request.id)
        elif isinstance(request, Abort):
            self._forget(request.id)
        if self._line is not None and self._transport is not None:
            self._line.send(request)

    def ask(self, request: Asking) -> "Deferred[Any]":
        """Send a request that has a reply; fails with Temporary when the storer or its disk fails."""
        answer: Deferred[Any] = Deferred()
        if isinstance(request, (Commit, Append)) and self._lost_octets(request):
            answer.errback(Temporary("the storer died while the message came in"))
            return answer
        if self._line is None or self._transport is None:
            answer.errback(Temporary("the storer is not running"))
            return answer
        self._asked[request.number] = answer, self._reactor.seconds()
        self._line.send(request)
        return answer

    def _lost_octets(self, request: Commit | Append) -> bool:
        """Whether a storer that died took some of them along; then what the present one has of them goes as well."""
        ids = [request.id] if isinstance(request, Commit) else [new.id for new in request.messages]
        broken = any(id in self._broken for id in ids)
        for id in ids:
            if broken and id in self._writing:
                self.tell(Abort(id))
            self._forget(id)
        return broken

    def _forget(self, id: str) -> None:
        self._writing.discard(id)
        self._broken.discard(id)

    def replied(self, reply: Reply) -> None:
        if isinstance(reply, Delivered):
            for listener in self.listeners:
                listener(reply)
            self.on_event(reply)
        asked = self._asked.pop(reply.number, None)
        if asked is None:
            return
        answer, _ = asked
        self._deaths = 0
        if isinstance(reply, Failed):
            answer.errback(Temporary(reply.reason))
        else:
            answer.callback(reply)

    def set_busy(self, busy: bool) -> None:
        if busy == self.busy:
            return
        self.busy = busy
        for listener in tuple(self.on_busy):
            listener(busy)

    # ---- the process -------------------------------------------------------------------------------------

    def _spawn(self) -> None:
        self._spawned = self._reactor.seconds()
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SENT_AT_ONCE)
        environment = {**os.environ, **_KEPT_MEMORY, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        arguments = [str(_CHILD_LINE), self._data, str(self.settings.segment_size)]
        self._process = self._reactor.spawnProcess(
            _Process(self),
            sys.executable,
            [sys.executable, "-m", "emailgency.store.storing.child", *arguments],
            env=environment,
            childFDs={0: "w", 1: "r", 2: "r", _CHILD_LINE: theirs.fileno()},
        )
        theirs.close()
        line = self._line = _Line(self)
        self._reactor.adoptStreamConnection(ours.fileno(), socket.AF_UNIX, Factory.forProtocol(lambda: line))
        self._spare = ours
        self._transport = line.transport

    def _kill(self) -> None:
        with contextlib.suppress(Exception):
            self._process.signalProcess("KILL")

    def ended(self, reason: Failure) -> None:
        """The process is gone."""
        self._process = None
        self._reason = reason.getErrorMessage()
        if self._transport is None:
            self._over()

    def line_lost(self) -> None:
        """Nothing more comes from it."""
        self._transport = None
        self._hear_last_words()
        if self._process is None:
            self._over()
        else:
            self._kill()

    def _hear_last_words(self) -> None:
        """A failed write closes the transport before everything is read; a Done among it is a promise kept."""
        spare, line = self._spare, self._line
        assert spare is not None
        assert line is not None
        with contextlib.suppress(OSError), spare:
            while octets := spare.recv(1 << 20):
                line.dataReceived(octets)
        self._spare = None

    def _over(self) -> None:
        """Fail what was asked, then start the process again, later each time it dies at once."""
        asked, self._asked = self._asked, {}
        self._broken |= self._writing
        self._writing.clear()
        for answer, _ in asked.values():
            answer.errback(StorerDied("the storer died"))
        self.set_busy(False)
        if self._stopping:
            if self._stopped is not None:
                self._stopped.callback(None)
            return
        self._deaths += 1
        delay = 0.0 if self._deaths == 1 else min(30.0, self.settings.restart_delay * 2.0 ** (self._deaths - 2))
        self._log.error("storer died: {reason}; again in {delay} s", reason=self._reason, delay=delay)
        self._reactor.callLater(delay, self._restart)

    def _restart(self) -> None:
        if self._stopping:
            return
        self._spawn()
        for listener in self.on_restart:
            listener()
