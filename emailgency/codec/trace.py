"""Trace fields: made for a message that comes in (RFC 5321 section 4.4), counted in one that has travelled.

Whatever a client called itself, what is written here is printable ASCII in lines of our own making (attack row 17).
"""

import re
from email.utils import formatdate
from functools import lru_cache

from msgspec import Struct

_NAME = re.compile(r"(?:[A-Za-z0-9._-]{1,255}|\[[A-Za-z0-9.:]{1,80}\])\Z")
_UNSAFE = re.compile(r"[^A-Za-z0-9._:-]")
_RECEIVED = re.compile(rb"\r\nreceived[ \t]*:", re.IGNORECASE)
_HEADLINE = re.compile(rb"\r\n(?=[SM])(subject|message-id)[ \t]*+:([^\r\n]*+(?:\r\n[ \t][^\r\n]*+)*+)", re.IGNORECASE)
_FOLD = re.compile(r"[\r\n\t ]+")
_SUBJECT = 1000  # characters; encoded words are decoded later
_MESSAGE_ID = 250


class Stamp(Struct, frozen=True, kw_only=True):
    """What one Received field tells."""

    helo: str
    ip: str
    host_name: str
    protocol: str
    id: str
    at: float
    tls: str | None = None
    recipient: str | None = None  # wire form; only when it is the only one, or it would betray a Bcc


def protocol(*, extended: bool, smtputf8: bool, tls: bool, authenticated: bool) -> str:
    """The word behind "with": RFC 3848, and RFC 6531 section 4.3 for the UTF8 ones."""
    if not extended:
        return "SMTP"
    return f"{'UTF8SMTP' if smtputf8 else 'ESMTP'}{'S' if tls else ''}{'A' if authenticated else ''}"


def return_path(sender: str) -> bytes:
    """`sender` is wire form, "" for the null reverse-path."""
    return f"Return-Path: <{sender}>\r\n".encode()


def received(stamp: Stamp) -> bytes:
    """One Received field, folded, with CRLF."""
    literal = f"[IPv6:{stamp.ip}]" if ":" in stamp.ip else f"[{stamp.ip}]"
    helo = stamp.helo if _NAME.match(stamp.helo) else _UNSAFE.sub("?", stamp.helo[:255])
    if "?" in helo:
        helo = f"unknown ({helo})"
    cipher = f"\r\n\t({_UNSAFE.sub(' ', stamp.tls)})" if stamp.tls else ""
    recipient = f"\r\n\tfor <{stamp.recipient}>" if stamp.recipient else ""
    return (
        f"Received: from {helo} ({literal})\r\n\tby {stamp.host_name} with {stamp.protocol} id {stamp.id}"
        f"{cipher}{recipient};\r\n\t{date(int(stamp.at))}\r\n"
    ).encode()


@lru_cache(maxsize=8)
def date(at: int) -> str:
    """RFC 5322 section 3.3 date-time of a second since the epoch, in UTC."""
    return formatdate(at).replace("-0000", "+0000")


class HeaderScan:
    """The header of a message that comes in pieces, up to `limit` octets of it; linear however it is cut."""

    def __init__(self, limit: int = 262_144) -> None:
        self.complete = False
        self.cut = False  # there was more header than the limit
        self._limit = limit
        self._octets = bytearray(b"\r\n")  # so that an empty header ends like any other

    @property
    def octets(self) -> bytes:
        """The fields with their CRLFs, without the empty line."""
        return bytes(self._octets[2:])

    def feed(self, octets: bytes) -> None:
        if self.complete:
            return
        start = max(0, len(self._octets) - 3)
        self._octets += octets[: self._limit + 2 - len(self._octets)]
        end = self._octets.find(b"\r\n\r\n", start)
        if end >= 0:
            del self._octets[end + 2 :]
            self.complete = True
        elif len(self._octets) >= self._limit + 2:
            self.complete = self.cut = True

    def headline(self) -> tuple[str, str]:
        """Subject, on one line and as it stands, and Message-ID without its brackets; "" where there is none."""
        found: dict[bytes, bytes] = {}
        for match in _HEADLINE.finditer(self._octets):
            found.setdefault(match[1].lower(), match[2])
            if len(found) == 2:
                break
        subject = _FOLD.sub(" ", found.get(b"subject", b"")[: 4 * _SUBJECT].decode("utf-8", "replace")).strip()
        id = found.get(b"message-id", b"")[: 4 * _MESSAGE_ID].decode("utf-8", "replace").strip()
        return subject[:_SUBJECT], id.removeprefix("<").removesuffix(">")[:_MESSAGE_ID]

    def received(self) -> int:
        """How many Received fields (RFC 5321 section 6.3)."""
        return len(_RECEIVED.findall(self._octets))
