"""IMAP on a socket: bytes to the codec, and the one conversation of each connection started."""

from typing import Any

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

from emailgency.background import background
from emailgency.servers.imap.conversation import converse
from emailgency.servers.imap.line import Line
from emailgency.servers.imap.server import ImapServer
from emailgency.servers.imap.session import Session


class ImapFactory(Factory):
    """The connections of one port; `secure`: the port speaks TLS from the first octet."""

    noisy = False

    def __init__(self, server: ImapServer, secure: bool = False) -> None:
        self.server = server
        self.secure = secure

    def buildProtocol(self, addr: IAddress | None) -> "ImapProtocol":
        return ImapProtocol(self.server, self.secure)


class ImapProtocol(Protocol):
    """One client; everything else is in `line` and `conversation`."""

    __slots__ = ("_line", "_secure", "_server")

    def __init__(self, server: ImapServer, secure: bool) -> None:
        self._server = server
        self._secure = secure
        self._line: Line | None = None

    def connectionMade(self) -> None:
        transport: Any = self.transport
        server = self._server
        transport.setTcpNoDelay(True)
        line = self._line = Line(
            transport,
            server.reactor,
            secure=self._secure,
            login_by=server.reactor.seconds() + server.settings.login_seconds,
            stalled=server.settings.stalled_seconds,
        )
        line.ip = getattr(transport.getPeer(), "host", "")
        session = Session(line, server)
        words = server.connections.admit(line, line.ip or None)
        if words is not None:
            line.close(words)
            return
        background("IMAP session", converse(session))

    def dataReceived(self, data: bytes) -> None:
        assert self._line is not None
        self._line.received(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        line, self._line = self._line, None
        if line is not None:
            self._server.connections.leave(line)
            line.lost()
