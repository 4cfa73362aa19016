"""The one gate for connections we make on somebody's word (attack row 15).

A customer's transport, an MX or a forward can name any address; without this gate it would be a way to speak
to our Redis, to the cloud's metadata service or to the neighbours in our rack. The check takes the address that is
about to be connected to, after resolving, at each attempt: a name that changes its mind gains nothing.
"""

import socket
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Annotated

from msgspec import Meta, Struct

# Prefixes of IPv6 that carry an IPv4 address, and the bit where it starts
_CARRIERS = (
    (IPv6Network("::ffff:0:0/96"), 0),  # RFC 4291 section 2.5.5.2, mapped
    (IPv6Network("::ffff:0:0:0/96"), 0),  # RFC 2765, translated
    (IPv6Network("::/96"), 0),  # RFC 4291 section 2.5.5.1, compatible
    (IPv6Network("64:ff9b::/96"), 0),  # RFC 6052, NAT64
    (IPv6Network("2002::/16"), 80),  # RFC 3056, 6to4
)
# Beyond what the ipaddress module calls not global
_FORBIDDEN = tuple(
    ip_network(network)
    for network in (
        "0.0.0.0/8",
        "100.64.0.0/10",  # RFC 6598, carrier-grade NAT
        "192.88.99.0/24",  # RFC 7526, 6to4 relays
        "64:ff9b:1::/48",  # RFC 8215, local NAT64
        "2001::/32",  # Teredo
        "fec0::/10",  # site-local, RFC 3879
    )
)


class EgressSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the operator opens beyond the public internet."""

    networks: Annotated[
        tuple[str, ...],
        Meta(description="Networks we may connect to although they are loopback, private or otherwise not public"),
    ] = ()
    ports: Annotated[tuple[int, ...], Meta(description="Ports we may connect to")] = (25, 465, 587, 2525)

    def __post_init__(self) -> None:
        for network in self.networks:
            try:
                ip_network(network)
            except ValueError as error:
                raise ValueError(f"networks: {error}") from None


class Egress:
    """`listening` gives the (address, port) pairs we listen on; those are refused whatever the settings say."""

    def __init__(self, settings: EgressSettings, listening: Callable[[], Iterable[tuple[str, int]]]) -> None:
        self._listening = listening
        self.adopt(settings)

    def adopt(self, settings: EgressSettings) -> None:
        """These settings from now on."""
        self._networks = tuple(ip_network(network) for network in settings.networks)
        self._ports = frozenset(settings.ports)

    def check(self, ip: str, port: int) -> str | None:
        """None when a connection to this very address may be made, else the reason why not."""
        if port not in self._ports:
            return f"port {port} is not allowed"
        return self.check_address(ip, port)

    def check_address(self, ip: str, port: int) -> str | None:
        """The same for a port of our own choice, which nobody can give us."""
        try:
            address = ip_address(ip)
        except ValueError:
            return f"{ip!r} is no IP address"
        inner = _carried(address)
        if self._ourselves(inner, port):
            return f"{ip} port {port} is ourselves"
        if any(network.version == a.version and a in network for network in self._networks for a in (inner, address)):
            return None
        if any(not _public(a) for a in {inner, address}):
            return f"{ip} is not a public address"
        return None

    def is_ours(self, ip: str) -> bool:
        """True when the address is one of this machine's, other than loopback."""
        try:
            address = _carried(ip_address(ip))
        except ValueError:
            return False
        return not address.is_loopback and _local(address)

    def _ourselves(self, address: IPv4Address | IPv6Address, port: int) -> bool:
        for host, listened in self._listening():
            if listened == port:
                listener = ip_address(host or "::")
                if listener == address or (listener.is_unspecified and _local(address)):
                    return True
        return False


def _carried(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that packets to this IPv6 address end up at, or the address itself."""
    if isinstance(address, IPv6Address) and int(address) > 1:
        for network, low in _CARRIERS:
            if address in network:
                return IPv4Address((int(address) >> low) & 0xFFFFFFFF)
    return address


def _public(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv6Address) and _carried(address) != address:
        return _public(_carried(address)) and address in IPv6Network("64:ff9b::/96")
    forbidden = any(network.version == address.version and address in network for network in _FORBIDDEN)
    return address.is_global and not address.is_multicast and not forbidden


def _local(address: IPv4Address | IPv6Address) -> bool:
    """Only an address of this machine can be bound."""
    if address.is_unspecified or address.is_loopback:
        return True
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((str(address), 0))
    except OSError:
        return False
    return True
