"""One SMTP connection to one address: it carries one message after the other and tells what became of each.

The courier asks its `Cargo` for parcels and hands back the results. When a message has its final 250, the result is
recorded, and the final dot of the next one waits until that record is on stable storage; meanwhile MAIL, RCPT and DATA
of the next travel behind the dot. So a crash repeats at most one message a connection, and QUIT follows the last
record. A record that fails ends the connection; when there is to be another one is for the cargo to say. The body goes
from the file to the socket in chunks, at the pace of the server.
"""

from typing import Annotated, Any
from typing import Protocol as Shape

from msgspec import Meta, Struct
from msgspec.structs import replace
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IConnector,
    IHandshakeListener,
    IOpenSSLClientConnectionCreator,
    IPullProducer,
)
from twisted.internet.protocol import ClientFactory, Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from emailgency.background import background
from emailgency.codec.smtp import client as smtp
from emailgency.net.deadline import Deadline
from emailgency.net.parcel import CHUNK, Closure, Opened, Parcel, Unsettled, open_parcel
from emailgency.net.reactor import NetReactor, TLSTransport
from emailgency.rules.guard import Identity
from emailgency.rules.next_hop import Destination

UNRECORDED = "the result could not be recorded"  # how a connection ends that we, and not the server, gave up
QUIT_PATIENCE = 5.0  # seconds; everything is recorded by then, the answer is mere politeness


class CourierSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How we behave as a client. Times in seconds, the defaults of RFC 5321 section 4.5.3.2 unless noted."""

    tls: Annotated[
        str, Meta(pattern="^(never|may|must)$", description="STARTTLS: never, may (opportunistic) or must")
    ] = "may"
    chunking: Annotated[bool, Meta(description="Use BDAT (RFC 3030) where it is offered")] = True
    connections: Annotated[int, Meta(ge=1, description="Connections to all servers together, at most")] = 300
    connect: Annotated[float, Meta(gt=0, description="Wait for a TCP connection, seconds")] = 30.0
    greeting: Annotated[float, Meta(gt=0, description="Wait for the banner and for EHLO, seconds")] = 300.0
    handshake: Annotated[float, Meta(gt=0, description="Wait for STARTTLS and the TLS handshake, seconds")] = 60.0
    command: Annotated[float, Meta(gt=0, description="Wait for the answer to MAIL, RCPT or RSET, seconds")] = 300.0
    data: Annotated[float, Meta(gt=0, description="Wait for the answer to DATA, seconds")] = 120.0
    block: Annotated[float, Meta(gt=0, description="Wait until 64 KiB of a body are taken, seconds")] = 180.0
    end: Annotated[float, Meta(gt=0, description="Wait for the answer to the end of data, seconds")] = 600.0
    idle: Annotated[float, Meta(ge=0, description="Keep a connection without work for a next message, seconds")] = 2.0


class Cargo(Shape):
    """Who has mail for a courier."""

    def take(self, courier: "Courier") -> Parcel | None:
        """The next parcel; None: none now, `Courier.more` is called when there is one."""

    async def settle(self, courier: "Courier", parcel: Parcel, results: tuple[smtp.Result, ...]) -> None:
        """Record one result a recipient; returns when that is on stable storage."""

    def recorded(self, seconds: float) -> None:
        """So long after its final dot a message was recorded as taken."""

    def unreadable(self, parcel: Parcel, reason: str) -> None:
        """The file is not what it should be; nothing was sent."""


@implementer(IHandshakeListener, IPullProducer)
class Courier(Protocol):
    """`visit` connects and fires with the Closure. `name` is ours in EHLO."""

    transport: TLSTransport
    _log = Logger()

    def __init__(
        self,
        cargo: Cargo,
        settings: CourierSettings,
        reactor: NetReactor,
        name: str,
        tls_options: IOpenSSLClientConnectionCreator | None,
    ) -> None:
        self.client = smtp.Client(name, tls=settings.tls if tls_options else "never", chunking=settings.chunking)
        self.peer = ""
        self.destination: Destination | None = None
        self.waited = 0.0  # seconds from the end of the last message to its final reply
        self._ended_at = 0.0  # when the end of the body of `_current` went out
        self._cargo = cargo
        self._settings = settings
        self._reactor = reactor
        self._patience_for = {
            smtp.Stage.BANNER.value: settings.greeting,
            smtp.Stage.EHLO.value: settings.greeting,
            smtp.Stage.HELO.value: settings.greeting,
            smtp.Stage.STARTTLS.value: settings.handshake,
            smtp.Stage.DATA.value: settings.data,
            smtp.Stage.CHUNK.value: settings.block,
            smtp.Stage.BODY.value: settings.end,
            smtp.Stage.QUIT.value: QUIT_PATIENCE,
        }
        self._tls_options = tls_options
        self._over: Deferred[Closure] = Deferred()
        self._closure = Closure(reason="")
        self._current: Opened | None = None  # its body is on the way, or it awaits the final reply
        self._coming: Opened | None = None  # begun; its body has not started
        self._doubtful = False  # the end of the body of `_current` is out
        self._invited = False  # the server awaits the body of `_coming`
        self._recording = 0
        self._ready = False
        self._closing = False
        self._retreating = False
        self._securing = False
        self._deadline = Deadline(reactor, self._late)
        self._connector: IConnector | None = None

    def visit(self, destination: Destination) -> Deferred[Closure]:
        """Connect to this very address. Never fails: whatever happens is in the Closure."""
        self.destination = destination
        self.peer = str(destination)
        self._connector = self._reactor.connectTCP(
            destination.ip, destination.port, _Visit(self), timeout=self._settings.connect
        )
        return self._over

    @property
    def greeted(self) -> bool:
        """The session stands."""
        return self._ready

    @property
    def identity(self) -> Identity:
        """Who answers, once greeted."""
        certificate: Any = self.transport.getPeerCertificate() if self.client.secure else None
        return Identity(
            name=self.client.called,
            certificate=certificate.digest("sha256").decode() if certificate else "",
            ip=self.destination.ip if self.destination else "",
        )

    @property
    def idle(self) -> bool:
        """Greeted and without work."""
        return self._ready and not (self._closing or self._current or self._coming or self._recording)

    def more(self) -> None:
        """There is something to take."""
        if self.idle:
            self._next()
            self._flush()

    def leave(self) -> None:
        """Finish what was begun, then QUIT; nothing was begun before the greeting."""
        self._closing = True
        if not self._closure.greeted:
            self.abort("we are leaving")
        elif self._ready and not (self._current or self._coming or self._recording):
            self._quit()

    def retreat(self) -> None:
        """Results cannot be recorded: let no further message be taken. One whose end is out still gets its answer."""
        self._closing = self._retreating = True
        if not self._doubtful:
            self.abort(UNRECORDED)

    def abort(self, reason: str) -> None:
        self._ready = False
        if not self._closure.reason:
            self._closure = replace(self._closure, reason=reason)
        if self.connected:
            self.transport.abortConnection()
        elif self._connector:
            self._connector.disconnect()

    # ---- the connection ------------------------------------------------------------------------------------

    def connectionMade(self) -> None:
        self.transport.setTcpNoDelay(True)
        self._deadline.move(self._settings.greeting)

    def dataReceived(self, data: bytes) -> None:
        heard = self.client.heard
        for event in self.client.receive(data):
            self._happened(event)
        if heard != self.client.heard:  # a part of a reply buys no time
            self._flush()

    def handshakeCompleted(self) -> None:
        self._securing = False
        self.client.secured()
        self._flush()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._deadline.cancel()
        unsettled = []
        if self._current:
            unsettled.append(Unsettled(self._current.parcel, begun=True, doubtful=self._doubtful))
            self._current.close()
        if self._coming:
            unsettled.append(Unsettled(self._coming.parcel, begun=not self._current, doubtful=False))
            self._coming.close()
        self._current = self._coming = None
        self._ready, self._closing = False, True
        text = self._closure.reason or f"connection lost: {reason.getErrorMessage()}"
        self._end(replace(self._closure, reason=text, tls_failed=self._securing, unsettled=tuple(unsettled)))

    def failed(self, reason: str) -> None:
        """No connection came about."""
        self._end(replace(self._closure, reason=self._closure.reason or reason))

    def _end(self, closure: Closure) -> None:
        if not self._over.called:
            self._over.callback(closure)

    # ---- what the server says ------------------------------------------------------------------------------

    def _happened(self, event: smtp.Event) -> None:
        if isinstance(event, smtp.GoAhead):
            self._invited = True
            if self._ready and not self._recording:
                self._send_body()
        elif isinstance(event, smtp.Ended):
            self._settle(event.results)
        elif isinstance(event, smtp.Ready):
            if self.client.called == self.client.name:  # RFC 5321 section 6.3: mail would go round in circles
                self.abort(f"mail would come back to us: the server calls itself {self.client.called}, as we do")
                return
            self._ready = True
            self._closure = replace(self._closure, greeted=True)
            self._next()
        elif isinstance(event, smtp.Handshake):
            self._securing = True
            assert self._tls_options is not None
            self.transport.startTLS(self._tls_options)
        elif isinstance(event, smtp.Goodbye):
            self.transport.loseConnection()
        elif isinstance(event, smtp.Broken):
            self.abort(f"protocol broken: {event.reason}")
        else:
            stage = event.stage.value if isinstance(event, smtp.Refused) else "session"
            reason = f"{stage} refused: {event.reply.code} {event.reply.text}"
            self._ready = False
            self._closure = replace(self._closure, reason=reason, reply=event.reply)
            self.transport.loseConnection()

    def _settle(self, results: tuple[smtp.Result, ...]) -> None:
        opened, self._current = self._current or self._coming, None
        if opened is self._coming:
            self._coming, self._invited = None, False
        assert opened is not None
        opened.close()
        if self._doubtful:
            self.waited = self._reactor.seconds() - self._ended_at
        self._doubtful = False
        self._closure = replace(self._closure, carried=self._closure.carried + 1)
        if self._retreating:
            self.abort(UNRECORDED)
        self._record(opened.parcel, results)

    def _record(self, parcel: Parcel, results: tuple[smtp.Result, ...]) -> None:
        self._recording += 1
        background("recording a result", self._recorded(parcel, results))

    async def _recorded(self, parcel: Parcel, results: tuple[smtp.Result, ...]) -> None:
        try:
            await self._cargo.settle(self, parcel, results)
        except BaseException:
            self.abort(UNRECORDED)
            raise
        self._recording -= 1
        self._cargo.recorded(self._reactor.seconds() - self._ended_at)
        if self._recording or not self._ready:
            return
        if self._invited:
            self._send_body()
        elif not self._coming and not self._current:
            self._next()
        self._flush()

    # ---- what we carry -------------------------------------------------------------------------------------

    def _next(self) -> None:
        """Begin the next parcel, or stay idle for a while, or go."""
        while not self._closing and not self._coming:
            parcel = self._cargo.take(self)
            if parcel is None:
                break
            try:
                opened = open_parcel(parcel)
            except OSError as error:
                self._cargo.unreadable(parcel, str(error))
                continue
            if refused := self.client.begin(opened.parcel.mail):
                opened.close()
                self._record(parcel, refused.results)
                return  # on with the next when that is recorded
            self._coming = opened
        if self._closing and self._ready and not (self._current or self._coming or self._recording):
            self._quit()

    def _send_body(self) -> None:
        self._current, self._coming, self._invited = self._coming, None, False
        assert self._current is not None
        if self._current.rest:
            self.transport.registerProducer(self, False)
            self.resumeProducing()
        else:
            chunk, self._current.chunk = self._current.chunk, b""
            self._write(chunk, last=True)

    def resumeProducing(self) -> None:
        """The socket took the last chunk: read the next."""
        current = self._current
        if current is None or current.rest is None:
            return
        chunk = current.chunk
        try:
            current.chunk = current.rest.read(CHUNK)
        except OSError as error:
            self.abort(f"the message cannot be read: {error}")
            return
        last = not current.chunk
        if last:
            current.close()
            current.rest = None
            self.transport.unregisterProducer()
        self._write(chunk, last)

    def stopProducing(self) -> None:
        """The connection is gone; `connectionLost` says the rest."""

    def _write(self, chunk: bytes, last: bool) -> None:
        self.client.body(chunk, last)
        if last:
            self._doubtful = True
            self._ended_at = self._reactor.seconds()
            self._next()
        self._flush()

    def _quit(self) -> None:
        self._ready, self._closing = False, True
        self.client.quit()
        self._flush()

    def _flush(self) -> None:
        if out := self.client.outgoing():
            self.transport.write(out)
        self._deadline.move(self._patience())

    # ---- time ----------------------------------------------------------------------------------------------

    def _patience(self) -> float | None:
        """Seconds the server has for what it owes us now; None: it owes nothing."""
        stage = self.client.stage
        if stage is None:
            if self._current and self._current.rest:
                return self._settings.block
            return self._settings.idle if self.idle else None
        return self._patience_for.get(stage.value, self._settings.command)

    def _late(self) -> None:
        if self.idle:
            self._quit()
        elif self.client.stage is smtp.Stage.QUIT:
            self.transport.abortConnection()
        else:
            stage = self.client.stage
            self.abort(f"timeout waiting for {stage.value if stage else 'the body to be taken'}")


class _Visit(ClientFactory):
    """Makes the one connection of a courier."""

    noisy = False

    def __init__(self, courier: Courier) -> None:
        self._courier = courier

    def buildProtocol(self, addr: object) -> Courier:
        return self._courier

    def clientConnectionFailed(self, connector: IConnector, reason: Failure) -> None:
        self._courier.failed(f"cannot connect: {reason.getErrorMessage()}")
