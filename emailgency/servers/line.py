"""One client's connection as its conversation sees it: events in, octets out, both with back-pressure, and a deadline.

Input is bounded because the codec's buffer is: reading stops while it is full, and nobody asks it for the next
command while one runs. Output is bounded because whoever writes much does so by `say`. Time is bounded by one
deadline, looked at by the timer common to all connections (`servers.connections`).
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from math import inf
from typing import Generic, Protocol, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator, IPushProducer, IReactorTime
from zope.interface import implementer

SLICE = 0.006  # seconds a command may hold the reactor at once; many clients at once still see NOOP in under 200 ms
CLOSING_SECONDS = 10  # for the last words to get through, before the connection is aborted

E = TypeVar("E")
E_co = TypeVar("E_co", covariant=True)


class Codec(Protocol[E_co]):
    """What turns octets into events: not asking for the next one is the pause."""

    @property
    def full(self) -> bool:
        """Enough is buffered: stop reading."""

    @property
    def pending(self) -> bool:
        """Octets are here that `next_event` has not looked at, although it found no event."""

    def feed(self, data: bytes, /) -> None:
        """Octets that have arrived."""

    def next_event(self) -> E_co | None:
        """None: more octets are needed."""


class Transport(Protocol):
    """What Twisted's TCP and TLS connections both have, and no interface of theirs says in one place."""

    def write(self, data: bytes) -> None: ...
    def registerProducer(self, producer: IPushProducer, streaming: bool) -> None: ...
    def unregisterProducer(self) -> None: ...
    def pauseProducing(self) -> None: ...
    def resumeProducing(self) -> None: ...
    def loseConnection(self) -> None: ...
    def abortConnection(self) -> None: ...
    def startTLS(self, contextFactory: IOpenSSLServerConnectionCreator) -> None: ...


@implementer(IPushProducer)
class Line(ABC, Generic[E]):
    """`transport` is told by this object to stop reading, and tells it to stop writing.

    A protocol says in a class of its own which codec reads, and what its last words look like.
    """

    __slots__ = (
        "_blocked",
        "_closing",
        "_drained",
        "_lost",
        "_reactor",
        "_reading",
        "_slice",
        "_waiting",
        "at_rest",
        "connection",
        "deadline",
        "ip",
        "login_by",
        "patience",
        "relieved",
        "secure",
        "stalled",
        "transport",
    )

    connection: Codec[E]

    def __init__(
        self, transport: Transport, reactor: IReactorTime, connection: Codec[E], *, login_by: float, stalled: float
    ) -> None:
        self.transport = transport
        self.connection = connection
        self.ip = ""
        self.secure = False  # under TLS
        self.login_by = login_by  # on the reactor's clock; infinity after the login
        self.patience = inf  # seconds the client may let us wait for the next event
        self.stalled = stalled  # seconds it may leave unread what we sent
        self.deadline = login_by
        self.relieved: Callable[[], None] | None = None  # called when the client reads again
        self.at_rest = True  # no command runs, so the end may come at any time
        self._reactor = reactor
        self._waiting: Deferred[None] | None = None  # for octets
        self._drained: Deferred[None] | None = None  # for the client to take what was written
        self._blocked = False
        self._reading = True
        self._closing = False
        self._lost = False
        self._slice = 0.0
        transport.registerProducer(self, True)

    # -- in ------------------------------------------------------------------------------------------------

    def received(self, data: bytes) -> None:
        """Octets from the transport."""
        self.connection.feed(data)
        if self._waiting is not None:
            self._slice = self._reactor.seconds() + SLICE
            waiting, self._waiting = self._waiting, None
            waiting.callback(None)
        elif self.connection.full and self._reading:
            self._reading = False
            self.transport.pauseProducing()

    async def event(self) -> E:
        """The client's next event; raises ConnectionLost."""
        while True:
            event = None if self._closing else self.connection.next_event()
            if not self._reading and not self.connection.full and not self._lost:
                self._reading = True
                self.transport.resumeProducing()
            if event is not None:
                return event
            if self._lost:
                raise ConnectionLost
            if self.connection.pending and not self._closing:
                await self.breathe()
                continue
            self._waiting = Deferred()
            if not self._closing:
                self.deadline = min(self.login_by, self._reactor.seconds() + self.patience)
            await self._waiting
            self.deadline = inf

    # -- out -----------------------------------------------------------------------------------------------

    def write(self, octets: bytes) -> None:
        if not self._lost and not self._closing:
            self.transport.write(octets)

    async def say(self, octets: bytes) -> None:
        """Write much: waits while the client does not read, and lets others run. Raises ConnectionLost."""
        self.write(octets)
        if self._blocked and not self._lost:
            self.deadline = self._reactor.seconds() + self.stalled
            self._drained = Deferred()
            await self._drained
            self.deadline = inf
        await self.breathe()

    async def breathe(self) -> None:
        """Let others run when this session has had its slice of time; called in every long loop."""
        if self._lost:
            raise ConnectionLost
        if self._reactor.seconds() >= self._slice:
            pause: Deferred[None] = Deferred()
            self._reactor.callLater(0, pause.callback, None)
            await pause
            self._slice = self._reactor.seconds() + SLICE

    @property
    def blocked(self) -> bool:
        """The client does not read what was written."""
        return self._blocked

    def pauseProducing(self) -> None:
        self._blocked = True

    def resumeProducing(self) -> None:
        self._blocked = False
        if self._drained is not None:
            drained, self._drained = self._drained, None
            drained.callback(None)
        if self.relieved is not None:
            self.relieved()

    def stopProducing(self) -> None:
        """The connection is lost; `lost` comes as well."""

    def start_tls(self, context: IOpenSSLServerConnectionCreator) -> None:
        """From the next octet on; what is written already still goes in the clear."""
        if not self._lost and not self._closing:
            self.transport.startTLS(context)
            self.secure = True

    # -- ending --------------------------------------------------------------------------------------------

    @property
    def leaving(self) -> bool:
        """The last words have been said."""
        return self._closing

    def close(self, words: str) -> None:
        """Say why, and end. A client that does not take its last words in time is cut off."""
        if not self._closing:
            self.write(self.farewell(words))
        self.hang_up()

    @abstractmethod
    def farewell(self, words: str) -> bytes:
        """The last words, as the protocol has them."""

    def expire(self, now: float) -> None:
        """The deadline has passed; when the client takes nothing, away with it."""
        if self._closing or self._drained is not None:
            self.cut()
        else:
            self.silent()

    def silent(self) -> None:
        """The client has said nothing for too long."""
        self.close("You were silent too long.")

    def hang_up(self) -> None:
        if self._lost or self._closing:
            return
        self._closing = True
        self.deadline = self._reactor.seconds() + CLOSING_SECONDS
        self.transport.unregisterProducer()
        self.transport.loseConnection()

    def cut(self) -> None:
        """Away with it, whatever is still unsent."""
        if not self._lost:
            self.transport.abortConnection()

    def lost(self) -> None:
        """The connection is gone: whoever waits learns it."""
        self._lost = True
        for waiting in (self._waiting, self._drained):
            if waiting is not None:
                waiting.errback(ConnectionLost())
        self._waiting = self._drained = None
