"""What is known of one accepted message beside its octets, and the plan of where it must go.

The envelope and the outcomes of its targets are records of the spool journal (docs/architecture.md,
"Spool records"); the octets are `spool/<hour>/<id>.msg`.
"""

from msgspec import Struct

VERSION = 1


class Recipient(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One RCPT. `as_given` is the address in RFC 5321 wire form without angle brackets."""

    as_given: str
    notify: tuple[str, ...] = ()  # RFC 3461 section 4.1, upper case; empty: not given
    original: str | None = None  # ORCPT, xtext decoded, "rfc822;..."


class Client(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who brought the message in."""

    ip: str
    helo: str = ""
    tls: str | None = None  # protocol and cipher, None: in clear
    mailbox: str | None = None  # id of the authenticated mailbox, None: port 25


class Deliver(Struct, frozen=True, kw_only=True, tag="deliver"):
    """Into the INBOX of one of our mailboxes."""

    customer: str
    mailbox: str
    recipient: int  # index in Envelope.recipients


class Catchall(Struct, frozen=True, kw_only=True, tag="catchall"):
    """Into the small Maildir of an unknown address (row A4); `address` is canonical."""

    customer: str
    address: str
    recipient: int


class Undelivered(Struct, frozen=True, kw_only=True, tag="undelivered"):
    """Into the customer's Undelivered folder (row A7)."""

    customer: str
    recipient: int


class Relay(Struct, frozen=True, kw_only=True, tag="relay"):
    """To the customer's own server; `address` is the wire form to use there (row A9 rewrites the domain).

    `via` is `host[:port]` of another server, to which somebody has led it.
    """

    customer: str
    address: str
    recipient: int
    via: str = ""


class Outbound(Struct, frozen=True, kw_only=True, tag="outbound"):
    """To somebody else's server: submitted mail, a user's forward, our own bounces and notices."""

    customer: str
    address: str
    recipient: int
    origin: str  # "submit", "forward", "bounce", "notice", "return" (what came back to a forward)


Target = Deliver | Catchall | Undelivered | Relay | Outbound


class Envelope(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Shape of the first record of a message. `sender` is wire form, "" for the null reverse-path."""

    id: str
    customer: str
    sender: str
    received_at: float  # seconds since the epoch
    size: int  # octets of the .msg file
    return_path: int  # octets of its Return-Path field, which relay and forward skip
    recipients: tuple[Recipient, ...]
    plan: tuple[Target, ...]
    client: Client
    version: int = VERSION
    checksum: int = 0  # crc32 of the .msg file
    body: str = "7bit"  # "7bit", "8bitmime", "binary" (RFC 6152, RFC 3030)
    smtputf8: bool = False
    ret: str | None = None  # RFC 3461: "FULL" or "HDRS"
    envid: str | None = None
    fingerprint: str | None = None  # RFC 1047: recognises a repetition of this transaction
    require_tls: bool = False  # RFC 8689: it goes on under proven TLS, or comes back
    genuine: bool = False  # SPF or a signature of his own domain says that the sender is who he says (row C6)
    subject: str = ""  # the field as it stood, on one line; encoded words are not decoded
    message_id: str = ""  # without angle brackets
    checks: tuple[str, ...] = ()  # "spf=pass" and the like, as RFC 8601 names them
    about: str = ""  # id of the message this one tells of, or is a copy of

    @property
    def from_within(self) -> bool:
        """A user of ours has submitted it, or we have written it."""
        return self.client.mailbox is not None or (self.client.ip == "127.0.0.1" and not self.client.helo)


class Outcome(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a target ended or an attempt went. `reply` is the remote's own words, one line, printable."""

    word: str  # "delivered", "relayed", "deferred", "bounced", "dropped", "expired"
    code: int = 0
    enhanced: str = ""
    reply: str = ""
    remote: str = ""  # "host[ip]:port"
    by: str = ""  # who had it in hand
