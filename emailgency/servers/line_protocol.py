"""A line on a socket: the PROXY header, the limits of connections and TLS come first, then its conversation."""

from collections.abc import Coroutine
from typing import Any, Generic, TypeVar
from typing import Protocol as Shape

from twisted.internet.interfaces import IAddress, IOpenSSLServerConnectionCreator, ISSLTransport
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from emailgency.background import background
from emailgency.codec import proxy
from emailgency.servers.connections import Connections
from emailgency.servers.line import Line, Transport

L = TypeVar("L", bound=Line[Any])


class Serving(Shape[L]):
    """What all connections of a protocol share."""

    name: str  # of the protocol, in the log
    connections: Connections[L]
    tls: IOpenSSLServerConnectionCreator | None

    @property
    def proxies(self) -> tuple[str, ...]:
        """Addresses that begin each connection with a PROXY header."""

    def line(self, transport: Transport) -> L:
        """For a connection that has just been made."""

    def converse(self, line: L) -> Coroutine[Any, Any, None]:
        """From the greeting to the end of the connection."""


class LineFactory(Factory, Generic[L]):
    """The connections of one port; `secure`: the port speaks TLS from the first octet."""

    noisy = False

    def __init__(self, server: Serving[L], secure: bool = False) -> None:
        self.server = server
        self.secure = secure

    def buildProtocol(self, addr: IAddress | None) -> "LineProtocol[L]":
        return LineProtocol(self.server, self.secure)


class LineProtocol(Protocol, Generic[L]):
    """One client. A listed proxy says first whose connection it is (attack row 38)."""

    _log = Logger()
    transport: Any

    def __init__(self, server: Serving[L], secure: bool) -> None:
        self._server = server
        self._secure = secure
        self._line: L | None = None
        self._header: bytes | None = None  # what has come of a PROXY header; None: none is due

    def connectionMade(self) -> None:
        server = self._server
        self.transport.setTcpNoDelay(True)
        line = self._line = server.line(self.transport)
        ip = getattr(self.transport.getPeer(), "host", "")
        if ip not in server.proxies:
            self._open(line, ip)
            return
        self._header = b""
        line.ip = ip
        if server.connections.admit(line, None) is not None:
            line.cut()

    def _open(self, line: L, ip: str) -> None:
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
        background(f"{server.name} session", server.converse(line))

    def dataReceived(self, data: bytes) -> None:
        line = self._line
        assert line is not None
        if self._header is None:
            line.received(data)
        else:
            self._read_header(line, self._header + data)

    def _read_header(self, line: L, octets: bytes) -> None:
        try:
            header = proxy.parse(octets)
        except proxy.Malformed:
            self._log.warn("{name}: proxy {ip} sent no PROXY header", name=self._server.name, ip=line.ip)
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
