"""Where we listen: addresses as settings give them, sockets bound before anything else happens.

Sockets are bound by ourselves, not by the reactor: "*" means IPv4 and IPv6 under one port number, and an address
that cannot be had is told before the server has begun to do anything.
"""

import contextlib
import errno
import os
import socket
from typing import Any

from msgspec import Struct
from twisted.internet.interfaces import IListeningPort, IReactorSocket
from twisted.internet.tcp import Server

from emailgency.settings_file import Mistake, Wrong

# A burst of senders waits here while we work; the kernel cuts it down to net.core.somaxconn.
BACKLOG = 1024
_NET_BIND_SERVICE = 10  # its bit, capabilities(7)


class Port(Struct, frozen=True):
    """The ports of a service when the settings name none."""

    service: str  # its key in [listen]
    privileged: int
    free: int
    host: str = "*"


PORTS = (
    Port("smtp", 25, 2525),
    Port("submission", 587, 2587),
    Port("submissions", 465, 2465),
    Port("imap", 143, 2143),
    Port("imaps", 993, 2993),
    Port("pop3", 110, 2110),
    Port("pop3s", 995, 2995),
    Port("http", 80, 2080),
    Port("https", 443, 2443),
    Port("local", 8025, 8025, "127.0.0.1"),
)


class Bound:
    """The listening sockets of one service; `addresses` are (host, port)."""

    def __init__(self, service: str, sockets: list[socket.socket]) -> None:
        self.service = service
        self.sockets = sockets
        self.addresses: list[tuple[str, int]] = [bound.getsockname()[:2] for bound in sockets]

    def serve(self, reactor: IReactorSocket, factory: Any, transport: type[Server] = Server) -> list[IListeningPort]:
        """Accept connections from now on. The sockets belong to the reactor afterwards."""
        ports = []
        for bound in self.sockets:
            port: Any = reactor.adoptStreamPort(bound.fileno(), bound.family, factory)
            port.transport = transport
            ports.append(port)
            bound.close()  # the reactor works on a duplicate
        return ports


def bind(port: Port, wanted: tuple[str, ...] | None) -> Bound:
    """The sockets of `port`'s service, listening; raises Wrong when an address cannot be had."""
    if wanted is None:
        return Bound(port.service, _automatic(port))
    sockets: list[socket.socket] = []
    for text in wanted:
        try:
            sockets += _sockets(*parse(text))
        except (OSError, ValueError) as error:
            for bound in sockets:
                bound.close()
            why = error.strerror if isinstance(error, OSError) else str(error)
            raise Wrong([Mistake(f"listen.{port.service}", 0, f'"{text}": {why}')]) from None
    return Bound(port.service, sockets)


def parse(text: str) -> tuple[str, int]:
    """ "host:port" or "[v6]:port" apart; the host is "*" or an address, since a name would need the resolver."""
    host, colon, digits = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]") if host.startswith("[") else host
    if not colon or not digits.isascii() or not digits.isdigit() or int(digits) > 65535:
        raise ValueError('is not "address:port"')
    if host != "*":
        socket.inet_pton(socket.AF_INET6 if ":" in host else socket.AF_INET, host)
    return host, int(digits)


def _automatic(port: Port) -> list[socket.socket]:
    if may_have_low_ports():
        try:
            return _sockets(port.host, port.privileged)
        except OSError as error:
            words = f"port {port.privileged}: {error.strerror}; name another address, or [] for none"
            raise Wrong([Mistake(f"listen.{port.service}", 0, words)]) from None
    try:
        return _sockets(port.host, port.free)
    except OSError:
        return _sockets(port.host, 0)


def may_have_low_ports() -> bool:
    """Root, or given CAP_NET_BIND_SERVICE to keep, as by our unit for systemd."""
    if os.geteuid() == 0:
        return True
    with open("/proc/self/status") as status:
        ambient = next((line.split()[1] for line in status if line.startswith("CapAmb:")), "0")
    return bool(int(ambient, 16) >> _NET_BIND_SERVICE & 1)


def _sockets(host: str, number: int) -> list[socket.socket]:
    if host != "*":
        return [_listen(socket.AF_INET6 if ":" in host else socket.AF_INET, host, number)]
    both = [_listen(socket.AF_INET, "", number)]
    try:
        both.append(_listen(socket.AF_INET6, "::", both[0].getsockname()[1]))
    except OSError as error:
        if error.errno not in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):  # a machine without IPv6
            both[0].close()
            raise
    return both


def _listen(family: socket.AddressFamily, host: str, number: int) -> socket.socket:
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setblocking(False)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bound.bind((host, number))
        bound.listen(BACKLOG)
    except OSError:
        with contextlib.suppress(OSError):
            bound.close()
        raise
    return bound
