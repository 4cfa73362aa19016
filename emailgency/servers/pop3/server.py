"""What all POP3 sessions share: the parts they use, and their settings."""

from collections.abc import Coroutine
from typing import Any

from twisted.internet.interfaces import IOpenSSLServerConnectionCreator, IReactorTime

from emailgency.flows.accounts.login import Login
from emailgency.servers.line import Transport
from emailgency.servers.line_protocol import LineFactory
from emailgency.servers.pop3.conversation import converse
from emailgency.servers.pop3.limits import Pop3
from emailgency.servers.pop3.line import Line
from emailgency.servers.pop3.session import Session
from emailgency.servers.sessions import Sessions
from emailgency.store.mailboxes.folders import Folders

LOOK = 10.0  # seconds between looks at the rights of who is logged in


class Pop3Factory(LineFactory[Line]):
    """The connections of one port of a `Pop3Server`."""


class Pop3Server(Sessions[Session, Line]):
    """The sessions and what they use. `look_at_rights` is called every LOOK seconds."""

    name = "POP3"

    def __init__(
        self,
        *,
        settings: Pop3,
        reactor: IReactorTime,
        folders: Folders,
        login: Login,
        tls: IOpenSSLServerConnectionCreator | None,
    ) -> None:
        super().__init__(reactor, login, settings.connections, tls)
        self.settings = settings
        self.folders = folders

    def adopt(self, settings: Pop3) -> None:
        """These settings from now on; a command under way may still see the old ones."""
        self.settings = settings
        self.connections.limits = settings.connections

    @property
    def proxies(self) -> tuple[str, ...]:
        return self.settings.proxies

    def line(self, transport: Transport) -> Line:
        login_by = self._reactor.seconds() + self.settings.login_seconds
        return Line(transport, self._reactor, login_by=login_by, stalled=self.settings.stalled_seconds)

    def converse(self, line: Line) -> Coroutine[Any, Any, None]:
        return converse(Session(line, self))
