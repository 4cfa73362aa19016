"""What all IMAP sessions share: the parts they use, their connections, and the end of all of them."""

from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet.interfaces import IOpenSSLServerConnectionCreator

from emailgency.flows.accounts.login import Login
from emailgency.model.errors import Temporary
from emailgency.rules.room import Room
from emailgency.servers.connections import ConnectionLimits
from emailgency.servers.imap.conversation import converse
from emailgency.servers.imap.limits import Imap
from emailgency.servers.imap.line import Line
from emailgency.servers.imap.session import ServerReactor, Session
from emailgency.servers.imap.tree import Trees
from emailgency.servers.imap.watch import Watches
from emailgency.servers.line import Transport
from emailgency.servers.line_protocol import LineFactory
from emailgency.servers.sessions import GRACE, Sessions
from emailgency.store.directory.directory import Directory
from emailgency.store.mailboxes.counts import Counts
from emailgency.store.mailboxes.folders import Folders
from emailgency.store.mailboxes.previews import Previews
from emailgency.store.mailboxes.summaries import Summaries
from emailgency.store.searching.index import SearchIndex

LOOK = 10.0  # seconds between looks at folders in use (another Maildir program) and at the rights of who is logged in


class ImapFactory(LineFactory[Line]):
    """The connections of one port of an `ImapServer`."""


class ImapServer(Sessions[Session, Line]):
    """The sessions and what they use. `look` is called every LOOK seconds."""

    name = "IMAP"

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
        super().__init__(reactor, login, connection_limits, tls)
        self.host_name = host_name
        self.reactor = reactor
        self.clock = clock
        self.folders = folders
        self.summaries = summaries
        self.previews = Previews(summaries)
        self.directory = directory
        self.prepared: set[str] = set()
        self.rooms: dict[str, Room] = {}
        self.trees = Trees(folders)
        self.search_index = SearchIndex(reactor)
        self.watches = Watches(folders)
        self.counts = Counts(reactor, folders.root)
        self.adopt(settings)

    def adopt(self, settings: Imap) -> None:
        """These settings from now on; a command under way may still see the old ones."""
        self.settings = settings
        self.connections.limits = settings.connections
        self.prepared.clear()

    @property
    def proxies(self) -> tuple[str, ...]:
        return self.settings.proxies

    def line(self, transport: Transport) -> Line:
        login_by = self.reactor.seconds() + self.settings.login_seconds
        return Line(transport, self.reactor, login_by=login_by, stalled=self.settings.stalled_seconds)

    def converse(self, line: Line) -> Coroutine[Any, Any, None]:
        return converse(Session(line, self))

    async def look(self) -> None:
        """Notice what other programs did to folders in use, and end sessions whose right has ended."""
        try:
            await self.folders.look(self.clock())
        except Temporary as error:
            self._log.warn("folders in use not looked at: {error}", error=str(error))
        for session in self.sessions:
            if session.selected is not None:
                self.search_index.want(session.selected.folder)
        await self.look_at_rights()

    async def drain(self, grace: float = GRACE) -> None:
        await super().drain(grace)
        await self.search_index.stop()
