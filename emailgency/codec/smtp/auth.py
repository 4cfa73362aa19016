"""AUTH as SMTP has it: the dialogues of `codec.sasl` with its replies (RFC 4954)."""

from binascii import b2a_base64

from emailgency.codec import sasl
from emailgency.codec.sasl import MECHANISMS, Credentials
from emailgency.codec.smtp.reply import ProtocolError

__all__ = ["MECHANISMS", "Credentials", "Dialogue"]


class Dialogue:
    """Fed with the lines of a client one by one: `challenge` to send, or `credentials` when all is said."""

    def __init__(self, mechanism: str) -> None:
        if mechanism not in MECHANISMS:
            raise ProtocolError(504, "5.5.4", "mechanism not supported")
        self._dialogue = sasl.Dialogue(mechanism)

    @property
    def challenge(self) -> bytes:
        return b"334 " + b2a_base64(self._dialogue.challenge, newline=False) + b"\r\n"

    @property
    def credentials(self) -> Credentials | None:
        return self._dialogue.credentials

    def feed(self, line: bytes) -> None:
        """One response. Raises ProtocolError for "*" (cancelled, RFC 4954 section 4) and what cannot be read."""
        try:
            self._dialogue.feed(line)
        except sasl.Cancelled:
            raise ProtocolError(501, "5.7.0", "authentication cancelled") from None
        except sasl.Malformed as error:
            raise ProtocolError(501, "5.5.2", str(error)) from None
