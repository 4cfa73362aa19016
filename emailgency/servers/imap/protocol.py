"""IMAP on a socket: bytes to the codec, and the one conversation of each connection started."""

from typing import Any

from twisted.internet.interfaces import IAddress, ISSLTransport
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

from emailgency.background import background
from emailgency.codec import proxy
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
    """One client. A listed proxy says first whose connection it is (attack row 38)."""

    transport: Any

    def __init__(self, server: ImapServer, secure: bool) -> None:
        self._server = server
        self._secure = secure
        self._line: Line | None = None
        self._header: bytes | None = None  # what has come of a PROXY header; None: none is due

    def connectionMade(self) -> None:
        server = self._server
        self.transport.setTcpNoDelay(True)
        line = self._line = Line(
            self.transport,
            server.reactor,
            login_by=server.reactor.seconds() + server.settings.login_seconds,
            stalled=server.settings.stalled_seconds,
        )
        ip = getattr(self.transport.getPeer(), "host", "")
        if ip not in server.settings.proxies:
            self._open(line, ip)
            return
        self._header = b""
        line.ip = ip
        if server.connections.admit(line, None) is not None:
            line.cut()

    def _open(self, line: Line, ip: str) -> None:
        """Greet whoever it is, with TLS first on a port that is for TLS alone."""
        server = self._server
        line.ip = ip
        words = server.connections.admit(line, ip or None)
        if ISSLTransport.providedBy(self.transport):
            line.secure = True  # the listener has seen to it
        elif self._secure:
            if words is not None or server.tls is None:  # not worth a handshake
                line.cut()
                return
            line.start_tls(server.tls)
        if words is not None:
            line.close(words)
            return
        background("IMAP session", converse(Session(line, server)))

    def dataReceived(self, data: bytes) -> None:
        line = self._line
        assert line is not None
        if self._header is None:
            line.received(data)
        else:
            self._read_header(line, self._header + data)

    def _read_header(self, line: Line, octets: bytes) -> None:
        try:
            header = proxy.parse(octets)
        except proxy.Malformed:
            Session.log.warn("imap: proxy {ip} sent no PROXY header", ip=line.ip)
            line.cut()
            return
        self._header = octets if header is None else None
        if header is None:
            return
        self._open(line, header.source or line.ip)
        if rest := octets[header.length :]:
            # under TLS what follows is for the layer that startTLS has just put in between
            (self.transport.protocol if self._secure else self).dataReceived(rest)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        line, self._line = self._line, None
        if line is not None:
            self._server.connections.leave(line)
            line.lost()
