"""One SMTP port: what its connections share, and how it stops."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator, IReactorTime

from emailgency.codec.smtp.limits import SmtpLimits
from emailgency.codec.smtp.server import Offer
from emailgency.flows.receiving.receive import Reception, ReceptionLimits
from emailgency.flows.receiving.submit import SubmissionLimits
from emailgency.flows.receiving.unknown_recipients import UnknownLimits
from emailgency.model.verdict import Verdict
from emailgency.rules.networks import is_loopback
from emailgency.servers.connections import ClearLogin, ConnectionLimits, Connections, Proxies, Watched, check_proxies

STOPPING = Verdict(421, "4.3.2", "stopping, try again later")

if TYPE_CHECKING:
    from emailgency.flows.accounts.login import Principal, Source


class SmtpSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How mail is taken from other servers and from users."""

    limits: SmtpLimits = SmtpLimits()
    connections: ConnectionLimits = ConnectionLimits()
    reception: ReceptionLimits = ReceptionLimits()
    submission: SubmissionLimits = SubmissionLimits()
    unknown: UnknownLimits = UnknownLimits()
    proxies: Proxies = ()
    clear_login: ClearLogin = False

    def __post_init__(self) -> None:
        check_proxies(self.proxies)


class Logs(Protocol):
    """`flows.accounts.login.Login`, as used here."""

    async def authenticate(self, name: str, password: str, source: "Source") -> "Principal | Verdict": ...


class Turns(Protocol):
    """`flows.relaying.etrn.Etrn`, as used here."""

    async def turn(self, ip: str, principal: "Principal | None", node: str) -> Verdict: ...


class Pressure(Protocol):
    """`store.storing.line.Storer`, as used here: while `busy`, read no messages from clients."""

    busy: bool
    on_busy: list[Callable[[bool], None]]


class Client(Watched, Protocol):
    """A connection, as seen from here."""

    @property
    def idle(self) -> bool:
        """No transaction is open."""

    def relieved(self) -> None:
        """The storer has caught up."""

    def cut(self) -> None:
        """End at once, without a word."""

    def farewell(self, verdict: Verdict) -> None:
        """End with `verdict`, unless a message has come whole and waits for its answer."""


def _make_room(oldest: Iterable[Client]) -> Client | None:
    """Who only holds a place gives it to a newcomer: slow ones in any number keep no good one out (attack row 28)."""
    idle = next((client for client in oldest if client.idle), None)
    if idle is not None:
        idle.cut()
    return idle


class SmtpService:
    """What the connections of one port share. With `login` it is for users: nobody sends without having logged in."""

    def __init__(
        self,
        reactor: IReactorTime,
        reception: Reception,
        storer: Pressure,
        settings: SmtpSettings,
        certificates: IOpenSSLServerConnectionCreator | None = None,
        login: Logs | None = None,
        implicit_tls: bool = False,
    ) -> None:
        self.reactor = reactor
        self.reception = reception
        self.storer = storer
        self.certificates = certificates
        self.login = login
        self.implicit_tls = implicit_tls
        self.connections = Connections[Client](settings.connections, reactor, _make_room)
        self.adopt(settings)
        self.banner = Verdict(220, "", f"{reception.host_name} ESMTP")
        self.etrn: Turns | None = None  # not None: customers' servers may ask for their mail
        self.stopping = False
        self.committing = 0  # messages whose last octet has come
        self._pressed: set[Client] = set()
        self._drained: Deferred[None] | None = None
        storer.on_busy.append(self._storer_changed)

    def adopt(self, settings: SmtpSettings) -> None:
        """These settings for connections from now on."""
        self.limits = settings.limits
        self.proxies = frozenset(settings.proxies)
        self.connections.limits = settings.connections
        self._clear_login = settings.clear_login

    def offer(self, secure: bool, ip: str) -> Offer:
        """What a client may use: STARTTLS once and AUTH under TLS, each only where it can work."""
        return Offer(
            host_name=self.reception.host_name,
            size=self.reception.limits.message,
            starttls=self.certificates is not None and not secure,
            auth=self.login is not None and (secure or (self._clear_login and is_loopback(ip))),
            auth_required=self.login is not None,
            etrn=self.etrn is not None,
            requiretls=secure,
        )

    def pressed(self, connection: Client) -> None:
        """`connection` waits for the storer to catch up."""
        self._pressed.add(connection)

    def _storer_changed(self, busy: bool) -> None:
        if not busy:
            relieved, self._pressed = self._pressed, set()
            for connection in relieved:
                connection.relieved()

    # ---- the end ------------------------------------------------------------------------------------------

    def drain(self, grace: float) -> Deferred[None]:
        """No new work: idle clients get 421 now, open transactions may end within `grace` seconds.

        Fires when every connection is gone and every message whose last octet had come has its answer.
        """
        self.stopping = True
        self._drained = Deferred()
        for connection in self.connections.all():
            if connection.idle:
                connection.farewell(STOPPING)
        cut = self.reactor.callLater(grace, self._cut)
        self._drained.addCallback(lambda _: cut.cancel() if cut.active() else None)
        drained = self._drained
        self._look()
        return drained

    def _cut(self) -> None:
        for connection in self.connections.all():
            connection.farewell(STOPPING)

    def left(self, connection: Client) -> None:
        self._pressed.discard(connection)
        self.connections.leave(connection)
        self._look()

    def committed(self) -> None:
        self.committing -= 1
        self._look()

    def _look(self) -> None:
        drained = self._drained
        if drained is not None and not len(self.connections) and not self.committing:
            self._drained = None
            drained.callback(None)
