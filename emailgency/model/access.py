"""What a mail program must know to reach a mailbox. The one source for autoconfig, assistants and hints in panels."""

from enum import Enum

from msgspec import Struct


class Security(Enum):
    """How a connection gets its TLS; without it nobody logs in."""

    TLS = "tls"  # from the first octet
    STARTTLS = "starttls"


class Door(Struct, frozen=True):
    """One way in. The user name is always the address of the mailbox, the password goes in clear under TLS."""

    protocol: str  # "imap", "pop3", "smtp"
    host: str
    port: int
    security: Security


class Access(Struct, frozen=True):
    """For the users of one domain: doors to read by and to send by, the best first."""

    domain: str
    incoming: tuple[Door, ...]
    outgoing: tuple[Door, ...]
