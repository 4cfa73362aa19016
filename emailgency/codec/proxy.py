"""The PROXY protocol, versions 1 and 2, as a receiver (haproxy.org, proxy-protocol.txt, sections 2.1 and 2.2).

`parse` takes what has come so far: None means more is needed, Malformed that the connection is to be closed.
Only a listener that trusts the peer's address looks at this at all (attack row 38).
"""

from ipaddress import IPv4Address, IPv6Address

from msgspec import Struct

_SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
_V1_LONGEST = 107  # octets with CRLF, section 2.1
_V2_LONGEST = 16 + 2048  # addresses take 216 at most, the rest is TLVs


class Malformed(Exception):
    """No PROXY header."""


class Header(Struct, frozen=True):
    """`source`: the client's IP address, None when the proxy speaks for itself. `length` in octets."""

    source: str | None
    length: int


def parse(octets: bytes) -> Header | None:
    """
    >>> parse(b"PROXY TCP4 192.0.2.7 192.0.2.1 4711 25\\r\\nEHLO x").source
    '192.0.2.7'
    """
    if octets.startswith(_SIGNATURE[: len(octets)]):
        return _version_2(octets)
    if octets.startswith(b"PROXY "[: len(octets)]):
        return _version_1(octets)
    raise Malformed


def _version_1(octets: bytes) -> Header | None:
    end = octets.find(b"\r\n", 0, _V1_LONGEST)
    if end < 0:
        if len(octets) >= _V1_LONGEST:
            raise Malformed
        return None
    words = octets[:end].decode("latin-1").split(" ")
    if words[1:2] == ["UNKNOWN"]:
        return Header(None, end + 2)
    if len(words) != 6 or words[1] not in ("TCP4", "TCP6"):
        raise Malformed
    kind = IPv4Address if words[1] == "TCP4" else IPv6Address
    try:
        source, _ = str(kind(words[2])), kind(words[3])
    except ValueError:
        raise Malformed from None
    if not all(port.isascii() and port.isdigit() and len(port) <= 5 and int(port) < 65536 for port in words[4:]):
        raise Malformed
    return Header(source, end + 2)


def _version_2(octets: bytes) -> Header | None:
    if len(octets) < 16:
        return None
    version_command, family = octets[12], octets[13]
    length = 16 + int.from_bytes(octets[14:16], "big")
    if version_command not in (0x20, 0x21) or length > _V2_LONGEST:
        raise Malformed
    if len(octets) < length:
        return None
    if version_command == 0x20 or family == 0:  # LOCAL, or a family not told
        return Header(None, length)
    if family == 0x11 and length >= 28:  # TCP over IPv4
        return Header(str(IPv4Address(octets[16:20])), length)
    if family == 0x21 and length >= 52:  # TCP over IPv6
        return Header(str(IPv6Address(octets[16:32])), length)
    raise Malformed
