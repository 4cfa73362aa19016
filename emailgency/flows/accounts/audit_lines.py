"""A change of the journal as a line of the audit log, for console and API (rows F2, F7).

Only what is named here of a row is shown: a field that is added to the directory stays private until somebody decides.
"""

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct

from emailgency.model.directory import Plan
from emailgency.store.directory.changes import Change, Edit, row

_VALUE = 120  # characters of one value, or of one side of a change
_EDITS = 20  # rows of one change that are told one by one
_SHOWN = {
    "customer": (
        "plan",
        "role",
        "relay",
        "smtp_transport",
        "domain_aliases",
        "stealth",
        "smtp_denied",
        "banished_refused",
        "authentication",
        "learn_recipients",
        "sender_notices",
        "pending_lifetime",
        "language",
        "suspended",
        "second_factor_required",
    ),
    "plan": tuple(Plan.__struct_fields__),
    "entry": (
        "type",
        "administrator",
        "vip",
        "smtp_denied",
        "forwards",
        "keep_copy",
        "expiration_delay",
        "shortened_to",
    ),
}


class Difference(Struct, frozen=True):
    """One field of one row. Empty: it was not there, or is no more."""

    field: str
    before: str
    after: str


class Line(Struct, frozen=True):
    """One change."""

    at: float
    who: str
    source: str
    what: str
    differences: tuple[Difference, ...]
    more: int  # differences that are not told
    customer: str  # whose; "" the server's own


def line(change: Change, domains: dict[str, str]) -> Line:
    """For people, without what is private. One who has gone has no domain any more, and is told by his id."""
    found = [difference for edit in change.edits for difference in _differences(edit)]
    what = change.what if len(change.what) <= 300 else f"{change.what[:300]}…"
    more, customer = max(0, len(found) - _EDITS), change.customer or ""
    whose = domains.get(customer, customer)
    return Line(change.at, change.who, change.source, what, tuple(found[:_EDITS]), more, whose)


def _differences(edit: Edit) -> Iterator[Difference]:
    """A row that comes or goes is told by the words of the change; here is what is different in one that stays."""
    before, after = _fields(edit.before), _fields(edit.after)
    if before is None or after is None:
        return
    for field in _SHOWN.get(edit.table, ()):
        old, new = before.get(field), after.get(field)
        if old != new:
            yield Difference(field, _text(old), _text(new))


def _fields(raw: msgspec.Raw) -> dict[str, Any] | None:
    octets = row(raw)
    found = None if octets is None else msgspec.json.decode(octets)
    return found if isinstance(found, dict) else None


def _text(value: object) -> str:
    if isinstance(value, list):
        value = ", ".join(map(str, value))
    text = "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    return text if len(text) <= _VALUE else f"{text[:_VALUE]}…"
