"""What the servers of mailboxes have in common: who is connected, who has logged in, and the end of all of them."""

from abc import ABC, abstractmethod
from collections.abc import Coroutine
from typing import Any, Generic, TypeVar
from typing import Protocol as Shape

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator, IReactorTime
from twisted.logger import Logger

from emailgency.background import background
from emailgency.flows.accounts.login import Login, Principal
from emailgency.model.errors import Temporary
from emailgency.rules.networks import is_loopback
from emailgency.servers.connections import ConnectionLimits, Connections
from emailgency.servers.line import Line, Transport
from emailgency.store.directory.changes import ABSENT, Change

GRACE = 20.0  # seconds that running commands get at the end, unless the caller says else
FAREWELL = 2.0  # seconds for the last words to arrive then: a client under TLS that has gone to sleep confirms no end

L = TypeVar("L", bound=Line[Any])
L_co = TypeVar("L_co", bound=Line[Any], covariant=True)


class Session(Shape[L_co]):
    """One conversation."""

    @property
    def line(self) -> L_co:
        """Where it is written."""

    number: int  # in log lines
    principal: Principal | None
    mailbox: str  # its path, once logged in

    def leave(self) -> None:
        """Let go of folders."""

    def end(self, words: str) -> None:
        """Say so at once when no command runs, else after it."""


S = TypeVar("S", bound=Session[Any])


class Sessions(ABC, Generic[S, L]):
    """The sessions and the parts they use."""

    _log = Logger()
    name: str

    def __init__(
        self,
        reactor: IReactorTime,
        login: Login,
        connection_limits: ConnectionLimits,
        tls: IOpenSSLServerConnectionCreator | None,
    ) -> None:
        self.login = login
        self.tls = tls
        self.connections: Connections[L] = Connections(connection_limits, reactor, self._make_room)
        self.sessions: set[S] = set()
        self._looking = False  # a look at rights is about to begin
        self._reactor = reactor
        self._guests: dict[L, None] = {}  # who has not logged in, oldest first
        self._started = 0
        self._emptied: Deferred[None] | None = None

    @abstractmethod
    def line(self, transport: Transport) -> L:
        """Of a client that has just come."""

    @abstractmethod
    def converse(self, line: L) -> Coroutine[Any, Any, None]:
        """All that is said on it, from the greeting to the end."""

    # -- who is here ---------------------------------------------------------------------------------------

    def joined(self, session: S) -> None:
        self._started += 1
        session.number = self._started
        self.sessions.add(session)
        self._guests[session.line] = None

    def welcomed(self, session: S) -> None:
        """It has logged in."""
        self._guests.pop(session.line, None)

    def left(self, session: S) -> None:
        session.leave()
        self.sessions.discard(session)
        self._guests.pop(session.line, None)
        if self._emptied is not None and not self.sessions:
            emptied, self._emptied = self._emptied, None
            emptied.callback(None)

    def _make_room(self, _: object) -> L | None:
        """When all places are taken the oldest guest goes: slow ones keep nobody out (attack row 28)."""
        guest = next(iter(self._guests), None)
        if guest is not None:
            guest.cut()
        return guest

    def logged_in(self, mailbox: str) -> int:
        """How many sessions are logged in to this mailbox (its path)."""
        return sum(session.mailbox == mailbox for session in self.sessions)

    # -- time ----------------------------------------------------------------------------------------------

    def changed(self, change: Change) -> None:
        """The directory is another one now: whose right has ended notices at once, and not at the next look."""
        tables = ("entry", "customer")
        if any(edit.table in tables and edit.before != ABSENT for edit in change.edits) and not self._looking:
            self._looking = True
            background("looking at rights", self._look_once())

    async def _look_once(self) -> None:
        self._looking = False
        await self.look_at_rights()

    async def look_at_rights(self) -> None:
        """End sessions whose right has ended."""
        for session in tuple(self.sessions):
            try:
                if session.principal is not None and not await self.login.still_valid(session.principal):
                    session.end("Your password or rights have changed, log in again.")
            except Temporary:
                return

    async def drain(self, grace: float = GRACE) -> None:
        """Graceful stop: running commands finish, then the last words; who still runs after `grace` seconds is cut.

        Returns when the last session has ended.
        """
        for session in tuple(self.sessions):
            session.end("The server stops.")
        if not self.sessions:
            return
        self._emptied = Deferred()
        cuts = [
            self._reactor.callLater(min(FAREWELL, grace), self._cut, True),
            self._reactor.callLater(grace, self._cut, False),
        ]
        await self._emptied
        for cut in cuts:
            if cut.active():
                cut.cancel()

    def _cut(self, only_leaving: bool) -> None:
        for session in tuple(self.sessions):
            if session.line.leaving or not only_leaving:
                session.line.cut()


def may_hear_passwords(line: Line[Any], *, clear: bool) -> bool:
    """`clear`: on this machine TLS is not needed."""
    return line.secure or (clear and bool(line.ip) and is_loopback(line.ip))
