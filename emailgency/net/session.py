"""One SMTP session to one address, whatever for: connecting, greeting, TLS, deadlines, and how it ended.

What mail or questions go over it is a subclass's: it begins when it is `greeted`, hears in `_happened` what became of
them, and writes by `_flush`.
"""

from typing import Annotated, Any

from msgspec import Meta, Struct
from msgspec.structs import replace
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IConnector, IHandshakeListener, IOpenSSLClientConnectionCreator
from twisted.internet.protocol import ClientFactory, Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from emailgency.codec.smtp import client as smtp
from emailgency.net.deadline import Deadline
from emailgency.net.parcel import Closure
from emailgency.net.reactor import NetReactor, TLSTransport
from emailgency.rules.guard import Identity
from emailgency.rules.next_hop import Destination

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


@implementer(IHandshakeListener)
class Session(Protocol):
    """`visit` connects and fires with the Closure. `name` is ours in EHLO; without `tls_options` all goes in clear."""

    transport: TLSTransport
    _log = Logger()

    def __init__(
        self,
        settings: CourierSettings,
        reactor: NetReactor,
        name: str,
        tls_options: IOpenSSLClientConnectionCreator | None,
    ) -> None:
        self.client = smtp.Client(name, tls=settings.tls if tls_options else "never", chunking=settings.chunking)
        self.peer = ""
        self.destination: Destination | None = None
        self.greeted = False  # the session stands, and no QUIT was said
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
        self._closing = False
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
        return self.greeted and not self._closing

    def abort(self, reason: str) -> None:
        """End it now; the first reason counts."""
        self.greeted = False
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
        """Also when none came about."""
        self._deadline.cancel()
        self.greeted, self._closing = False, True
        how = "connection lost" if self.connected else "cannot connect"
        text = self._closure.reason or f"{how}: {reason.getErrorMessage()}"
        if not self._over.called:
            self._over.callback(replace(self._closure, reason=text, tls_failed=self._securing))

    # ---- what the server says, and we say ------------------------------------------------------------------

    def _happened(self, event: smtp.Event) -> None:
        """What concerns the session itself."""
        if isinstance(event, smtp.Ready):
            if self.client.called == self.client.name:  # RFC 5321 section 6.3: mail would go round in circles
                self.abort(f"mail would come back to us: the server calls itself {self.client.called}, as we do")
                return
            self.greeted = True
            self._closure = replace(self._closure, greeted=True)
        elif isinstance(event, smtp.Handshake):
            self._securing = True
            assert self._tls_options is not None
            self.transport.startTLS(self._tls_options)
        elif isinstance(event, smtp.Goodbye):
            self.transport.loseConnection()
        elif isinstance(event, smtp.Broken):
            self.abort(f"protocol broken: {event.reason}")
        elif isinstance(event, smtp.Refused | smtp.Closing):
            stage = event.stage.value if isinstance(event, smtp.Refused) else "session"
            reason = f"{stage} refused: {event.reply.code} {event.reply.text}"
            self.greeted = False
            self._closure = replace(self._closure, reason=reason, reply=event.reply)
            self.transport.loseConnection()

    def _quit(self) -> None:
        self.greeted, self._closing = False, True
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
    """Makes the one connection of a session."""

    noisy = False

    def __init__(self, session: Session) -> None:
        self._session = session

    def buildProtocol(self, addr: object) -> Session:
        return self._session

    def clientConnectionFailed(self, connector: IConnector, reason: Failure) -> None:
        self._session.connectionLost(reason)
