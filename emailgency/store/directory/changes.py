"""The forms of the change journal: what a change of the directory is, on disk and in code.

A record is the JSON of one `Change`. Replaying the edits of all of them in order gives the directory; reading them
gives the audit log.
"""

from typing import Annotated

import msgspec
from msgspec import Meta, Raw, Struct

from emailgency.model.directory import Customer, Domain, Entry, Operator, Plan

Record = Plan | Customer | Domain | Entry | Operator | str


class Author(Struct, frozen=True):
    """Who changes something, and from where: an IP address, "console" or "command line"."""

    who: str
    source: str


class Edit(Struct, frozen=True):
    """One row before and after, as JSON; `ABSENT`: it is not there. Tables and keys:

    plan: name · customer: id · domain: name · entry: `customer/local` · mailbox: id, whose row is the key of its entry
    · operator: id
    """

    table: str
    key: str
    before: Raw
    after: Raw


class Change(Struct, frozen=True):
    """One deed, all of it or nothing."""

    position: Annotated[int, Meta(ge=1)]  # grows by one
    at: float  # seconds since the epoch
    who: str
    source: str
    what: str  # in words
    customer: str | None  # id
    edits: tuple[Edit, ...]


ABSENT = Raw(b"null")
encode = msgspec.json.Encoder().encode
decode_change = msgspec.json.Decoder(Change).decode


def edit(table: str, key: str, before: Record | None, after: Record | None) -> Edit:
    """`before` is what the author saw, None: not there; `after` None takes the row away."""
    return Edit(table, key, _raw(before), _raw(after))


def entry_key(customer: str, local: str) -> str:
    """Customer ids contain no slash, so the first one separates, whatever the local part contains."""
    return f"{customer}/{local}"


def row(raw: Raw) -> bytes | None:
    """The octets of a row, None for an absent one."""
    octets = bytes(raw)
    return None if octets == b"null" else octets


def _raw(record: Record | None) -> Raw:
    return ABSENT if record is None else Raw(encode(record))
