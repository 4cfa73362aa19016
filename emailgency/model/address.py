"""An address after canonicalisation; `emailgency.codec.address` is the only maker of one."""

from msgspec import Struct


class Address(Struct, frozen=True, order=True):
    """Canonical form: domain as lower-case A-labels, local part unquoted, ASCII letters folded to lower case.

    Two addresses are the same mailbox name exactly when they are equal. The spelling a peer used travels
    beside it (`envelope.Recipient.as_given`), since the customer's server is owed the address as addressed.
    """

    local: str
    domain: str

    def __str__(self) -> str:
        return f"{self.local}@{self.domain}"
