"""Which servers to try for a domain: SMTP transport or MX, never ourselves (product rows D1, D3; RFC 5321 section 5).

Facts in, an ordered list out: DNS was asked before, connecting comes after. For a customer's own domain no answer
is final, so nothing here says "give up": an empty choice has a reason, and the flow knows whose mail it is.
"""

import re
from collections.abc import Callable
from enum import Enum
from ipaddress import AddressValueError, IPv4Address, IPv6Address

from msgspec import Struct

from emailgency.model.errors import Invalid

SMTP_PORT = 25
MX_LIMIT = 10  # hosts of one domain that are looked up; RFC 5321 section 5.1 asks for at least two

_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")


class Transport(Struct, frozen=True):
    """An SMTP transport: `host` is an IP address (`literal`), or a full name in lower case without a final dot."""

    host: str
    port: int = SMTP_PORT
    literal: bool = False


class Exchange(Struct, frozen=True):
    """One MX of a domain with the addresses its host has now."""

    preference: int
    host: str
    addresses: tuple[str, ...]


class Destination(Struct, frozen=True):
    """One address to connect to; `host` is the name it was found under."""

    host: str
    ip: str
    port: int = SMTP_PORT

    def __str__(self) -> str:
        return f"{self.host}[{self.ip}]:{self.port}"


class Lack(Enum):
    """Why there is no host to try, in words for people."""

    NULL_MX = "the domain takes no mail (null MX)"
    OURS = "no MX is better than ours"
    NO_ADDRESS = "no MX host has an address"


class Choice(Struct, frozen=True):
    """Hosts in the order to try, or what is lacking."""

    hosts: tuple[Exchange, ...] = ()
    lack: Lack | None = None


def parse_transport(text: str) -> Transport:
    """`host[:port]`, host being an IPv4 address, an [IPv6 address] or a full name. Raises Invalid.

    Only the dotted quad is an IPv4 address: "2130706433", "0x7f.1", "127.1" and "0177.0.0.1" are what a C
    library makes 127.0.0.1 of, and no name either, since the last label of a name is never a number (attack row 15).
    """
    host, port = text.strip().lower(), str(SMTP_PORT)
    if host.startswith("["):
        host, bracket, rest = host[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise Invalid("an IPv6 address is written [address] or [address]:port")
        port = rest[1:] if rest else port
        if not _is_ipv6(host):
            host = _ipv4(host)
    elif host.count(":") == 1:
        host, port = host.split(":")
        host = _host(host)
    else:
        host = _host(host)
    if not re.fullmatch(r"[1-9][0-9]{0,4}", port) or int(port) > 65535:
        raise Invalid("the port is a number from 1 to 65535")
    return Transport(host, int(port), literal=_is_ipv6(host) or host.rpartition(".")[2].isdecimal())


def choose(exchanges: list[Exchange], is_ours: Callable[[Exchange], bool]) -> Choice:
    """The hosts strictly better than ours (RFC 5321 section 5.1), best first; at least one exchange is given."""
    if len(exchanges) == 1 and exchanges[0].host in ("", "."):  # null MX, RFC 7505
        return Choice(lack=Lack.NULL_MX)
    ours = [exchange.preference for exchange in exchanges if is_ours(exchange)]
    better = [e for e in exchanges if not ours or e.preference < min(ours)]
    if not better:
        return Choice(lack=Lack.OURS)
    if not (usable := sorted((e for e in better if e.addresses), key=lambda e: e.preference)):
        return Choice(lack=Lack.NO_ADDRESS)
    return Choice(tuple(usable))


def _host(text: str) -> str:
    if re.fullmatch(r"[0-9.]+", text):
        return _ipv4(text)
    if _is_ipv6(text):
        return text
    name = text.removesuffix(".")
    labels = name.split(".")
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise Invalid("%(text)s is no host name", text=repr(text))
    if len(labels) < 2:
        raise Invalid("give the full name of the host, with its domain")
    if re.fullmatch(r"[0-9]+|0x[0-9a-f]*", labels[-1]):
        raise Invalid("%(text)s is neither an IP address nor a host name", text=repr(text))
    return name


def _ipv4(text: str) -> str:
    try:
        return str(IPv4Address(text))
    except AddressValueError:
        raise Invalid("%(text)s is no IP address", text=repr(text)) from None


def _is_ipv6(text: str) -> bool:
    try:
        IPv6Address(text)
    except AddressValueError:
        return False
    return "%" not in text
