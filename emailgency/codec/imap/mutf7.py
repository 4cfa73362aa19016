"""Modified UTF-7, the spelling of mailbox names (RFC 3501 §5.1.3)."""

import re
from binascii import Error, a2b_base64, b2a_base64

_SHIFTED = re.compile(r"&([A-Za-z0-9+,]*)-")
_TO_SHIFT = re.compile(r"&|[^\x20-\x7e]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def encode(name: str) -> bytes:
    """`Entwürfe` -> b"Entw&APw-rfe". Total, except for lone surrogates: UnicodeEncodeError."""
    return _TO_SHIFT.sub(_shift, name).encode("ascii")


def decode(name: bytes) -> str:
    """The reverse. ValueError when `name` is not what `encode` would give: each mailbox has one spelling only.

    Control characters are refused in either spelling.
    """
    text = name.decode("ascii")
    if b"&" in name:
        text = _SHIFTED.sub(_unshift, text)
        # RFC 3501: no shifted printable ASCII, no superfluous shift, zero padding bits; comparing finds them all.
        if encode(text) != name:
            raise ValueError("not canonical modified UTF-7")
    if _CONTROL.search(text):
        raise ValueError("control character in a mailbox name")
    return text


def _shift(match: re.Match[str]) -> str:
    if match.group() == "&":
        return "&-"
    digits = b2a_base64(match.group().encode("utf-16-be"), newline=False)
    return "&" + digits.rstrip(b"=").replace(b"/", b",").decode("ascii") + "-"


def _unshift(match: re.Match[str]) -> str:
    digits = match.group(1)
    if not digits:
        return "&"
    try:
        octets = a2b_base64(digits.replace(",", "/") + "=" * (-len(digits) % 4))
    except Error as error:
        raise ValueError("bad base64 in a mailbox name") from error
    return octets.decode("utf-16-be")
