"""GETQUOTA, GETQUOTAROOT, SETQUOTA and their responses (RFC 9208 §7)."""

import re
from collections.abc import Iterable

from msgspec import Struct

from emailgency.codec.imap import arguments
from emailgency.codec.imap.grammar import Cursor, ProtocolError
from emailgency.codec.imap.strings import astring

_NUMBER64 = re.compile(rb"[0-9]{1,19}(?![0-9])")
_RESOURCES = 32  # of one SETQUOTA


class GetQuota(Struct, frozen=True):
    """GETQUOTA."""

    root: str


class GetQuotaRoot(Struct, frozen=True):
    """GETQUOTAROOT; the mailbox need not exist."""

    name: str


class SetQuota(Struct, frozen=True):
    """SETQUOTA, read so that it can be refused politely."""

    root: str


class Resource(Struct, frozen=True):
    """Used and allowed of one resource, in its own unit (STORAGE: 1,024 octets)."""

    name: str
    used: int
    limit: int


def read_get(cursor: Cursor) -> GetQuota:
    cursor.space()
    return GetQuota(cursor.text())


def read_get_root(cursor: Cursor) -> GetQuotaRoot:
    cursor.space()
    return GetQuotaRoot(arguments.mailbox(cursor))


def read_set(cursor: Cursor) -> SetQuota:
    cursor.space()
    root = cursor.text()
    cursor.space()
    cursor.need(b"(")
    count = 0
    while not cursor.skip(b")"):
        if count:
            cursor.space()
        cursor.atom()
        cursor.space()
        cursor.match(_NUMBER64, "a limit is missing")
        count += 1
        if count > _RESOURCES:
            raise ProtocolError("too many resources")
    return SetQuota(root)


def quota(root: str, resources: Iterable[Resource]) -> bytes:
    """`* QUOTA mailbox (STORAGE 10 512)`."""
    listed = " ".join(f"{one.name} {one.used} {one.limit}" for one in resources)
    return b"* QUOTA %b (%b)\r\n" % (astring(root.encode()), listed.encode("ascii"))


def quota_root(name: bytes, roots: Iterable[str]) -> bytes:
    """`* QUOTAROOT INBOX mailbox`; `name` as it goes on the wire."""
    return b" ".join([b"* QUOTAROOT", name, *(astring(root.encode()) for root in roots)]) + b"\r\n"
