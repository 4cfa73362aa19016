"""The audit log: every change of the customer, the newest first (rows F2, F7).

Only what is named here of a row is shown: a field that is added to the directory stays private until somebody decides.
"""

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct

from emailgency.servers.web.console.routes import Answer, Asked, Page, Route, Visitor, Who
from emailgency.store.audit import Audit
from emailgency.store.changes import Change, Edit, row

_PAGE = 50  # changes
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
        "pending_lifetime",
        "language",
    ),
    "entry": ("type", "administrator", "vip", "smtp_denied", "forwards", "keep_copy"),
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


class AuditPanel:
    def __init__(self, audit: Audit) -> None:
        self._audit = audit

    def routes(self) -> list[Route]:
        return [Route("GET", "/audit", Who.ADMINISTRATOR, self.show)]

    async def show(self, visitor: Visitor, asked: Asked) -> Answer:
        given = asked.given("before")
        before = int(given) if given.isdecimal() and len(given) < 16 else None
        page = await self._audit.page(visitor.known.customer, before, _PAGE)
        lines = [line(change) for change in page.changes]
        return Page("audit.html", {"lines": lines, "older": page.older, "newest": before is None})


def line(change: Change) -> Line:
    """For people, without what is private."""
    found = [difference for edit in change.edits for difference in _differences(edit)]
    what = change.what if len(change.what) <= 300 else f"{change.what[:300]}…"
    return Line(change.at, change.who, change.source, what, tuple(found[:_EDITS]), max(0, len(found) - _EDITS))


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
