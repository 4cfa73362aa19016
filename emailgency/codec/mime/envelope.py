"""ENVELOPE (RFC 3501 §7.4.2) serialised from a header, once; answering FETCH is then copying bytes."""

from functools import lru_cache

from emailgency.codec.imap.strings import nstring, string
from emailgency.codec.mime import addresses, headers
from emailgency.codec.mime.addresses import Mailbox
from emailgency.codec.mime.headers import Octets

FIELDS = (b"date", b"subject", b"from", b"sender", b"reply-to", b"to", b"cc", b"bcc", b"in-reply-to", b"message-id")
ADDRESSES = 5000  # of one message, the messages inside it included, that are read
_PATTERN = headers.wanted(FIELDS)
_REMEMBERED = 256  # octets of a field with addresses that is remembered


def read(header: Octets) -> bytes:
    """The ENVELOPE of a message, of which the header is enough."""
    end = headers.header_end(header, 0, len(header))
    return Writer().envelope(headers.read(header, 0, end, _PATTERN))


class Writer:
    """Serialises the envelopes of one message and those inside it, which share the bound on addresses."""

    def __init__(self) -> None:
        self._addresses_left = ADDRESSES

    def envelope(self, fields: dict[bytes, list[bytes]]) -> bytes:
        """The ENVELOPE of the fields that `headers.read` has found."""
        sender = self._addresses(fields, b"from")
        return b"(%b %b %b %b %b %b %b %b %b %b)" % (
            _text(fields, b"date"),
            _text(fields, b"subject"),
            sender,
            # Absent or empty: the same as From (RFC 3501 §7.4.2).
            self._addresses(fields, b"sender", sender),
            self._addresses(fields, b"reply-to", sender),
            self._addresses(fields, b"to"),
            self._addresses(fields, b"cc"),
            self._addresses(fields, b"bcc"),
            _text(fields, b"in-reply-to"),
            _text(fields, b"message-id"),
        )

    def _addresses(self, fields: dict[bytes, list[bytes]], name: bytes, otherwise: bytes = b"NIL") -> bytes:
        values = fields.get(name)
        if values is None:
            return otherwise
        found: list[bytes] = []
        for value in values:
            if self._addresses_left <= 0:
                break
            if len(value) <= _REMEMBERED <= self._addresses_left:  # no more addresses than octets
                count, written = _remembered(value)
            else:
                count, written = _written(value, self._addresses_left)
            self._addresses_left -= count
            found.append(written)
        return b"(" + b"".join(found) + b")" if any(found) else otherwise


def _written(value: bytes, most: int = _REMEMBERED) -> tuple[int, bytes]:
    """How many addresses a field's raw value has, and how they are sent."""
    mailboxes = addresses.parse(headers.unfold(value), most)
    return len(mailboxes), b"".join([_address(mailbox) for mailbox in mailboxes])


# In one mailbox it is mostly the same people who write, and to whom: 1,000 fields take some 0.4 MB.
_remembered = lru_cache(maxsize=1024)(_written)


def _text(fields: dict[bytes, list[bytes]], name: bytes) -> bytes:
    values = fields.get(name)
    return string(headers.unfold(values[-1])) if values else b"NIL"  # of several the last, as Dovecot


def _address(mailbox: Mailbox) -> bytes:
    return b"(%b %b %b %b)" % (
        nstring(mailbox.name),
        nstring(mailbox.route),
        nstring(mailbox.local),
        nstring(mailbox.domain),
    )
