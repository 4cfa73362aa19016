"""HTTP towards everybody, as Twisted speaks it, with the bounds and headers it does not have by itself.

Connections are counted and have an age (attack row 28), a body is refused before it is read (row 41), a request names
one host (row 40), and every answer says what a browser must not do with it (rows 21 and 24). Who somebody is never
follows from the host he names.
"""

import re
from collections.abc import Callable, Sequence
from math import inf
from typing import Any
from urllib.parse import unquote_to_bytes

from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel
from twisted.web.resource import IResource
from twisted.web.server import Request, Site

from emailgency.servers.connections import Connections
from emailgency.servers.web.limits import Web

HEADERS = {
    b"Server": b"Emailgency",
    b"X-Content-Type-Options": b"nosniff",
    b"X-Frame-Options": b"DENY",
    b"Referrer-Policy": b"no-referrer",
    b"Content-Security-Policy": b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
}


_LABEL = rb"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST = re.compile(rb"(?:%b(?:\.%b){0,126}\.?|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?" % (_LABEL, _LABEL))


class PublicRequest(Request):
    """One request."""

    def process(self) -> None:
        hosts = self.requestHeaders.getRawHeaders(b"host", [])
        missing = not hosts and self.clientproto == b"HTTP/1.1"
        named = not missing and len(hosts) <= 1 and all(map(_HOST.fullmatch, hosts))  # RFC 9112 section 3.2
        if not named or not _is_text(self.uri):
            _set_headers(self)
            self.setResponseCode(400)
            self.finish()
            return
        super().process()


def _is_text(uri: bytes) -> bool:
    """Whether its path is UTF-8: with any other the routing fails, and says so in the log at length (attack row 36)."""
    try:
        unquote_to_bytes(uri.partition(b"?")[0]).decode()
    except UnicodeDecodeError:
        return False
    return True


class Channel(HTTPChannel):
    """One connection."""

    site: "PublicSite"
    transport: Any
    deadline = inf
    _refused = False

    def connectionMade(self) -> None:
        site = self.site
        self.deadline = site.reactor_time.seconds() + site.settings.connection_seconds
        if site.connections.admit(self, self.transport.getPeer().host) is not None:
            self.transport.abortConnection()
            return
        super().connectionMade()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.site.connections.leave(self)
        super().connectionLost(reason)

    def expire(self, now: float) -> None:
        self.transport.abortConnection()

    def allHeadersReceived(self) -> None:
        """`length` is None when the body is chunked: nobody needs that to ask us something."""
        if self.length is None or self.length > self.site.settings.body_octets:
            self._refused = True
            words = b"411 Length Required" if self.length is None else b"413 Content Too Large"
            self.transport.write(b"HTTP/1.1 %b\r\nConnection: close\r\nContent-Length: 0\r\n\r\n" % words)
            self.loseConnection()
            return
        super().allHeadersReceived()

    def rawDataReceived(self, data: bytes) -> None:
        if not self._refused:
            super().rawDataReceived(data)


class PublicSite(Site):
    """The resources under `root`, for everybody. TLS is put in front by who listens."""

    _log = Logger()
    protocol: Any = Channel  # HTTP/1.1 only
    displayTracebacks = False
    noisy = False

    def __init__(
        self,
        root: IResource,
        reactor: IReactorTime,
        settings: Web,
        followers: Sequence[Callable[[Web], None]] = (),
    ) -> None:
        """`followers` take on the same settings."""
        super().__init__(root, requestFactory=PublicRequest, timeout=settings.idle_seconds, reactor=reactor)
        self.reactor_time = reactor
        self.connections: Connections[Channel] = Connections(settings.connections, reactor)
        self._followers = tuple(followers)
        self.adopt(settings)

    def adopt(self, settings: Web) -> None:
        """These settings from now on; those of connections for new ones."""
        self.settings = settings
        self.connections.limits = settings.connections
        self.timeOut = settings.idle_seconds
        for follow in self._followers:
            follow(settings)

    def getResourceFor(self, request: Request) -> IResource:
        """Called last before a resource is asked to answer: Twisted has named itself by then."""
        _set_headers(request)
        resource: IResource = super().getResourceFor(request)
        return resource

    def log(self, request: Any) -> None:
        """One line a request, without what stands behind the question mark: it may name people."""
        self._log.info(
            "web: {status} {method} {path} from {ip}",
            status=request.code,
            method=repr(request.method)[1:],
            path=repr(request.path[:200])[1:],
            ip=request.getClientAddress().host,
        )


def _set_headers(request: Request) -> None:
    for name, value in HEADERS.items():
        request.setHeader(name, value)
