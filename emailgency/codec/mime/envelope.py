"""ENVELOPE (RFC 3501 §7.4.2) serialised from a header, once; answering FETCH is then copying bytes."""

from emailgency.codec.imap.strings import nstring, string
from emailgency.codec.mime import addresses, headers
from emailgency.codec.mime.addresses import Mailbox
from emailgency.codec.mime.headers import Octets

FIELDS = (b"date", b"subject", b"from", b"sender", b"reply-to", b"to", b"cc", b"bcc", b"in-reply-to", b"message-id")
_PATTERN = headers.wanted(FIELDS)


def read(header: Octets) -> bytes:
    """The ENVELOPE of a message, of which the header is enough."""
    end = headers.header_end(header, 0, len(header))
    return serialise(headers.read(header, 0, end, _PATTERN))


def serialise(fields: dict[bytes, list[bytes]]) -> bytes:
    """The same of fields that `headers.read` has found."""
    sender = _addresses(fields, b"from")
    return b"(%b %b %b %b %b %b %b %b %b %b)" % (
        _text(fields, b"date"),
        _text(fields, b"subject"),
        sender,
        # Absent or empty: the same as From (RFC 3501 §7.4.2).
        _addresses(fields, b"sender", sender),
        _addresses(fields, b"reply-to", sender),
        _addresses(fields, b"to"),
        _addresses(fields, b"cc"),
        _addresses(fields, b"bcc"),
        _text(fields, b"in-reply-to"),
        _text(fields, b"message-id"),
    )


def _text(fields: dict[bytes, list[bytes]], name: bytes) -> bytes:
    values = fields.get(name)
    return string(headers.unfold(values[-1])) if values else b"NIL"  # of several the last, as Dovecot


def _addresses(fields: dict[bytes, list[bytes]], name: bytes, otherwise: bytes = b"NIL") -> bytes:
    values = fields.get(name)
    if not values:
        return otherwise
    found = [mailbox for value in values for mailbox in addresses.parse(headers.unfold(value))]
    return b"(" + b"".join([_address(mailbox) for mailbox in found]) + b")" if found else otherwise


def _address(mailbox: Mailbox) -> bytes:
    return b"(%b %b %b %b)" % (
        nstring(mailbox.name),
        nstring(mailbox.route),
        nstring(mailbox.local),
        nstring(mailbox.domain),
    )
