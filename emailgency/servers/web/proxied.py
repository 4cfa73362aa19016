"""A listed proxy in front of the web says first whose connection it is, in clear and before TLS (attack row 38)."""

from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure
from zope.interface import directlyProvides, providedBy

from emailgency.codec import proxy
from emailgency.servers.web.site import PublicSite

HEADER_SECONDS = 10.0  # for the header to come; a proxy sends it at once


class Proxied(ProtocolWrapper):
    """One connection; what is behind it begins when it is known who is in front."""

    _log = Logger()
    factory: "ProxiedFactory"
    transport: Any
    wrappedProtocol: Any
    _header: bytes | None = None  # what has come of it; None: none is due
    _source: IPv4Address | IPv6Address | None = None

    def makeConnection(self, transport: Any) -> None:
        directlyProvides(self, providedBy(transport))
        Protocol.makeConnection(self, transport)
        self.factory.registerProtocol(self)
        if transport.getPeer().host in self.factory.site.settings.proxies:
            self._header = b""
            self._patience = self.factory.time.callLater(HEADER_SECONDS, transport.abortConnection)
        else:
            self.wrappedProtocol.makeConnection(self)

    def getPeer(self) -> Any:
        return self._source or self.transport.getPeer()

    def dataReceived(self, data: bytes) -> None:
        if self._header is None:
            self.wrappedProtocol.dataReceived(data)
            return
        octets = self._header + data
        try:
            header = proxy.parse(octets)
        except proxy.Malformed:
            self._log.warn("web: proxy {ip} sent no PROXY header", ip=self.transport.getPeer().host)
            self.transport.abortConnection()
            return
        self._header = octets if header is None else None
        if header is not None:
            self._patience.cancel()
            if header.source is not None:
                kind = IPv6Address if ":" in header.source else IPv4Address
                self._source = kind("TCP", header.source, 0)
            self.wrappedProtocol.makeConnection(self)
            if rest := octets[header.length :]:
                self.wrappedProtocol.dataReceived(rest)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._header is None:
            super().connectionLost(reason)
            return
        self.factory.unregisterProtocol(self)  # nothing behind it has begun
        if self._patience.active():
            self._patience.cancel()


class ProxiedFactory(WrappingFactory):
    """`wrapped` serves the connections: `site`, or TLS in front of it."""

    protocol = Proxied
    noisy = False

    def __init__(self, wrapped: Any, site: PublicSite, time: IReactorTime) -> None:
        super().__init__(wrapped)
        self.site = site
        self.time = time
