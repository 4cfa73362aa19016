"""What a deed on many had done when the server was killed: read from the change journal, which knows (row F1).

Each change of such a deed names it in its source. A change is on stable storage before its row is told done, so what
the journal has was done, and what it has not was not; the results in Redis may be some rows behind.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

import msgspec
from msgspec.structs import replace

from emailgency.codec.address import parse
from emailgency.model.bulk import Results, Row, Step
from emailgency.model.directory import Banished, Entry, Mailbox
from emailgency.model.errors import Invalid, Temporary
from emailgency.model.words import Words
from emailgency.store.directory.changes import Author, Change, row

if TYPE_CHECKING:
    from emailgency.flows.addresses.turning_back import TurningBack

NOT_DONE = Words("The server was stopped before its turn came.")
PERHAPS = Words("The server was stopped meanwhile: look at the message itself.")
NOT_UNDONE = Words("The server was stopped before it was undone.")
_PAGE = 500  # changes
_STEPPED = 3600.0  # seconds by which a clock may have been set back meanwhile


class Journal(Protocol):
    """store.directory.audit.Audit."""

    async def page(self, customer: str | None, before: int | None, most: int) -> "Page": ...


class Page(Protocol):
    """Changes, the newest first; `older` is where the next page begins."""

    @property
    def changes(self) -> list[Change]: ...

    @property
    def older(self) -> int | None: ...


def marked(author: Author, id: str) -> Author:
    """Who does it, from where, and as part of which deed."""
    return Author(author.who, f"{author.source}, deed {id[:12]}")


class BrokenOff:
    """Raises Temporary."""

    def __init__(self, journal: Journal, turning_back: "TurningBack") -> None:
        self._journal = journal
        self._turning_back = turning_back

    async def settled(self, id: str, results: Results) -> Results:
        """Every row as it is, of results whose deed or undo nobody is at any more."""
        if results.undoing:
            rows = [await self._undone(one) if one.waiting else one for one in results.rows]
        else:
            done = await self._done(id, results)
            rows = [_told(one, done, results.panel) if one.waiting else one for one in results.rows]
        return replace(results, rows=tuple(rows), finished=True, undoing=False)

    async def _done(self, id: str, results: Results) -> dict[str, Step | None]:
        """What the deed has changed: by local part, or by id of a pending message."""
        found: dict[str, Step | None] = {}
        mark, before = marked(Author("", ""), id).source, None
        while True:
            page = await self._journal.page(results.customer, before, _PAGE)
            for change in page.changes:
                if change.source.endswith(mark):
                    found |= dict(_subjects(change))
            before = page.older
            if before is None or (page.changes and page.changes[-1].at < results.at - _STEPPED):
                return found

    async def _undone(self, one: Row) -> Row:
        """One whose row in the directory is back already is brought to its end."""
        assert one.step is not None
        try:
            if await self._turning_back.is_back(one.step):
                await self._turning_back.undo(Author("emailgency", "after a restart"), one.step)
                return replace(one, waiting=False, turned_back=True)
        except (Invalid, Temporary):  # it may be undone once more
            pass
        return replace(one, waiting=False, back=NOT_UNDONE)


def _told(one: Row, done: dict[str, Step | None], panel: str) -> Row:
    """Of a message the spool may know more than the journal, which comes second there."""
    name = one.subject if panel == "/pending" else _local(one.subject)
    if name in done:
        return replace(one, waiting=False, step=done[name])
    return replace(one, waiting=False, fault=PERHAPS if panel == "/pending" else NOT_DONE)


def _local(subject: str) -> str:
    """Of an address in the customer's main domain, which may be left out."""
    try:
        return parse(subject if "@" in subject else f"{subject}@example.com").local
    except Invalid:
        return ""


def _subjects(change: Change) -> Iterator[tuple[str, Step | None]]:
    """A mailbox that was removed comes with edits of its aliases and lists, and does not come back."""
    entries = [edit for edit in change.edits if edit.table == "entry"]
    for edit in entries:
        before, after = entry_of(edit.before), entry_of(edit.after)
        one = after or before
        if one is None:
            continue
        for_good = len(entries) > 1 or (isinstance(before, Mailbox) and after is None)
        lost = before is None and isinstance(after, Banished)
        step = Step(one.customer, one.address.local, before, after, lost=lost)
        yield one.address.local, None if for_good else step
    if not entries and change.what.startswith("pending message "):
        yield change.what.split()[2], None


def entry_of(raw: msgspec.Raw) -> Entry | None:
    """One side of an edit of the table "entry"."""
    octets = row(raw)
    return None if octets is None else msgspec.json.decode(octets, type=Entry)
