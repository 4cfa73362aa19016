"""SMTP on a socket: ports 25 (reception), 587 and 465 (submission). Thin: the codec speaks, the flows decide.

One coroutine per MAIL, RCPT, AUTH and end of message; everything else are plain calls. While an answer is awaited
or the client does not read, nothing is read from it (attack row 28). Once the last octet of a message has come,
only its own answer ends the transaction: neither a timeout nor a stop cuts it.
"""

from collections.abc import Coroutine
from math import inf
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IConsumer, IPushProducer, IReactorTime, ITLSTransport
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from emailgency.codec.smtp.command import Mail, Rcpt
from emailgency.codec.smtp.limits import SmtpLimits
from emailgency.codec.smtp.server import Body, Connection, EndOfMessage, Event, Login, Offer, Reset, StartTls
from emailgency.codec.trace import protocol as protocol_word
from emailgency.flows.receive import Reception, Transaction
from emailgency.model.envelope import Client
from emailgency.model.verdict import Verdict
from emailgency.servers.connections import ConnectionLimits, Connections

TROUBLE = Verdict(451, "4.3.0", "temporary trouble of our own, try again later")
STOPPING = Verdict(421, "4.3.2", "stopping, try again later")
SLOW = Verdict(421, "4.4.2", "too slow")
OLD = Verdict(421, "4.7.0", "this connection has lasted long enough")


class IStream(ITLSTransport, IConsumer, IPushProducer):
    """What a TCP connection of the reactor offers."""


class SmtpFactory(Factory):
    """Builds the connections of one port, and stops them gracefully."""

    noisy = False

    def __init__(
        self,
        reception: Reception,
        reactor: IReactorTime,
        limits: SmtpLimits,
        connection_limits: ConnectionLimits,
    ) -> None:
        self.reception = reception
        self.reactor = reactor
        self.limits = limits
        self.connections = Connections(connection_limits, reactor)
        self.banner = Verdict(220, "", f"{reception.hostname} ESMTP")
        self.stopping = False
        self.clear = Offer(hostname=reception.hostname)

    def buildProtocol(self, addr: IAddress | None) -> "SmtpProtocol":
        return SmtpProtocol(self)


@implementer(IPushProducer)
class SmtpProtocol(Protocol):
    """One client."""

    log = Logger()
    transport: IStream

    def __init__(self, service: SmtpFactory) -> None:
        self.deadline = inf
        self._service = service
        self._connection = Connection(service.clear, service.limits)
        self._transaction: Transaction | None = None
        self._advancing = False
        self._paused = False
        self._unread = False  # the client does not read our replies
        self._unconfirmed: str | None = None
        self._ip = ""
        self._tls: str | None = None
        self._mailbox: str | None = None
        self._begun = 0.0
        self._octets = 0

    # ---- the transport's side -----------------------------------------------------------------------------

    def connectionMade(self) -> None:
        self.transport.setTcpNoDelay(True)
        self._ip = self.transport.getPeer().host
        self._begun = self._service.reactor.seconds()
        self._open()

    def _open(self) -> None:
        service = self._service
        reason = service.connections.admit(self, self._ip)
        if reason is not None:
            self._connection.greet(Verdict(421, "4.7.0", reason))
        elif service.stopping:
            self._connection.greet(STOPPING)
        else:
            self._connection.greet(service.banner)
            self.transport.registerProducer(self, True)
        self.deadline = self._begun + service.limits.greeting_time
        self._flush()

    def dataReceived(self, data: bytes) -> None:
        if self._unconfirmed is not None:
            # whoever speaks again has heard our 250 (RFC 1047)
            self._service.reception.spool.acknowledged(self._unconfirmed)
            self._unconfirmed = None
        self._connection.receive(data)
        self._octets += len(data)
        if self._connection.waiting or self._unread:
            self._paused = True
            self.transport.pauseProducing()
        else:
            self._advance()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._service.connections.leave(self)
        if not self._connection.waiting:
            self._drop()

    def pauseProducing(self) -> None:
        self._unread = True

    def resumeProducing(self) -> None:
        self._unread = False
        self._advance()

    def stopProducing(self) -> None:
        self._unread = True

    # ---- one event after the other ------------------------------------------------------------------------

    def _advance(self) -> None:
        if self._advancing:
            return
        self._advancing = True
        connection = self._connection
        while not self._unread and (event := connection.next_event()) is not None:
            _REACTIONS[type(event)](self, event)
        self._advancing = False
        self._flush()
        if self._paused and not connection.waiting and not self._unread:
            self._paused = False
            self.transport.resumeProducing()

    def _flush(self) -> None:
        connection = self._connection
        output = connection.take_output()
        if output:
            self.transport.write(output)
        if connection.closed:
            self.transport.unregisterProducer()
            self.transport.loseConnection()

    def _ask(self, work: Coroutine[Deferred[Any], Any, Verdict]) -> None:
        """Do `work`, then answer with its verdict; whatever goes wrong in it is trouble of our own."""
        Deferred.fromCoroutine(work).addErrback(self._trouble).addCallback(self._answer)

    def _answer(self, verdict: Verdict) -> None:
        self._connection.answer(verdict)
        self._advance()

    def _trouble(self, failure: Failure) -> Verdict:
        self.log.failure("client={ip} got 451", failure, ip=self._ip)
        return TROUBLE

    def _drop(self) -> None:
        if self._transaction is not None:
            self._transaction.abort()
            self._transaction = None

    # ---- events -------------------------------------------------------------------------------------------

    def _on_mail(self, mail: Mail) -> None:
        self._ask(self._mail(mail))

    async def _mail(self, mail: Mail) -> Verdict:
        connection = self._connection
        client = Client(ip=self._ip, helo=connection.helo, tls=self._tls, mailbox=self._mailbox)
        word = protocol_word(
            extended=connection.extended,
            smtputf8=mail.smtputf8,
            tls=self._tls is not None,
            authenticated=self._mailbox is not None,
        )
        begun = await self._service.reception.begin(client, mail, word)
        if isinstance(begun, Verdict):
            return begun
        self._transaction = begun
        return Verdict(250, "2.1.0", "sender ok")

    def _on_rcpt(self, rcpt: Rcpt) -> None:
        assert self._transaction is not None
        self._ask(self._transaction.recipient(rcpt))

    def _on_body(self, body: Body) -> None:
        assert self._transaction is not None
        self._transaction.write(body.octets)

    def _on_end(self, end: EndOfMessage) -> None:
        self._ask(self._end(end))

    async def _end(self, end: EndOfMessage) -> Verdict:
        transaction, self._transaction = self._transaction, None
        assert transaction is not None
        if end.fault is not None:
            transaction.abort()
            return end.fault
        verdict = await transaction.finish(end.octets)
        self._unconfirmed = transaction.accepted
        return verdict

    def _on_reset(self, reset: Reset) -> None:
        self._drop()

    def _on_login(self, login: Login) -> None:
        self._connection.answer(Verdict(454, "4.7.0", "no"))

    def _on_starttls(self, start: StartTls) -> None:
        self._connection.answer(Verdict(454, "4.7.0", "no"))

    def expire(self, now: float) -> None:
        self.transport.abortConnection()


_REACTIONS: dict[type[Event], Any] = {
    Mail: SmtpProtocol._on_mail,
    Rcpt: SmtpProtocol._on_rcpt,
    Body: SmtpProtocol._on_body,
    EndOfMessage: SmtpProtocol._on_end,
    Reset: SmtpProtocol._on_reset,
    Login: SmtpProtocol._on_login,
    StartTls: SmtpProtocol._on_starttls,
}
