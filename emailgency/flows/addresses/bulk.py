"""One deed on many, with a result for each, and the way back of what can be turned back (rows A4, F1).

The way back is the row of the directory as it was before. It is gone as soon as anybody has changed the address
again: then undoing says so and leaves it alone.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

import msgspec
from twisted.internet.defer import Deferred, gatherResults
from twisted.logger import Logger

from emailgency.flows.addresses.deciding import check_plan, entry_edits
from emailgency.model.bulk import Results, Row, Step
from emailgency.model.directory import Alias, DistributionList, Entry, Mailbox
from emailgency.model.errors import Invalid, Temporary
from emailgency.model.words import Words
from emailgency.store.directory.changes import Author, Change, Edit, entry_key, row

if TYPE_CHECKING:
    from emailgency.flows.addresses.mail_back import MailBack
    from emailgency.store.directory.directory import Directory
    from emailgency.store.experience.bulk_results import BulkResults

MOST = 1000  # in one go
_AT_ONCE = 8  # while one waits for the disk, others go on
TROUBLE = Words("We have trouble of our own, try again in a moment.")
OUTRUN = Words("It was changed again since, and stays as it is.")


class Bulk:
    """What becomes of one is told in its row, and keeps none of the others."""

    _log = Logger()

    def __init__(
        self,
        directory: "Directory",
        mail: "MailBack",
        results: "BulkResults",
        clock: Callable[[], float],
    ) -> None:
        self._directory = directory
        self._mail = mail
        self._results = results
        self._clock = clock

    async def run(
        self,
        customer: str,
        subjects: Sequence[str],
        deed: Callable[[str], Awaitable[Step | None]],
        words: Words,
        panel: str,
    ) -> tuple[str, Results]:
        """The results, kept under an id; "" when they could not be kept. Raises Invalid: nothing was done."""
        subjects = list(dict.fromkeys(subjects))
        if not subjects:
            raise Invalid("Nothing is ticked.")
        if len(subjects) > MOST:
            raise Invalid("At most %(count)s in one go.", count=MOST)
        rows: dict[str, Row] = {}
        waiting = iter(subjects)

        async def work() -> None:
            for subject in waiting:
                rows[subject] = await self._done(subject, deed)

        await gatherResults([Deferred.fromCoroutine(work()) for _ in range(_AT_ONCE)], consumeErrors=True)
        found = tuple(rows[subject] for subject in subjects)
        results = Results(customer=customer, deed=words, panel=panel, at=self._clock(), rows=found)
        try:
            return await self._results.keep(results), results
        except Temporary:  # what is done is done
            return "", results

    async def _done(self, subject: str, deed: Callable[[str], Awaitable[Step | None]]) -> Row:
        try:
            return Row(subject, step=await deed(subject))
        except Invalid as error:
            return Row(subject, error.words)
        except Temporary as error:
            self._log.warn("bulk deed: {subject}: {error}", subject=repr(subject), error=str(error))
        except Exception:  # nobody foresaw it: the others have their rows all the same
            self._log.failure("bulk deed: {subject}", subject=repr(subject))
        return Row(subject, TROUBLE)

    async def find(self, customer: str, id: str) -> Results | None:
        return await self._results.find(customer, id)

    async def turn_back(self, author: Author, customer: str, id: str) -> Results | None:
        """Undo what can be undone, the last first; rows tell what became of it. None: nothing is known of it."""
        results = await self._results.find(customer, id)
        if results is None:
            return None
        rows = [await self._turned_back(author, row) for row in reversed(results.rows)]
        results = msgspec.structs.replace(results, rows=tuple(reversed(rows)))
        await self._results.keep(results, id)
        return results

    async def _turned_back(self, author: Author, row: Row) -> Row:
        if row.step is None or row.turned_back:
            return row
        try:
            await self._undo(author, row.step)
        except Invalid as error:
            return msgspec.structs.replace(row, back=error.words)
        except Temporary as error:
            self._log.warn("undo of {subject}: {error}", subject=repr(row.subject), error=str(error))
            return msgspec.structs.replace(row, back=TROUBLE)
        lost = Words("It is as before, but for the mail that was destroyed.") if row.step.lost else None
        return msgspec.structs.replace(row, turned_back=True, back=lost)

    async def _undo(self, author: Author, step: Step) -> None:
        """Mail goes back first: until the directory follows, the next tidying would move it on again."""
        if await self._directory_is_back(step):  # trouble, or a kill, kept the mail from following
            await self._mail.take_away(step)
            return
        await self._before(step)
        await self._mail.bring(step)
        async with self._directory.deciding:
            now, before = await self._before(step)
            entry = before or now
            assert entry is not None
            what = f"undone: {entry.address} is as it was"
            await self._directory.change(author, what, entry_edits(now, before), step.customer)
        if before is None and isinstance(now, Mailbox):
            await self._mail.take_away(step)

    async def _directory_is_back(self, step: Step) -> bool:
        """Of a mailbox that was made: whether the address is unknown again already."""
        if step.before is not None or not isinstance(step.after, Mailbox):
            return False
        known = await self._directory.entry(step.customer, step.local)
        return known is None and await self._directory.mailbox(step.after.id) is None

    async def _before(self, step: Step) -> tuple[Entry | None, Entry | None]:
        """What the address is, and what it would be again. Raises Invalid."""
        now = await self._directory.entry(step.customer, step.local)
        if now != step.after:
            raise Invalid(OUTRUN)
        before = _later(step.before, now)
        entries = await self._directory.entries(step.customer)
        mailboxes = {entry.id for entry in entries if isinstance(entry, Mailbox)}
        if not set(_leads_to(before)) <= mailboxes:
            raise Invalid("A mailbox that it leads to is no longer there.")
        if before is not None and now is None:
            plan = await self._directory.plan((await self._directory.customer(step.customer)).plan)
            check_plan(plan, [*entries, before])
        if before is None and isinstance(now, Mailbox):
            for entry in entries:
                if now.id in _leads_to(entry):
                    raise Invalid("%(address)s leads to it by now.", address=str(entry.address))
        return now, before


async def step_of(
    directory: "Directory", customer: str, local: str, deed: Callable[[], Awaitable[object]]
) -> Step | None:
    """Do it, and tell what it made of the address. None: nothing, or others had a hand in it."""
    key, found = entry_key(customer, local), list[Edit]()

    def listen(change: Change) -> None:
        found.extend(edit for edit in change.edits if (edit.table, edit.key) == ("entry", key))

    directory.listeners.append(listen)
    try:
        await deed()
    finally:
        directory.listeners.remove(listen)
    if len(found) != 1:
        return None
    before, after = (_entry(row(raw)) for raw in (found[0].before, found[0].after))
    return Step(customer, local, before, after)


def _entry(octets: bytes | None) -> Entry | None:
    return None if octets is None else msgspec.json.decode(octets, type=Entry)


def _leads_to(entry: Entry | None) -> tuple[str, ...]:
    """Ids of mailboxes."""
    if isinstance(entry, Alias):
        return (entry.mailbox,)
    return entry.members if isinstance(entry, DistributionList) else ()


def _later(before: Entry | None, now: Entry | None) -> Entry | None:
    """A generation never comes back: whoever was logged in by it would be again."""
    if isinstance(before, Mailbox) and isinstance(now, Mailbox) and before.generation != now.generation:
        return msgspec.structs.replace(before, generation=now.generation + 1)
    return before
