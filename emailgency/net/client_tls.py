"""TLS towards other servers: encryption first, identity where a policy asks for it (RFC 7435)."""

from functools import lru_cache

from OpenSSL.SSL import Connection, Context
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.protocols.tls import TLSMemoryBIOProtocol
from zope.interface import implementer


@lru_cache(maxsize=1)
def _context() -> Context:
    from twisted.internet.ssl import CertificateOptions, TLSVersion  # 30 ms that the first banner need not wait for

    # No trust root: opportunistic TLS takes any certificate, since the alternative is sending in clear (RFC 7435
    # section 3). TLS 1.0 and 1.1 are refused (RFC 8996).
    context: Context = CertificateOptions(raiseMinimumTo=TLSVersion.TLSv1_2).getContext()
    return context


@implementer(IOpenSSLClientConnectionCreator)
class Opportunistic:
    """Any certificate, TLS 1.2 or later; the server is told the name we look for (SNI)."""

    def __init__(self, host: str) -> None:
        self._host = host

    def clientConnectionForTLS(self, tlsProtocol: TLSMemoryBIOProtocol) -> Connection:
        connection = Connection(_context(), None)
        if not self._host.rpartition(".")[2].isdecimal() and ":" not in self._host:
            connection.set_tlsext_host_name(self._host.encode("ascii"))
        return connection
