"""Codes of a phone that are good for half a minute: HOTP (RFC 4226) by the clock (RFC 6238).

SHA-1, six digits and thirty seconds are what every such program knows, many of them nothing else. HMAC-SHA-1 is not
touched by collisions of SHA-1 (RFC 6238 section 1.2).
"""

import hmac
from base64 import b32encode
from urllib.parse import quote, urlencode

SECRET = 20  # octets (RFC 4226 section 4, R6)
DIGITS = 6
STEP = 30  # seconds
WINDOW = 1  # steps a clock may be slow or fast (RFC 6238 section 5.2)


def hotp(secret: bytes, counter: int, digits: int = DIGITS, algorithm: str = "sha1") -> str:
    """RFC 4226 section 5.3."""
    tag = hmac.digest(secret, counter.to_bytes(8, "big"), algorithm)
    offset = tag[-1] & 15
    number = int.from_bytes(tag[offset : offset + 4], "big") & 0x7FFF_FFFF
    return f"{number % 10**digits:0{digits}}"


def step_at(now: float) -> int:
    """`now` in seconds since the epoch."""
    return int(now // STEP)


def step_of(secret: bytes, code: str, now: float) -> int | None:
    """The step this is the code of, the latest if of several; None: of none that counts now."""
    given, found = code.encode("utf-8", "surrogatepass"), None
    for step in range(step_at(now) - WINDOW, step_at(now) + WINDOW + 1):
        if hmac.compare_digest(hotp(secret, step).encode(), given):
            found = step
    return found


def spelled(secret: bytes) -> str:
    """For who types it: base32 in groups of four."""
    text = b32encode(secret).decode().rstrip("=")
    return " ".join(text[place : place + 4] for place in range(0, len(text), 4))


def uri(secret: bytes, service: str, account: str) -> str:
    """What the picture says; phones know this form."""
    fields = {"secret": b32encode(secret).decode().rstrip("="), "issuer": service, "digits": DIGITS, "period": STEP}
    return f"otpauth://totp/{quote(service)}:{quote(account, safe='@')}?{urlencode(fields, quote_via=quote)}"
