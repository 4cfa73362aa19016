"""What SORT and THREAD need to know of a message, ready to be compared (RFC 5256 section 2 and 5, RFC 5957)."""

import re

from msgspec import Struct

from emailgency.codec.collation import casemap
from emailgency.codec.mime import addresses, decoding, headers, sent_date
from emailgency.codec.mime.base_subject import base_subject

FIELDS = (b"date", b"subject", b"from", b"to", b"cc", b"message-id", b"references", b"in-reply-to")
_PATTERN = headers.wanted(FIELDS)
_MESSAGE_ID = re.compile(rb'<[ \t]*+(?:"((?:[^"\\]|\\.)*+)"|([^<>@"\s]++))[ \t]*+@[ \t]*+([^<>\s]++)[ \t]*+>')
_ESCAPED = re.compile(rb"\\(.)")
_LONGEST = 1000  # characters of a key that decide, and octets of a message id
_REFERENCES = 1000  # of one message: the first hundred, and the last of them


class SortKeys(Struct, frozen=True, array_like=True):
    """Strings are mapped by i;unicode-casemap; ids are without angle brackets and quotes, "" when there is none."""

    day: int | None  # as `date.toordinal`, in the sender's zone
    sent: int | None  # seconds since the epoch
    subject: str  # the base subject
    reply: bool
    sender: str  # the local part of the first From address; likewise the next two
    to: str
    cc: str
    shown_sender: str  # what a mail program shows of the first From address
    shown_to: str
    id: str
    references: tuple[str, ...]  # the oldest first; In-Reply-To when there are none


def read(header: bytes) -> SortKeys:
    """Of a message's own header."""
    return of_fields(headers.read(header, 0, headers.header_end(header, 0, len(header)), _PATTERN))


def of_fields(fields: dict[bytes, list[bytes]]) -> SortKeys:
    """Of what `headers.read` has found of FIELDS."""
    sent = sent_date.read(fields[b"date"][-1]) if b"date" in fields else None
    subject = base_subject(decoding.header_text(fields[b"subject"][-1])) if b"subject" in fields else None
    sender, shown_sender = _first(fields.get(b"from"))
    to, shown_to = _first(fields.get(b"to"))
    references = _ids(fields.get(b"references"))
    return SortKeys(
        None if sent is None else sent.day.toordinal(),
        None if sent is None else sent.at,
        "" if subject is None else _key(subject.text),
        subject is not None and subject.reply,
        sender,
        to,
        _first(fields.get(b"cc"))[0],
        shown_sender,
        shown_to,
        next(iter(_ids(fields.get(b"message-id"))), ""),
        tuple(_shortened(references) if references else _ids(fields.get(b"in-reply-to"))[:1]),
    )


def _key(text: str) -> str:
    return casemap(text[:_LONGEST])


def _first(values: list[bytes] | None) -> tuple[str, str]:
    """Of the first address: its local part, and its name or, without one, all of it."""
    for value in values or ():
        found = addresses.parse(headers.unfold(value), 1)
        if found:
            one = found[0]
            local = (one.local or b"").decode("utf-8", "replace")
            if one.name:
                shown = decoding.header_text(one.name)
            else:
                shown = local if one.domain is None else f"{local}@{one.domain.decode('utf-8', 'replace')}"
            return _key(local), _key(shown)
    return "", ""


def _ids(values: list[bytes] | None) -> list[str]:
    """Message ids of all fields of a name; `"a.b"@c` and `a.b@c` are the same (RFC 5256 section 3, step 1)."""
    return [
        (_ESCAPED.sub(rb"\1", quoted) if quoted else bare).decode("latin-1") + "@" + domain.decode("latin-1")
        for value in values or ()
        for quoted, bare, domain in _MESSAGE_ID.findall(value)
        if len(quoted) + len(bare) + len(domain) <= _LONGEST
    ]


def _shortened(references: list[str]) -> list[str]:
    if len(references) <= _REFERENCES:
        return references
    return references[:100] + references[100 - _REFERENCES :]
