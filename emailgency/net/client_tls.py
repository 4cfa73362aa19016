"""TLS towards other servers: encryption first, identity where a policy asks for it (RFC 7435)."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from OpenSSL import SSL
from OpenSSL.SSL import Connection, Context
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from emailgency.net.peer_identity import Fault


@lru_cache(maxsize=1)
def _context() -> Context:
    return _new_context()


def _new_context() -> Context:
    from twisted.internet.ssl import CertificateOptions, TLSVersion  # 30 ms that the first banner need not wait for

    # No trust root: opportunistic TLS takes any certificate, since the alternative is sending in clear (RFC 7435
    # section 3). TLS 1.0 and 1.1 are refused (RFC 8996).
    context: Context = CertificateOptions(raiseMinimumTo=TLSVersion.TLSv1_2).getContext()
    return context


def _connection(context: Context, host: str) -> Connection:
    connection = Connection(context, None)
    if not host.rpartition(".")[2].isdecimal() and ":" not in host:
        connection.set_tlsext_host_name(host.encode("ascii"))
    return connection


@implementer(IOpenSSLClientConnectionCreator)
class Opportunistic:
    """Any certificate, TLS 1.2 or later; the server is told the name we look for (SNI)."""

    def __init__(self, host: str) -> None:
        self._host = host

    def clientConnectionForTLS(self, tlsProtocol: TLSMemoryBIOProtocol) -> Connection:
        return _connection(_context(), self._host)


class Unproven(Exception):
    """The server is not who it must be."""


@implementer(IOpenSSLClientConnectionCreator)
class Proving:
    """As `Opportunistic`, and looks at the certificate behind the handshake, before anything is said.

    `fault` is what is wrong with it. With `enforce` the connection ends for that.
    """

    def __init__(self, host: str, look: Callable[[Connection], Fault | None], enforce: bool) -> None:
        self.fault: Fault | None = None
        self.proven = False
        self._host = host
        self._look = look
        self._enforce = enforce

    def clientConnectionForTLS(self, tlsProtocol: TLSMemoryBIOProtocol) -> Connection:
        context = _new_context()

        def told(connection: Any, where: int, _: int) -> None:
            if where & SSL.SSL_CB_HANDSHAKE_DONE and not self.proven and self.fault is None:
                self._prove(connection, tlsProtocol)

        context.set_info_callback(told)
        return _connection(context, self._host)

    def _prove(self, connection: Connection, protocol: TLSMemoryBIOProtocol) -> None:
        try:
            self.fault = self._look(connection)
        except Exception as error:  # a certificate like none before is no proof
            self.fault = Fault("validation-failure", f"its certificate cannot be judged: {type(error).__name__}")
        if self.fault is None:
            self.proven = True
        elif self._enforce:
            protocol.failVerification(Failure(Unproven(self.fault.reason)))
