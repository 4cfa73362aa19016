"""The answer of a rule to a peer: an SMTP reply as data (RFC 5321 section 4.2, RFC 3463)."""

from msgspec import Struct


class Verdict(Struct, frozen=True):
    """A reply triple, e.g. ``Verdict(550, "5.7.1", "relaying denied")``; text is ASCII without CTLs."""

    code: int
    enhanced: str
    text: str

    @property
    def accepts(self) -> bool:
        return self.code < 400

    @property
    def temporary(self) -> bool:
        return 400 <= self.code < 500
