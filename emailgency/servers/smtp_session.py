"""One client's way through MAIL, RCPT, the message and AUTH: asks the flows and tells what became of it.

Knows nothing of sockets. `answer` gives a verdict for every question of the codec; the rest are plain calls.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from twisted.logger import Logger
from twisted.python.failure import Failure

from emailgency.codec.smtp.server import Connection, EndOfMessage, Login, Mail, Question, Rcpt, Turn
from emailgency.codec.trace import protocol as protocol_word
from emailgency.flows.receiving.receive import SENDER_OK, Transaction
from emailgency.model.envelope import Client
from emailgency.model.errors import Temporary
from emailgency.model.verdict import Verdict
from emailgency.servers.smtp_service import SmtpService

if TYPE_CHECKING:
    from emailgency.flows.accounts.login import Principal

TROUBLE = Verdict(451, "4.3.0", "temporary trouble of our own, try again later")
NO_LOGIN = Verdict(454, "4.7.0", "temporary trouble of our own, try again later")  # RFC 4954 section 6
WELCOME = Verdict(235, "2.7.0", "welcome")
LOGGED_REFUSALS = 20  # of one connection: a dictionary attack must not fill the log (attack row 36)


class Session:
    """`tls` tells protocol and cipher of the connection, None in clear."""

    log = Logger()

    def __init__(self, service: SmtpService, connection: Connection, ip: str, tls: Callable[[], str | None]) -> None:
        self.unconfirmed: str | None = None  # id whose 250 the client has not shown to know
        self._service = service
        self._connection = connection
        self._ip = ip
        self._tls = tls
        self._principal: Principal | None = None
        self._transaction: Transaction | None = None
        self._gone = False
        self._refusals = 0

    async def answer(self, event: Question) -> Verdict:
        match event:
            case Mail():
                return await self._mail(event)
            case Rcpt():
                assert self._transaction is not None  # or RCPT was out of sequence
                return await self._transaction.recipient(event)
            case EndOfMessage():
                return await self._end(event)
            case Login():
                return await self._login(event)
            case Turn():
                assert self._service.etrn is not None  # or ETRN is not offered
                return await self._service.etrn.turn(self._ip, self._principal, event.node)
            case _:
                raise TypeError(f"{type(event).__name__} is the transport's to answer")

    def write(self, octets: bytes) -> None:
        """More of the message."""
        assert self._transaction is not None  # or DATA was out of sequence
        self._transaction.write(octets)

    def spoken(self) -> None:
        """Something came: whoever speaks again has heard our 250 (RFC 1047)."""
        if self.unconfirmed is not None:
            self._service.reception.spool.acknowledged(self.unconfirmed)
            self.unconfirmed = None

    def drop(self) -> None:
        """Nothing of an open transaction is kept."""
        transaction, self._transaction = self._transaction, None
        if transaction is not None:
            transaction.abort()

    def gone(self) -> None:
        """Nobody hears us any more; a message that came whole is finished all the same."""
        self._gone = True
        del self._tls  # the connection's: a cycle of the two would wait for the collector, with all that they hold
        self.drop()

    def forget_user(self) -> None:
        """TLS begins: RFC 3207 section 4.2."""
        self._principal = None

    async def _mail(self, mail: Mail) -> Verdict:
        connection, principal, tls = self._connection, self._principal, self._tls()
        client = Client(ip=self._ip, helo=connection.helo, tls=tls, mailbox=principal.mailbox if principal else None)
        word = protocol_word(
            extended=connection.extended,
            smtputf8=mail.smtputf8,
            tls=tls is not None,
            authenticated=principal is not None,
        )
        begun = await self._service.reception.begin(client, mail, word, principal)
        if isinstance(begun, Verdict):
            return begun
        self._transaction = begun
        return SENDER_OK

    async def _end(self, end: EndOfMessage) -> Verdict:
        transaction, self._transaction = self._transaction, None
        assert transaction is not None  # or there was no DATA
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
        if not self._gone:
            self.unconfirmed = transaction.accepted
        return verdict

    async def _login(self, login: Login) -> Verdict:
        from emailgency.flows.accounts.login import Source  # brings what port 25 never needs

        assert self._service.login is not None  # or AUTH is not offered
        credentials, source = login.credentials, Source("smtp", self._ip)
        principal = await self._service.login.authenticate(credentials.name, credentials.password, source)
        if isinstance(principal, Verdict):
            return principal
        self._principal = principal
        return WELCOME

    # ---- what went wrong ----------------------------------------------------------------------------------

    def trouble(self, failure: Failure, event: Question) -> Verdict:
        """Whatever fails is trouble of our own, and never told as 5xx."""
        if failure.check(Temporary):
            self.log.warn("client={ip} {error!r} 451", ip=self._ip, error=str(failure.value))
        else:
            self.log.failure("client={ip} 451", failure, ip=self._ip)
        return NO_LOGIN if isinstance(event, Login) else TROUBLE

    def refused(self, event: Question, verdict: Verdict) -> None:
        """One line for the log; refused logins have theirs from `flows.accounts.login`."""
        self._refusals += 1
        if self._refusals <= LOGGED_REFUSALS and not isinstance(event, Login):
            self.log.info(
                "client={ip} helo={helo} {command} reply={code} {enhanced} {text!r} refused",
                ip=self._ip,
                helo=self._connection.helo,
                command=_shown(event),
                code=verdict.code,
                enhanced=verdict.enhanced,
                text=verdict.text,
            )


def _shown(event: Question) -> str:
    """A command for the log, whatever the client wrote in it (attack row 36)."""
    match event:
        case Mail():
            return f"MAIL {event.sender!a}"
        case Rcpt():
            return f"RCPT {event.address!a}"
        case Turn():
            return f"ETRN {event.node!a}"
        case _:
            return "message"
