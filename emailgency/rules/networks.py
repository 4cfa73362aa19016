"""The network an address counts as: /24 for IPv4, /64 for IPv6, since nobody gets less of those to himself."""

from functools import lru_cache
from ipaddress import IPv6Address, IPv6Network, ip_address


@lru_cache(maxsize=4096)
def network(ip: str) -> str:
    """'192.0.2.7' -> '192.0.2.0/24'; an IPv4 address mapped into IPv6 counts as what it is."""
    address = ip_address(ip.partition("%")[0])
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is None:
            return str(IPv6Network((address, 64), strict=False))
        address = address.ipv4_mapped
    return str(address).rpartition(".")[0] + ".0/24"


@lru_cache(maxsize=4096)
def is_loopback(ip: str) -> bool:
    """Whether it is this machine, in whatever form; a zone (`%eth0`) does not count."""
    address = ip_address(ip.partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback
