"""One SMTP connection to one address: it carries one message after the other and tells what became of each.

The courier asks its `Cargo` for parcels and hands back the results. When a message has its final 250, the result is
recorded, and the final dot of the next one waits until that record is on stable storage; meanwhile MAIL, RCPT and DATA
of the next travel behind the dot. So a crash repeats at most one message a connection, and QUIT follows the last
record. A record that fails ends the connection; when there is to be another one is for the cargo to say. The body goes
from the file to the socket in chunks, at the pace of the server (`net/unloading.py`); what is no matter of mail is the
`Session`'s.
"""

from typing import Protocol as Shape

from msgspec.structs import replace
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from emailgency.background import background
from emailgency.codec.smtp import client as smtp
from emailgency.net.parcel import Opened, Parcel, Unsettled, open_parcel
from emailgency.net.reactor import NetReactor
from emailgency.net.session import CourierSettings, Session
from emailgency.net.unloading import Unloading

UNRECORDED = "the result could not be recorded"  # how a connection ends that we, and not the server, gave up


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


class Courier(Session):
    """`waited` is for whoever asks how quick the server is."""

    def __init__(
        self,
        cargo: Cargo,
        settings: CourierSettings,
        reactor: NetReactor,
        name: str,
        tls_options: IOpenSSLClientConnectionCreator | None,
    ) -> None:
        super().__init__(settings, reactor, name, tls_options)
        self.waited = 0.0  # seconds from the end of the last message to its final reply
        self._ended_at = 0.0  # when the end of the body of `_current` went out
        self._cargo = cargo
        self._current: Opened | None = None  # its body is on the way, or it awaits the final reply
        self._coming: Opened | None = None  # begun; its body has not started
        self._doubtful = False  # the end of the body of `_current` is out
        self._invited = False  # the server awaits the body of `_coming`
        self._recording = 0
        self._retreating = False

    @property
    def idle(self) -> bool:
        return self.greeted and not (self._closing or self._current or self._coming or self._recording)

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
        elif self.greeted and not (self._current or self._coming or self._recording):
            self._quit()

    def retreat(self) -> None:
        """Results cannot be recorded: let no further message be taken. One whose end is out still gets its answer."""
        self._closing = self._retreating = True
        if not self._doubtful:
            self.abort(UNRECORDED)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        unsettled = []
        if self._current:
            unsettled.append(Unsettled(self._current.parcel, begun=True, doubtful=self._doubtful))
            self._current.close()
        if self._coming:
            unsettled.append(Unsettled(self._coming.parcel, begun=not self._current, doubtful=False))
            self._coming.close()
        self._current = self._coming = None
        self._closure = replace(self._closure, unsettled=tuple(unsettled))
        super().connectionLost(reason)

    # ---- what the server says ------------------------------------------------------------------------------

    def _happened(self, event: smtp.Event) -> None:
        if isinstance(event, smtp.GoAhead):
            self._invited = True
            if self.greeted and not self._recording:
                self._send_body()
        elif isinstance(event, smtp.Ended):
            self._settle(event.results)
        else:
            super()._happened(event)
            if isinstance(event, smtp.Ready) and self.greeted:
                self._next()

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
        if self._recording or not self.greeted:
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
        if self._closing and self.greeted and not (self._current or self._coming or self._recording):
            self._quit()

    def _send_body(self) -> None:
        self._current, self._coming, self._invited = self._coming, None, False
        assert self._current is not None
        if self._current.rest:
            Unloading(self._current, self.transport, self._write, self.abort).start()
        else:
            chunk, self._current.chunk = self._current.chunk, b""
            self._write(chunk, last=True)

    def _write(self, chunk: bytes, last: bool) -> None:
        self.client.body(chunk, last)
        if last:
            self._doubtful = True
            self._ended_at = self._reactor.seconds()
            self._next()
        self._flush()

    def _patience(self) -> float | None:
        if self._current and self._current.rest and self.client.stage is None:
            return self._settings.block
        return super()._patience()
