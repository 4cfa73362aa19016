"""An address after canonicalisation; `emailgency.codec.address` is the only maker of one."""

import re

from msgspec import Struct

# Told by what is not in it: a class that names all of Unicode would take 26 ms to compile at each start.
UTF8_ATOM = r'[^\x00-\x20\x7f"(),.:;<>@\[\\\]]+'
DOT_STRING = re.compile(rf"{UTF8_ATOM}(?:\.{UTF8_ATOM})*")
_NEEDS_BACKSLASH = re.compile(r'(["\\])')


class Address(Struct, frozen=True, order=True):
    """Canonical form: domain as lower-case A-labels, local part unquoted, ASCII letters folded to lower case.

    Two addresses are the same mailbox name exactly when they are equal. The spelling a peer used travels
    beside it (`envelope.Recipient.as_given`), since the customer's server is owed the address as addressed.
    """

    local: str
    domain: str

    def __str__(self) -> str:
        """As RFC 5321 and people write it, so that it can be read again wherever it was shown, kept or ticked."""
        return f"{quoted(self.local)}@{self.domain}"


def quoted(local: str) -> str:
    """A local part that is no Dot-string stands in quotes (RFC 5321 section 4.1.2)."""
    if DOT_STRING.fullmatch(local):
        return local
    escaped = _NEEDS_BACKSLASH.sub(r"\\\1", local)
    return f'"{escaped}"'
