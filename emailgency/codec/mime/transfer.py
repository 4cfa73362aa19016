"""Content-Transfer-Encodings decoded as the octets come (RFC 2045 §6): wherever they are cut, the result is the same.

Nothing here fails: what is no base64 or quoted-printable is passed over or kept, as the RFC advises robust readers.
What a decoder holds back between two pieces is less than `HELD` octets.
"""

import re
from binascii import a2b_base64, a2b_qp
from typing import Protocol

HELD = 1100

_NO_BASE64 = bytes(octet for octet in range(256) if not (chr(octet).isalnum() and octet < 128) and octet not in b"+/")
_BLANKS = 998  # a longer run at the end of a line cannot be an accident of transport: RFC 5322 §2.1.1
_TRAILING = re.compile(rb"(?<![ \t])[ \t]{1,%d}+(?=\r?\n)" % _BLANKS)
_ESCAPE = re.compile(rb"=(?:([0-9A-Fa-f]{2})|\r?\n)")


class Decoder(Protocol):
    """`feed` pieces in their order, then `end`."""

    def feed(self, octets: bytes) -> bytes:
        """What can be told of them so far."""

    def end(self) -> bytes:
        """The rest."""


def decoder(encoding: bytes) -> Decoder | None:
    """For a Content-Transfer-Encoding in any case; None for one we do not know."""
    make = _DECODERS.get(encoding.lower())
    return make() if make else None


class Identity:
    """7bit, 8bit, binary."""

    def feed(self, octets: bytes) -> bytes:
        return octets

    def end(self) -> bytes:
        return b""


class Base64:
    """Octets outside of the alphabet are passed over; `=` is the end of the data (RFC 2045 §6.8)."""

    def __init__(self) -> None:
        self._rest = b""
        self._ended = False

    def feed(self, octets: bytes) -> bytes:
        if self._ended:
            return b""
        end = octets.find(b"=")
        if end >= 0:
            self._ended = True
            octets = octets[:end]
        digits = self._rest + octets.translate(None, _NO_BASE64)
        whole = len(digits) & ~3
        self._rest = digits[whole:]
        return a2b_base64(digits[:whole])

    def end(self) -> bytes:
        digits, self._rest, self._ended = self._rest, b"", True
        return a2b_base64(digits + b"=" * (4 - len(digits))) if len(digits) > 1 else b""  # six bits are no octet


class QuotedPrintable:
    """Soft line ends and blanks at the ends of lines go, `=` that begins nothing stays (RFC 2045 §6.7)."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, octets: bytes) -> bytes:
        octets = self._rest + octets
        cut = _cut(octets)
        self._rest = octets[cut:]
        long = len(self._rest) - HELD  # of blanks that are kept anyway, only so many as show that there are too many
        if long > 0:
            self._rest = self._rest[long:]
            cut += long
        return _quoted_printable(octets[:cut])

    def end(self) -> bytes:
        rest, self._rest = self._rest, b""
        return _quoted_printable(rest.removesuffix(b"="))


def _cut(octets: bytes) -> int:
    """How many octets mean the same whatever follows: up to a possible escape, line end or blanks before one."""
    end = len(octets)
    if octets.endswith(b"\n"):
        return end
    if octets.endswith(b"\r"):
        end -= 1
    text = len(octets[max(0, end - HELD - 4) : end].rstrip(b" \t")) + max(0, end - HELD - 4)
    escape = octets.rfind(b"=", max(0, text - 2), text)
    return text if escape < 0 else escape


def _quoted_printable(octets: bytes) -> bytes:
    octets = _TRAILING.sub(b"", octets)
    # What a2b_qp does of its own: "==" is one, "=" at the end none, and behind "=" and a bare CR all goes up to LF.
    odd = b"==" in octets or octets.endswith(b"=") or octets.count(b"=\r") != octets.count(b"=\r\n")
    if not odd:
        return a2b_qp(octets)
    return _ESCAPE.sub(lambda match: bytes.fromhex((match.group(1) or b"").decode("ascii")), octets)


_DECODERS: dict[bytes, type[Identity] | type[Base64] | type[QuotedPrintable]] = {
    b"": Identity,
    b"7bit": Identity,
    b"8bit": Identity,
    b"binary": Identity,
    b"base64": Base64,
    b"quoted-printable": QuotedPrintable,
}
