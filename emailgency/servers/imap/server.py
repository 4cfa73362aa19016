"""What all IMAP sessions share: the parts they use, their connections, and the end of all of them."""

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.logger import Logger

from emailgency.flows.login import Login
from emailgency.model.errors import Temporary
from emailgency.servers.connections import ConnectionLimits, Connections
from emailgency.servers.imap.limits import Imap
from emailgency.servers.imap.line import Line
from emailgency.servers.imap.session import ServerReactor, Session, Usage
from emailgency.store.directory import Directory
from emailgency.store.folders import Folders
from emailgency.store.summaries import Summaries

GRACE = 20.0  # seconds that running commands get at the end, unless the caller says else
FAREWELL = 2.0  # seconds for BYE to arrive then: a client under TLS that has gone to sleep never confirms the end
LOOK = 10.0  # seconds between looks at folders in use (another Maildir program) and at the rights of who is logged in


class ImapServer:
    """The sessions and what they use. `look` is called every LOOK seconds."""

    _log = Logger()

    def __init__(
        self,
        *,
        settings: Imap,
        host_name: str,
        reactor: ServerReactor,
        clock: Callable[[], float],
        folders: Folders,
        summaries: Summaries,
        directory: Directory,
        login: Login,
        connection_limits: ConnectionLimits,
        tls: IOpenSSLServerConnectionCreator | None,
    ) -> None:
        self.host_name = host_name
        self.reactor = reactor
        self.clock = clock
        self.folders = folders
        self.summaries = summaries
        self.directory = directory
        self.login = login
        self.tls = tls
        self.connections: Connections[Line] = Connections(connection_limits, reactor, self._make_room)
        self.sessions: set[Session] = set()
        self.prepared: set[str] = set()
        self.usage: dict[str, Usage] = {}
        self._guests: dict[Line, None] = {}  # who has not logged in, oldest first
        self._started = 0
        self._emptied: Deferred[None] | None = None
        self.adopt(settings)

    def adopt(self, settings: Imap) -> None:
        """These settings from now on; a command under way may still see the old ones."""
        self.settings = settings
        self.connections.limits = settings.connections
        self.prepared.clear()

    # -- sessions ------------------------------------------------------------------------------------------

    def joined(self, session: Session) -> None:
        self._started += 1
        session.number = self._started
        self.sessions.add(session)
        self._guests[session.line] = None

    def welcomed(self, session: Session) -> None:
        """It has logged in."""
        self._guests.pop(session.line, None)

    def left(self, session: Session) -> None:
        session.leave()
        self.sessions.discard(session)
        self._guests.pop(session.line, None)
        if self._emptied is not None and not self.sessions:
            emptied, self._emptied = self._emptied, None
            emptied.callback(None)

    def _make_room(self, _: object) -> Line | None:
        """When all places are taken the oldest guest goes: slow ones keep nobody out (attack row 28)."""
        guest = next(iter(self._guests), None)
        if guest is not None:
            guest.cut()
        return guest

    def logged_in(self, mailbox: str) -> int:
        """How many sessions are logged in to this mailbox (its path)."""
        return sum(session.mailbox == mailbox for session in self.sessions)

    # -- time ----------------------------------------------------------------------------------------------

    async def look(self) -> None:
        """Notice what other programs did to folders in use, and end sessions whose right has ended."""
        try:
            await self.folders.look(self.clock())
        except Temporary as error:
            self._log.warn("folders in use not looked at: {error}", error=str(error))
        for session in tuple(self.sessions):
            try:
                if session.principal is not None and not await self.login.still_valid(session.principal):
                    session.end("Your password or rights have changed, log in again.")
            except Temporary:
                return

    async def drain(self, grace: float = GRACE) -> None:
        """Graceful stop: running commands finish, then BYE; what still runs after `grace` seconds is cut off.

        Returns when the last session has ended.
        """
        for session in tuple(self.sessions):
            session.end("The server stops.")
        if not self.sessions:
            return
        self._emptied = Deferred()
        cuts = [
            self.reactor.callLater(min(FAREWELL, grace), self._cut, True),
            self.reactor.callLater(grace, self._cut, False),
        ]
        await self._emptied
        for cut in cuts:
            if cut.active():
                cut.cancel()

    def _cut(self, only_leaving: bool) -> None:
        for session in tuple(self.sessions):
            if session.line.leaving or not only_leaving:
                session.line.cut()
