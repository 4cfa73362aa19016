"""Senders of forwarded mail as addresses of ours, and back (Sender Rewriting Scheme; product row A1, attack row 43).

    paul@origin.example -> SRS0=<mark>=<day>=origin.example=paul@<our domain>

A forward with its own sender fails SPF at the next server, which knows our address only; the rewritten one passes.
What comes back to it is for the sender, and the mark tells that it was we who wrote it, so that nobody can send
mail through us to whom he likes. A sender that another forwarder has rewritten stays one step long, however many
servers forward: SRS1 names the first of them and keeps his text as it is.
"""

import hmac
import re
from base64 import b32encode
from hashlib import sha256

DAY = 86_400.0
LIFETIME = 30  # days in which something may come back: outbound mail is tried for 5, other servers are patient too
_MARK = 8  # characters of base32: 40 bits, and an attempt costs a RCPT
_DIGITS = "abcdefghijklmnopqrstuvwxyz234567"
_ROUND = len(_DIGITS) ** 2  # days until two letters begin again

# Letters may have been folded on the way (RFC 5321 section 2.4 forbids it, some do it all the same)
_FIRST = re.compile(r"srs0=([a-z2-7]{8})=([a-z2-7]{2})=([^=@]+)=(.+)", re.IGNORECASE | re.DOTALL)
_AGAIN = re.compile(r"srs1=([a-z2-7]{8})=([^=@]+)=([=+-].+)", re.IGNORECASE | re.DOTALL)
_FOREIGN_FIRST = re.compile(r"srs0([=+-].+)", re.IGNORECASE | re.DOTALL)
_FOREIGN_AGAIN = re.compile(r"srs1[=+-][^=]+=([^=@]+)=([=+-].+)", re.IGNORECASE | re.DOTALL)
_HOST = re.compile(r"[a-z0-9_.-]+", re.IGNORECASE)


class Srs:
    """`key` is a secret of this installation: with another one, nothing that was sent before finds its way back."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def rewritten(self, sender: str, domain: str, at: float) -> str:
        """The reverse-path to forward with, at `domain`; equal for equal days of `at` (seconds since the epoch).

        A sender at an address literal stays as it is: no SPF record speaks for it.
        """
        local, _, origin = sender.rpartition("@")
        quote, local = ('"', local[1:-1]) if local.startswith('"') else ("", local)
        if not local or not _HOST.fullmatch(origin):
            return sender
        if again := _FOREIGN_AGAIN.fullmatch(local):
            text = self._again(again[1], again[2])
        elif first := _FOREIGN_FIRST.fullmatch(local):
            text = self._again(origin, first[1])
        else:
            day = _day(at)
            text = f"SRS0={self._mark(day, origin, local)}={day}={origin}={local}"
        return f"{quote}{text}{quote}@{domain}"

    def original(self, address: str, now: float) -> str | None:
        """Whom something that comes back to `address` is for; None: it is not an address of our writing, or too old."""
        local = address.rpartition("@")[0]
        quote, local = ('"', local[1:-1]) if local.startswith('"') else ("", local)
        if first := _FIRST.fullmatch(local):
            mark, day, origin, person = first.groups()
            if self._is(mark, day.lower(), origin, person) and _age(day.lower(), now) <= LIFETIME:
                return f"{quote}{person}{quote}@{origin}"
        elif again := _AGAIN.fullmatch(local):
            mark, forwarder, rest = again.groups()
            if self._is(mark, forwarder, rest):
                return f"{quote}SRS0{rest}{quote}@{forwarder}"
        return None

    def _again(self, forwarder: str, rest: str) -> str:
        """`rest` begins with the first forwarder's own separator, one of = + -."""
        return f"SRS1={self._mark(forwarder, rest)}={forwarder}={rest}"

    def _mark(self, *parts: str) -> str:
        text = "\0".join(parts).lower().encode("utf-8", "surrogateescape")
        return b32encode(hmac.digest(self._key, text, sha256)).decode("ascii").lower()[:_MARK]

    def _is(self, mark: str, *parts: str) -> bool:
        return hmac.compare_digest(mark.lower(), self._mark(*parts))


def is_rewritten(address: str) -> bool:
    """Whether an address looks like one of these; only `Srs.original` knows."""
    return address.lstrip('"')[:5].lower() in ("srs0=", "srs1=")


def _day(at: float) -> str:
    day = int(at // DAY) % _ROUND
    return _DIGITS[day // 32] + _DIGITS[day % 32]


def _age(day: str, now: float) -> int:
    """Days since `day`; one in the future is 1,023 days old."""
    return (int(now // DAY) - _DIGITS.index(day[0]) * 32 - _DIGITS.index(day[1])) % _ROUND
