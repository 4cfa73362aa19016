"""The dialogues of AUTH PLAIN (RFC 4616) and AUTH LOGIN, server side (RFC 4954)."""

import binascii

from msgspec import Struct

from emailgency.codec.smtp.reply import ProtocolError

MECHANISMS = ("PLAIN", "LOGIN")


class Credentials(Struct, frozen=True):
    """What the client claims; never logged."""

    name: str
    password: str


class Dialogue:
    """Fed with the lines of a client one by one: `challenge` to send, or `credentials` when all is said."""

    def __init__(self, mechanism: str) -> None:
        if mechanism not in MECHANISMS:
            raise ProtocolError(504, "5.5.4", "mechanism not supported")
        self.challenge = b"334 \r\n"
        if mechanism == "LOGIN":
            self.challenge = b"334 VXNlcm5hbWU6\r\n"  # "Username:"
        self.credentials: Credentials | None = None
        self._mechanism = mechanism
        self._name: str | None = None

    def feed(self, line: bytes) -> None:
        """One response. Raises ProtocolError for "*" (cancelled, RFC 4954 section 4) and what cannot be read."""
        if line == b"*":
            raise ProtocolError(501, "5.7.0", "authentication cancelled")
        text = _decode(line)
        if self._mechanism == "PLAIN":
            authorise, name, password = [*text.split("\0"), "", ""][:3] if text.count("\0") == 2 else ("", "", "")
            if not name or authorise not in ("", name):
                raise ProtocolError(501, "5.5.2", "credentials not understood")
            self.credentials = Credentials(name, password)
        elif self._name is None:
            self._name = text
            self.challenge = b"334 UGFzc3dvcmQ6\r\n"  # "Password:"
        else:
            self.credentials = Credentials(self._name, text)


def _decode(line: bytes) -> str:
    try:
        # "=" is an empty initial response (RFC 4954 section 4)
        return "" if line == b"=" else binascii.a2b_base64(line, strict_mode=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        raise ProtocolError(501, "5.5.2", "not base64 of UTF-8") from None
