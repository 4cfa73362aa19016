"""SMTP on a socket: ports 25 (reception), 587 and 465 (submission). Thin: the codec speaks, the session decides.

One coroutine per MAIL, RCPT, AUTH and end of message; all else are plain calls. While an answer is awaited, the
storer is behind or the client does not read, nothing is read from it (attack row 28). Once the last octet of a
message has come, only its own answer ends the transaction: neither a timeout nor a stop cuts it.
"""

from collections.abc import Coroutine
from math import inf
from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IAddress, IConsumer, IPushProducer, ISSLTransport, ITLSTransport
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from emailgency.codec import proxy
from emailgency.codec.smtp.server import Body, Connection, Event, Login, Mail, Question, Reset, StartTls
from emailgency.model.verdict import Verdict
from emailgency.servers.smtp_service import STOPPING, SmtpService
from emailgency.servers.smtp_session import Session

SLOW = Verdict(421, "4.4.2", "too slow")
OLD = Verdict(421, "4.7.0", "this connection has lasted long enough")
GO_SECURE = Verdict(220, "2.0.0", "go ahead")
Work = Coroutine[Deferred[Any], Any, Verdict]
PIECE = 1 << 16  # octets read at once, and octets of replies kept for a client who does not read
BODY_PIECE = 1 << 18  # the same while a message comes: 5 MiB cost a tenth less than in small pieces
RATE_TICK = 10.0  # seconds between two looks at how fast a message comes


class IStream(ITLSTransport, IConsumer, IPushProducer):
    """What a TCP connection of the reactor offers."""

    bufferSize: int


@implementer(IPushProducer)
class SmtpProtocol(Protocol):
    """One client. `deadline` is looked at by `servers.connections`."""

    log = Logger()
    transport: IStream
    _connection: Connection  # these two only when `_opened`
    _session: Session

    def __init__(self, service: SmtpService) -> None:
        self.deadline = inf
        self._service = service
        self._ip = ""
        self._opened = False  # else a proxy has yet to tell whose connection it is
        self._proxy_header = b""
        self._secure = False
        self._advancing = False
        self._held = False  # we do not read from the client now
        self._deaf = False  # the client does not read our replies now
        self._pressed = False  # the storer cannot follow
        self._leaving = False
        self._parting = False  # the client said QUIT and had not closed when our last words went out
        self._begun = self._phase_end = 0.0  # seconds of the reactor
        self._data_begun: float | None = None
        self._octets = 0  # since then

    # ---- the transport's side -----------------------------------------------------------------------------

    def connectionMade(self) -> None:
        service = self._service
        self.transport.setTcpNoDelay(True)
        self._ip = cast(Any, self.transport.getPeer()).host
        self._begun = service.reactor.seconds()
        if self._ip not in service.proxies:
            self._open()
            return
        self.deadline = self._begun + service.limits.greeting_time
        if service.connections.admit(self, None) is not None:
            self.transport.abortConnection()

    def _open(self) -> None:
        """Greet whoever it is, with TLS first on a port that is for TLS alone."""
        service = self._service
        reason = service.connections.admit(self, self._ip)
        if ISSLTransport.providedBy(self.transport):
            self._secure = True  # a listener that speaks TLS alone
        elif service.implicit_tls:
            if reason is not None:  # not worth a handshake
                self.transport.abortConnection()
                return
            self._start_tls()
        connection = self._connection = Connection(service.offer(self._secure, self._ip), service.limits)
        self._session = Session(service, connection, self._ip, self._tls)
        self._opened = True
        self._phase_end = self._begun + service.limits.greeting_time
        self.transport.registerProducer(self, True)
        if reason is not None:
            connection.greet(Verdict(421, "4.7.0", reason))
            self._flush(at_once=True)  # it is not counted, so nobody would look at its deadline
        else:
            connection.greet(STOPPING if service.stopping else service.banner)
            self._flush()

    def dataReceived(self, data: bytes) -> None:
        if not self._opened:
            self._read_proxy_header(data)
            return
        if self._leaving:
            return
        self._session.spoken()
        self._octets += len(data)
        self._connection.receive(data)
        if self._may_read():
            self._advance()
        else:
            self._hold()

    def _read_proxy_header(self, data: bytes) -> None:
        octets = self._proxy_header = self._proxy_header + data
        try:
            header = proxy.parse(octets)
        except proxy.Malformed:
            self.log.warn("proxy={ip} sent no PROXY header", ip=self._ip)
            self.transport.abortConnection()
            return
        if header is None:
            return
        self._proxy_header = b""
        self._ip = header.source or self._ip
        self._open()
        rest = octets[header.length :]
        if rest:
            receiver = cast(Any, self.transport).protocol if self._secure else self
            receiver.dataReceived(rest)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._leaving = True
        if self._opened:
            if self._parting and reason.check(ConnectionDone):
                self._session.spoken()
            self._session.gone()
        self._service.left(self)

    def pauseProducing(self) -> None:
        self._deaf = True

    def resumeProducing(self) -> None:
        self._deaf = False
        self._advance()

    def stopProducing(self) -> None:
        self._deaf = True

    # ---- reading, answering, leaving ----------------------------------------------------------------------

    def _may_read(self) -> bool:
        return not (self._connection.waiting or self._deaf or self._pressed)

    def _hold(self) -> None:
        if not self._held:
            self._held = True
            self.transport.pauseProducing()

    def _advance(self) -> None:
        """One event after the other, as far as it goes without waiting."""
        connection = self._connection
        if self._advancing or self._leaving:
            return
        self._advancing = True
        while not self._deaf and not self._pressed and (event := connection.next_event()) is not None:
            self._react(event)
        self._advancing = False
        if self._service.stopping and not connection.closed and not connection.in_transaction:
            connection.close(STOPPING)
        self._flush()
        if self._held and self._may_read():
            self._held = False
            self.transport.resumeProducing()

    def _react(self, event: Event) -> None:
        if isinstance(event, Body):
            self._session.write(event.octets)
            if self._service.storer.busy:
                self._pressed = True
                self._service.pressed(self)
                self._hold()
        elif isinstance(event, Reset):
            self._session.drop()
            self._end_transaction()
        elif isinstance(event, StartTls):
            self._upgrade()
        elif isinstance(event, Mail) and self._service.reactor.seconds() - self._begun > self._old_age:
            self._answer(OLD, event)
        else:
            self._ask(event)

    def _ask(self, event: Question) -> None:
        """Let the session find the answer; most of what it needs is in memory, so that mostly nothing is awaited."""
        self._go_on(None, self._session.answer(event), event)

    def _go_on(self, awaited: object, work: Work, event: Question) -> None:
        """As far as `work` goes now. Plainly: a coroutine wrapped in a Deferred of its own costs twice as much."""
        try:
            pending = awaited.throwExceptionIntoGenerator(work) if isinstance(awaited, Failure) else work.send(awaited)
        except StopIteration as done:
            self._answer(done.value, event)
        except Exception:
            self._answer(self._session.trouble(Failure(), event), event)
        else:
            pending.addBoth(self._come_back, work, event)

    def _come_back(self, awaited: object, work: Work, event: Question) -> None:
        self._go_on(awaited, work, event)
        self._advance()

    def _answer(self, verdict: Verdict, event: Question) -> None:
        if not verdict.accepts:
            self._session.refused(event, verdict)
        self._connection.answer(verdict)
        if not isinstance(event, Mail | Login):
            if not self._connection.in_transaction:
                self._end_transaction()
        elif verdict.accepts:
            limits = self._service.limits
            now = self._service.reactor.seconds()
            self._phase_end = now + limits.transaction_time if isinstance(event, Mail) else self._begun + self._old_age

    def _flush(self, at_once: bool = False) -> None:
        connection = self._connection
        output = connection.take_output()
        if output:
            self.transport.write(output)
        if not connection.closed:
            self._set_deadline(bool(output))
        elif not self._leaving:
            self._leave(at_once or connection.quit or self._secure)

    def _leave(self, at_once: bool) -> None:
        """Close behind our last words. To a client that is still sending they would be lost by a reset: half first."""
        self._leaving = True
        self.deadline = self._service.reactor.seconds() + self._service.limits.farewell_time
        self._session.drop()
        self.transport.unregisterProducer()
        self._parting = self._connection.quit and not self._held
        if self._parting and self._session.unconfirmed is not None:
            # Postfix sends QUIT right behind the final dot: only that it closes in its turn tells that it has
            # heard our 250, or each of its messages would be kept for a day in case it comes again (RFC 1047)
            at_once = self._secure
        if self._held:
            self.transport.resumeProducing()
        if at_once:
            self.transport.loseConnection()
        else:
            cast(Any, self.transport).loseWriteConnection()

    # ---- TLS ----------------------------------------------------------------------------------------------

    def _upgrade(self) -> None:
        self._connection.answer(GO_SECURE)
        self._flush()
        self._start_tls()
        self._session.forget_user()
        self._connection.secured(self._service.offer(self._secure, self._ip))

    def _start_tls(self) -> None:
        assert self._service.certificates is not None  # or STARTTLS is not offered
        self._secure = True
        self.transport.startTLS(self._service.certificates)

    def _tls(self) -> str | None:
        """Protocol and cipher, e.g. "TLSv1.3 TLS_AES_256_GCM_SHA384"; None in clear."""
        if not self._secure:
            return None
        handle = cast(Any, self.transport).getHandle()
        return f"{handle.get_protocol_version_name()} {handle.get_cipher_name()}"

    # ---- time ---------------------------------------------------------------------------------------------

    @property
    def _old_age(self) -> float:
        return self._service.limits.connection_time

    def _end_transaction(self) -> None:
        if self._data_begun is not None:
            self._data_begun = None
            self.transport.bufferSize = PIECE
        self._phase_end = self._begun + self._old_age

    def _set_deadline(self, progress: bool) -> None:
        """Only whole commands and their answers move it, octets do not; while we are at work there is none."""
        if self._connection.waiting or self._pressed:
            self.deadline = inf
            return
        limits, now = self._service.limits, self._service.reactor.seconds()
        if self._connection.message_begun:
            if self._data_begun is None:
                self.transport.bufferSize = BODY_PIECE
                self._begin_data(now)
        elif progress:
            self.deadline = min(now + limits.command_time, self._phase_end)

    def _begin_data(self, now: float) -> None:
        self._data_begun, self._octets = now, 0
        self.deadline = now + self._service.limits.data_grace

    def expire(self, now: float) -> None:
        if not self._opened or self._leaving or self._deaf:
            self.transport.abortConnection()
        elif self._data_begun is not None and self._octets >= (now - self._data_begun) * self._service.limits.data_rate:
            self.deadline = now + RATE_TICK
        else:
            self.farewell(SLOW)

    # ---- the service's side -------------------------------------------------------------------------------

    @property
    def idle(self) -> bool:
        """No transaction is open."""
        return not self._opened or not self._connection.in_transaction

    def relieved(self) -> None:
        """The storer has caught up."""
        self._pressed = False
        if self._data_begun is not None:
            self._begin_data(self._service.reactor.seconds())
        self._advance()

    def cut(self) -> None:
        """End at once, without a word."""
        self._leaving = True
        self.transport.abortConnection()

    def farewell(self, verdict: Verdict) -> None:
        """End the connection with `verdict`, unless a message has come whole and waits for its answer."""
        if not self._opened:
            self.transport.abortConnection()
        elif not self._connection.message_ended and not self._leaving:
            self._connection.close(verdict)
            self._flush()


class SmtpFactory(Factory):
    """For one port."""

    noisy = False

    def __init__(self, service: SmtpService) -> None:
        self.service = service

    def buildProtocol(self, addr: IAddress | None) -> SmtpProtocol:
        return SmtpProtocol(self.service)
