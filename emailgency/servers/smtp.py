"""SMTP on a socket: ports 25 (reception), 587 and 465 (submission). Thin: the codec speaks, the flows decide.

One coroutine per MAIL, RCPT, AUTH and end of message; all else are plain calls. While an answer is awaited, the
storer is behind or the client does not read, nothing is read from it (attack row 28). Once the last octet of a
message has come, only its own answer ends the transaction: neither a timeout nor a stop cuts it.
"""

from collections.abc import Callable, Coroutine
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Any, cast

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IConsumer, IPushProducer, ISSLTransport, ITLSTransport
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from emailgency.codec import proxy
from emailgency.codec.smtp.command import Mail, Rcpt
from emailgency.codec.smtp.server import Body, Connection, EndOfMessage, Event, Login, Reset, StartTls
from emailgency.codec.trace import protocol as protocol_word
from emailgency.flows.receive import SENDER_OK, Transaction
from emailgency.model.envelope import Client
from emailgency.model.errors import Temporary
from emailgency.model.verdict import Verdict
from emailgency.servers.smtp_service import STOPPING, SmtpService

if TYPE_CHECKING:
    from emailgency.flows.login import Principal

TROUBLE = Verdict(451, "4.3.0", "temporary trouble of our own, try again later")
SLOW = Verdict(421, "4.4.2", "too slow")
OLD = Verdict(421, "4.7.0", "this connection has lasted long enough")
GO_SECURE = Verdict(220, "2.0.0", "go ahead")
WELCOME = Verdict(235, "2.7.0", "welcome")
RATE_TICK = 10.0  # seconds between two looks at how fast a message comes
LOGGED_REFUSALS = 20  # of one connection: a dictionary attack must not fill the log (attack row 36)


class IStream(ITLSTransport, IConsumer, IPushProducer):
    """What a TCP connection of the reactor offers."""


@implementer(IPushProducer)
class SmtpProtocol(Protocol):
    """One client. `deadline` is looked at by `servers.connections`."""

    log = Logger()
    transport: IStream

    def __init__(self, service: SmtpService) -> None:
        self.deadline = inf
        self._service = service
        self._ip = ""
        self._proxy_header = b""
        self._connection: Connection | None = None  # None: a proxy has not yet told whose it is
        self._secure = False
        self._principal: Principal | None = None
        self._transaction: Transaction | None = None
        self._unconfirmed: str | None = None  # id whose 250 the client has not shown to know
        self._advancing = False
        self._held = False  # we do not read from the client now
        self._deaf = False  # the client does not read our replies now
        self._pressed = False  # the storer cannot follow
        self._admitted = False
        self._leaving = False
        self._refusals = 0
        self._begun = self._phase_end = 0.0  # seconds of the reactor
        self._data_begun: float | None = None
        self._octets = 0  # since then

    # ---- the transport's side -----------------------------------------------------------------------------

    def connectionMade(self) -> None:
        service = self._service
        self.transport.setTcpNoDelay(True)
        self._ip = cast(Any, self.transport.getPeer()).host
        self._begun = service.reactor.seconds()
        if self._ip in service.proxies:
            self.deadline = self._begun + service.limits.greeting_time
            if service.connections.admit(self, None) is not None:
                self.transport.abortConnection()
        else:
            self._open()

    def _open(self) -> None:
        """Greet whoever it is, with TLS first on a port that is for TLS alone."""
        service = self._service
        reason = service.connections.admit(self, self._ip)
        self._admitted = reason is None
        if ISSLTransport.providedBy(self.transport):
            self._secure = True  # a listener that speaks TLS alone
        elif service.implicit_tls:
            if reason is not None:  # not worth a handshake
                self.transport.abortConnection()
                return
            self._start_tls()
        self._connection = Connection(service.offer(self._secure, self._ip), service.limits)
        self._phase_end = self._begun + service.limits.greeting_time
        if reason is not None:
            self._connection.greet(Verdict(421, "4.7.0", reason))
        elif service.stopping:
            self._connection.greet(STOPPING)
        else:
            self._connection.greet(service.banner)
        self.transport.registerProducer(self, True)
        self._flush(self._connection)

    def dataReceived(self, data: bytes) -> None:
        connection = self._connection
        if connection is None:
            self._read_proxy_header(data)
            return
        if self._leaving:
            return
        if self._unconfirmed is not None:
            # whoever speaks again has heard our 250 (RFC 1047)
            self._service.reception.spool.acknowledged(self._unconfirmed)
            self._unconfirmed = None
        self._octets += len(data)
        connection.receive(data)
        if connection.waiting or self._deaf or self._pressed:
            self._held = True
            self.transport.pauseProducing()
        else:
            self._advance()

    def _read_proxy_header(self, data: bytes) -> None:
        self._proxy_header += data
        try:
            header = proxy.parse(self._proxy_header)
        except proxy.Malformed:
            self.log.warn("proxy={ip} sent no PROXY header", ip=self._ip)
            self.transport.abortConnection()
            return
        if header is None:
            return
        rest, self._proxy_header = self._proxy_header[header.length :], b""
        self._ip = header.source or self._ip
        self._open()
        if rest:
            receiver = cast(Any, self.transport).protocol if self._secure else self
            receiver.dataReceived(rest)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._leaving = True
        if self._connection is None or not self._connection.message_ended:
            self._drop()
        self._service.left(self)

    def pauseProducing(self) -> None:
        self._deaf = True

    def resumeProducing(self) -> None:
        self._deaf = False
        self._advance()

    def stopProducing(self) -> None:
        self._deaf = True

    # ---- one event after the other ------------------------------------------------------------------------

    def _advance(self) -> None:
        connection = self._connection
        if self._advancing or self._leaving or connection is None:
            return
        self._advancing = True
        while not self._deaf and not self._pressed and (event := connection.next_event()) is not None:
            _REACTIONS[type(event)](self, event)
        self._advancing = False
        if self._service.stopping and not connection.closed and not connection.in_transaction:
            connection.close(STOPPING)
        self._flush(connection)
        if self._held and not (connection.waiting or self._deaf or self._pressed):
            self._held = False
            self.transport.resumeProducing()

    def _flush(self, connection: Connection) -> None:
        output = connection.take_output()
        if output:
            self.transport.write(output)
        if not connection.closed:
            self._set_deadline(connection, bool(output))
        elif not self._leaving:
            self._leave(connection.quit or self._secure or not self._admitted)

    def _leave(self, at_once: bool) -> None:
        """Close behind our last words. To a client that is still sending they would be lost by a reset: half first."""
        self._leaving = True
        self.deadline = self._service.reactor.seconds() + self._service.limits.farewell_time
        self._drop()
        self.transport.unregisterProducer()
        if self._held:
            self.transport.resumeProducing()
        if at_once:
            self.transport.loseConnection()
        else:
            cast(Any, self.transport).loseWriteConnection()

    def _ask(self, event: Event, work: Coroutine[Deferred[Any], Any, Verdict]) -> None:
        """Do `work`, then answer `event` with its verdict; whatever goes wrong in it is trouble of our own."""
        try:
            awaited = work.send(None)
        except StopIteration as done:  # most work: what it needs is in memory
            self._answer(done.value, event)
        except Exception:
            self._answer(self._trouble(Failure()), event)
        else:
            rest = Deferred.fromCoroutine(_rest(work, awaited)).addErrback(self._trouble)
            rest.addCallback(self._answer, event).addCallback(lambda _: self._advance())

    def _answer(self, verdict: Verdict, event: Event) -> None:
        connection = self._connection
        assert connection is not None
        if not verdict.accepts:
            self._log_refusal(event, verdict)
        connection.answer(verdict)

    def _trouble(self, failure: Failure) -> Verdict:
        if failure.check(Temporary):
            self.log.warn("client={ip} {error!r} 451", ip=self._ip, error=str(failure.value))
        else:
            self.log.failure("client={ip} 451", failure, ip=self._ip)
        return TROUBLE

    def _log_refusal(self, event: Event, verdict: Verdict) -> None:
        self._refusals += 1
        if self._refusals > LOGGED_REFUSALS or isinstance(event, Login):
            return
        self.log.info(
            "client={ip} helo={helo} {command} reply={code} {enhanced} {text!r} refused",
            ip=self._ip,
            helo=self._connection.helo if self._connection else "",
            command=_shown(event),
            code=verdict.code,
            enhanced=verdict.enhanced,
            text=verdict.text,
        )

    def _drop(self) -> None:
        """Nothing of an open transaction is kept."""
        transaction, self._transaction = self._transaction, None
        self._data_begun = None
        if transaction is not None:
            transaction.abort()

    # ---- events -------------------------------------------------------------------------------------------

    async def _mail(self, mail: Mail) -> Verdict:
        service, connection, now = self._service, self._connection, self._service.reactor.seconds()
        assert connection is not None
        if now - self._begun > service.limits.connection_time:
            return OLD
        tls = self._tls_words()
        client = Client(
            ip=self._ip,
            helo=connection.helo,
            tls=tls,
            mailbox=self._principal.mailbox if self._principal else None,
        )
        word = protocol_word(
            extended=connection.extended,
            smtputf8=mail.smtputf8,
            tls=tls is not None,
            authenticated=self._principal is not None,
        )
        begun = await service.reception.begin(client, mail, word, self._principal)
        if isinstance(begun, Verdict):
            return begun
        self._transaction = begun
        self._phase_end = now + service.limits.transaction_time
        return SENDER_OK

    async def _rcpt(self, rcpt: Rcpt) -> Verdict:
        assert self._transaction is not None
        return await self._transaction.recipient(rcpt)

    def _body(self, body: Body) -> None:
        assert self._transaction is not None
        self._transaction.write(body.octets)
        if self._service.storer.busy:
            self._pressed = True
            self._service.pressed(self)
            if not self._held:
                self._held = True
                self.transport.pauseProducing()

    async def _end(self, end: EndOfMessage) -> Verdict:
        transaction, self._transaction = self._transaction, None
        assert transaction is not None
        self._data_begun = None
        self._phase_end = self._begun + self._service.limits.connection_time
        if end.fault is not None:
            transaction.abort()
            return end.fault
        self._service.committing += 1
        try:
            verdict = await transaction.finish(end.octets)
        except BaseException:
            transaction.abort()
            raise
        finally:
            self._service.committed()
        if not self._leaving:
            self._unconfirmed = transaction.accepted
        return verdict

    def _reset(self, reset: Reset) -> None:
        self._drop()
        self._phase_end = self._begun + self._service.limits.connection_time

    async def _login(self, login: Login) -> Verdict:
        from emailgency.flows.login import Source  # brings argon2, which port 25 never needs

        service, credentials = self._service, login.credentials
        assert service.login is not None
        principal = await service.login.authenticate(credentials.name, credentials.password, Source("smtp", self._ip))
        if isinstance(principal, Verdict):
            return principal
        self._principal = principal
        self._phase_end = self._begun + service.limits.connection_time
        return WELCOME

    def _starttls(self, start: StartTls) -> None:
        connection = self._connection
        assert connection is not None
        connection.answer(GO_SECURE)
        self._flush(connection)
        self._start_tls()
        self._principal = None
        connection.secured(self._service.offer(self._secure, self._ip))

    def _start_tls(self) -> None:
        assert self._service.certificates is not None  # or STARTTLS is not offered
        self._secure = True
        self.transport.startTLS(self._service.certificates)

    def _tls_words(self) -> str | None:
        """Protocol and cipher, e.g. "TLSv1.3 TLS_AES_256_GCM_SHA384"; None in clear."""
        if not self._secure:
            return None
        handle = self.transport.getHandle()  # type: ignore[attr-defined]
        return f"{handle.get_protocol_version_name()} {handle.get_cipher_name()}"

    # ---- time ---------------------------------------------------------------------------------------------

    def _set_deadline(self, connection: Connection, progress: bool) -> None:
        """Only whole commands and their answers move it, octets do not; while we are at work there is none."""
        if connection.waiting or self._pressed:
            self.deadline = inf
            return
        limits, now = self._service.limits, self._service.reactor.seconds()
        if connection.message_begun:
            if self._data_begun is None:
                self._data_begun, self._octets = now, 0
                self.deadline = now + limits.data_grace
        elif progress:
            self.deadline = min(now + limits.command_time, self._phase_end)

    def relieved(self) -> None:
        """The storer has caught up."""
        self._pressed = False
        if self._data_begun is not None:
            self._data_begun, self._octets = self._service.reactor.seconds(), 0
            self.deadline = self._data_begun + self._service.limits.data_grace
        self._advance()

    def expire(self, now: float) -> None:
        connection = self._connection
        if connection is None or self._leaving or self._deaf:
            self.transport.abortConnection()
        elif self._data_begun is not None and self._octets >= (now - self._data_begun) * self._service.limits.data_rate:
            self.deadline = now + RATE_TICK
        else:
            self.farewell(SLOW)

    def farewell(self, verdict: Verdict) -> None:
        """End the connection with `verdict`, unless a message has come whole and waits for its answer."""
        connection = self._connection
        if connection is None:
            self.transport.abortConnection()
        elif not connection.message_ended and not self._leaving:
            connection.close(verdict)
            self._flush(connection)

    @property
    def idle(self) -> bool:
        """No transaction is open."""
        return self._connection is None or not self._connection.in_transaction


async def _rest(work: Coroutine[Deferred[Any], Any, Verdict], awaited: Deferred[Any]) -> Verdict:
    """`work` from where it was left, waiting for `awaited`."""
    step: Callable[[], Deferred[Any]]
    while True:
        try:
            step = partial(work.send, await awaited)
        except Exception as error:
            step = partial(work.throw, error)
        try:
            awaited = step()
        except StopIteration as done:
            return cast(Verdict, done.value)


def _shown(event: Event) -> str:
    """A command for the log, whatever the client wrote in it (attack row 36)."""
    match event:
        case Mail():
            return f"MAIL {event.sender!r}"
        case Rcpt():
            return f"RCPT {event.address!r}"
        case _:
            return "message"


_REACTIONS: dict[type[Event], Any] = {
    Mail: lambda self, event: self._ask(event, self._mail(event)),
    Rcpt: lambda self, event: self._ask(event, self._rcpt(event)),
    EndOfMessage: lambda self, event: self._ask(event, self._end(event)),
    Login: lambda self, event: self._ask(event, self._login(event)),
    Body: SmtpProtocol._body,
    Reset: SmtpProtocol._reset,
    StartTls: SmtpProtocol._starttls,
}


class SmtpFactory(Factory):
    """For one port."""

    noisy = False

    def __init__(self, service: SmtpService) -> None:
        self.service = service

    def buildProtocol(self, addr: IAddress | None) -> SmtpProtocol:
        return SmtpProtocol(self.service)
