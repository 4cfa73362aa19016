"""The dialogues of SASL PLAIN (RFC 4616) and LOGIN, server side, as all protocols have them (RFC 4422)."""

import binascii

from msgspec import Struct

MECHANISMS = ("PLAIN", "LOGIN")


class Cancelled(Exception):
    """The client has answered "*" (RFC 4954 section 4, RFC 5034 section 4)."""


class Malformed(Exception):
    """What came is no response of this mechanism; the text says why."""


class Credentials(Struct, frozen=True):
    """What the client claims; never logged."""

    name: str
    password: str


class Dialogue:
    """Fed with the lines of a client one by one: `challenge` to send in base64, or `credentials` when all is said."""

    def __init__(self, mechanism: str) -> None:
        """`mechanism` is one of MECHANISMS."""
        self.challenge = b"Username:" if mechanism == "LOGIN" else b""
        self.credentials: Credentials | None = None
        self._mechanism = mechanism
        self._name: str | None = None

    def feed(self, line: bytes) -> None:
        """One response, "=" for an empty initial one. Raises Cancelled and Malformed."""
        if line == b"*":
            raise Cancelled
        text = _decode(line)
        if self._mechanism == "PLAIN":
            authorise, name, password = [*text.split("\0"), "", ""][:3] if text.count("\0") == 2 else ("", "", "")
            if not name or authorise not in ("", name):
                raise Malformed("credentials not understood")
            self.credentials = Credentials(name, password)
        elif self._name is None:
            self._name = text
            self.challenge = b"Password:"
        else:
            self.credentials = Credentials(self._name, text)


def _decode(line: bytes) -> str:
    try:
        return "" if line == b"=" else binascii.a2b_base64(line, strict_mode=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        raise Malformed("not base64 of UTF-8") from None
