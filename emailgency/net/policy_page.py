"""The MTA-STS policy of a domain, from the one place where it may be (RFC 8461 section 3.3).

The host is of the domain's choice, so the address goes through the egress guard, redirects are not followed, and what
comes is cut at the longest policy there may be.
"""

from typing import Any

from OpenSSL import SSL
from service_identity import VerificationError
from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as Late
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint, wrapClientTLS
from twisted.internet.error import ConnectError
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.ssl import optionsForClientTLS
from twisted.python.failure import Failure
from twisted.web.client import Agent, ResponseFailed
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgentEndpointFactory, IResponse
from zope.interface import implementer

from emailgency.model.errors import Temporary
from emailgency.net.dns import Dns, Status
from emailgency.net.egress import Egress
from emailgency.net.reactor import NetReactor

HTTPS_PORT = 443
LONGEST = 65_536  # octets
SECONDS = 20.0  # for all of it


class PolicyPages:
    """`trust`: what vouches for certificates, None for what the system trusts; `port` is another one in tests."""

    def __init__(
        self, dns: Dns, egress: Egress, reactor: NetReactor, trust: Any = None, port: int = HTTPS_PORT
    ) -> None:
        self._dns = dns
        self._egress = egress
        self._reactor = reactor
        self._trust = trust
        self._port = port

    async def get(self, domain: str) -> bytes | None:
        """None: there is none that a sender would take. Raises Temporary when nobody can tell now."""
        host = f"mta-sts.{domain}"
        answer = await self._dns.addresses(host)
        if answer.status is Status.FAILURE:
            raise Temporary(f"{host} cannot be looked up: {answer.reason}")
        allowed = [ip for ip in answer.records if not self._egress.check_address(ip, self._port)]
        if not allowed:
            return None
        try:
            return await Deferred.fromCoroutine(self._fetch(host, allowed[0])).addTimeout(SECONDS, self._reactor)
        except Late:
            raise Temporary(f"{host} is silent") from None

    async def _fetch(self, host: str, ip: str) -> bytes | None:
        url = f"https://{host}:{self._port}/.well-known/mta-sts.txt".encode()
        try:
            options = optionsForClientTLS(host, self._trust)
        except ValueError:  # UnicodeError as well: foo_bar.example, which is in the DNS, and in no certificate
            return None
        agent = Agent.usingEndpointFactory(self._reactor, _Endpoints(self._reactor, ip, options))
        try:
            response: IResponse = await agent.request(b"GET", url, Headers({b"User-Agent": [b"Emailgency"]}))
        except ResponseFailed as error:
            if any(reason.check(SSL.Error, VerificationError) for reason in error.reasons):
                return None  # the certificate is not for this name, or nobody we know vouches for it
            raise Temporary(f"{host} does not answer") from None
        except SSL.Error:
            return None
        except ConnectError as error:
            raise Temporary(f"{host} cannot be reached: {error}") from None
        if response.code >= 500:
            raise Temporary(f"{host} says {response.code}")
        if response.code != 200:
            return None
        body = _Body()
        response.deliverBody(body)
        return await body.whole


@implementer(IAgentEndpointFactory)
class _Endpoints:
    """To one address that was looked at, by the name it was found under."""

    def __init__(self, reactor: NetReactor, ip: str, options: Any) -> None:
        self._reactor = reactor
        self._ip = ip
        self._options = options  # the name is in them

    def endpointForURI(self, uri: Any) -> IStreamClientEndpoint:
        kind = TCP6ClientEndpoint if ":" in self._ip else TCP4ClientEndpoint
        return wrapClientTLS(self._options, kind(self._reactor, self._ip, uri.port))


class _Body(Protocol):
    """At most LONGEST octets; what would follow ends the connection."""

    def __init__(self) -> None:
        self.whole: Deferred[bytes] = Deferred()
        self._octets = b""

    def dataReceived(self, data: bytes) -> None:
        self._octets += data[: LONGEST - len(self._octets)]
        if len(self._octets) == LONGEST and self.transport is not None:
            self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if not self.whole.called:
            self.whole.callback(self._octets)
