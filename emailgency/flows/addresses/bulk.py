"""One deed on many, with a result for each, and the way back of what can be turned back (rows A4, F1).

A few are done while the caller waits; many go on behind him, and he asks `find` how far they are. A customer has one
such deed under way at a time. What a kill leaves behind is settled as soon as somebody looks (`broken_off`).
"""

import contextlib
import secrets
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from msgspec.structs import replace
from twisted.internet.defer import Deferred, TimeoutError, gatherResults
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from emailgency.background import background, to_its_end
from emailgency.flows.addresses.broken_off import NOT_DONE, NOT_UNDONE, entry_of, marked
from emailgency.model.bulk import Results, Row, Step
from emailgency.model.errors import Busy, Invalid, Temporary
from emailgency.model.words import Words
from emailgency.store.directory.changes import Author, Change, Edit, entry_key
from emailgency.store.directory.directory import Gone

if TYPE_CHECKING:
    from emailgency.flows.addresses.broken_off import BrokenOff
    from emailgency.flows.addresses.turning_back import TurningBack
    from emailgency.store.directory.directory import Directory
    from emailgency.store.experience.bulk_results import BulkResults

MOST = 1000  # in one go
FEW = 20  # half a second: so long a page may take
_AT_ONCE = 8  # while one waits for the disk, others go on
_SAVED = 100  # rows between two looks at how far it is that outlive us: 0.1 MB for Redis each
TROUBLE = Words("We have trouble of our own, try again in a moment.")

Deed = Callable[[Author, str], Awaitable[Step | None]]  # on one subject


class _Run:
    """A deed, or its undo, under way; or over, and its results not in Redis yet."""

    def __init__(self, id: str, results: Results) -> None:
        self.id = id
        self.rows = list(results.rows)
        self.over = False
        self._results = results
        self._waiting: list[Deferred[None]] = []

    @property
    def results(self) -> Results:
        return replace(self._results, rows=tuple(self.rows))

    def end(self, results: Results) -> None:
        """These are the results."""
        self._results, self.rows, self.over = results, list(results.rows), True

    def until_over(self) -> Deferred[None]:
        """Cancelling it leaves the deed alone: it goes on whoever has gone away."""
        self._waiting.append(Deferred())
        return self._waiting[-1]

    def tell(self) -> None:
        """All who wait."""
        for one in self._waiting:
            if not one.called:
                one.callback(None)


class Bulk:
    """What becomes of one is told in its row, and keeps none of the others. Raises Temporary while Redis is away."""

    _log = Logger()

    def __init__(
        self,
        reactor: IReactorTime,
        turning_back: "TurningBack",
        broken_off: "BrokenOff",
        results: "BulkResults",
        clock: Callable[[], float],
    ) -> None:
        self._reactor = reactor
        self._turning_back = turning_back
        self._broken_off = broken_off
        self._results = results
        self._clock = clock
        self._runs: dict[str, _Run] = {}  # by customer
        self._ends = 0  # of runs, so far
        self._stopping = False

    async def begin(
        self, author: Author, customer: str, subjects: Sequence[str], deed: Deed, words: Words, panel: str
    ) -> str:
        """The id of its results. Up to FEW are done when it returns. Raises Invalid, Busy: nothing was done."""
        subjects = list(dict.fromkeys(subjects))
        if not subjects:
            raise Invalid("Nothing is ticked.")
        if len(subjects) > MOST:
            raise Invalid("At most %(count)s in one go.", count=MOST)
        id = secrets.token_hex(16)
        rows = tuple(Row(subject, waiting=True) for subject in subjects)
        results = Results(customer=customer, deed=words, panel=panel, at=self._clock(), rows=rows, finished=False)
        by = marked(author, id)

        async def done(row: Row) -> Row:
            return await self._done(by, row.subject, deed)

        await self._go(id, results, range(len(rows)), done)
        return id

    async def turn_back(self, author: Author, customer: str, id: str) -> bool:
        """Undo what can be undone, the last first; rows tell what became of it. False: nothing is known of it.

        Raises Invalid, Busy: nothing was done.
        """
        results = await self.find(customer, id)
        if results is None:
            return False
        if not results.finished:
            raise Busy("It is still under way.")
        rows = [replace(row, waiting=row.step is not None and not row.turned_back) for row in results.rows]
        places = [place for place in reversed(range(len(rows))) if rows[place].waiting]
        results = replace(results, rows=tuple(rows), finished=False, undoing=True)
        by = marked(author, id)

        async def undone(row: Row) -> Row:
            return await self._turned_back(by, row)

        await self._go(id, results, places, undone)
        return True

    async def find(self, customer: str, id: str) -> Results | None:
        """How far it is, or what became of it. None: nothing is known of it (any more)."""
        while True:
            run, ends = self._runs.get(customer), self._ends
            if run is not None and run.id == id:
                return run.results
            results = await self._results.find(customer, id)
            if results is None or results.finished:
                return results
            if self._ends == ends and (customer not in self._runs or self._runs[customer].id != id):
                break
        if customer in self._runs and not self._runs[customer].over:
            return results  # another one is under way: this one is settled after it
        return await to_its_end(f"settling the deed {id} on many", self._settled(id, results))

    async def stop(self, grace: float) -> None:
        """No more rows are begun; returns when those under way have their results, or after `grace` seconds: then they
        are settled after the next start.
        """
        self._stopping = True
        under_way = gatherResults([run.until_over() for run in self._runs.values() if not run.over])
        with contextlib.suppress(TimeoutError):
            await under_way.addTimeout(grace, self._reactor)

    # ---- under way -----------------------------------------------------------------------------------------

    async def _go(
        self, id: str, results: Results, places: Sequence[int], work: Callable[[Row], Awaitable[Row]]
    ) -> None:
        """One row after the other, in the order of `places`."""
        run = self._taken(id, results)
        try:
            await self._results.keep(results, id)
        except BaseException:  # also when whoever asked has hung up
            self._given_up(run)
            raise

        async def through() -> None:
            try:
                await self._through(run, places, work)
            finally:
                await self._end(run, _stopped(run.results))

        background(f"the deed {id} on many", through())
        if len(places) <= FEW and not run.over:
            await run.until_over()

    def _taken(self, id: str, results: Results) -> _Run:
        """The customer's place. Raises Busy."""
        before = self._runs.get(results.customer)
        if self._stopping or (before is not None and not before.over):
            raise Busy("A deed on many addresses is under way. Wait until it is over.")
        run = self._runs[results.customer] = _Run(id, results)
        return run

    def _given_up(self, run: _Run) -> None:
        """Nothing was begun: the place is the next one's."""
        del self._runs[run.results.customer]
        run.tell()

    async def _through(self, run: _Run, places: Sequence[int], work: Callable[[Row], Awaitable[Row]]) -> None:
        turns = iter(enumerate(places, 1))

        async def some() -> None:
            for number, place in turns:
                if self._stopping:
                    return
                run.rows[place] = await work(run.rows[place])
                if number % _SAVED == 0:
                    await self._kept(run)

        await gatherResults([Deferred.fromCoroutine(some()) for _ in range(_AT_ONCE)], consumeErrors=True)

    async def _end(self, run: _Run, results: Results) -> None:
        """Whom Redis keeps waiting is told what we know ourselves, until the customer does something else."""
        run.end(results)
        self._ends += 1
        if await self._kept(run) and self._runs.get(results.customer) is run:
            del self._runs[results.customer]
        run.tell()

    async def _kept(self, run: _Run) -> bool:
        try:
            await self._results.keep(run.results, run.id)
        except Temporary as error:  # what is done is done
            self._log.warn("results of {id} are not kept now: {error}", id=run.id, error=str(error))
            return False
        return True

    async def _settled(self, id: str, results: Results) -> Results:
        """Of what nobody is at any more."""
        run = self._taken(id, results)
        try:
            results = await self._broken_off.settled(id, results)
        except BaseException:
            self._given_up(run)
            raise
        await self._end(run, results)
        return results

    # ---- one row -------------------------------------------------------------------------------------------

    async def _done(self, author: Author, subject: str, deed: Deed) -> Row:
        try:
            return Row(subject, step=await deed(author, subject))
        except Invalid as error:
            return Row(subject, error.words)
        except (Temporary, Gone) as error:  # the customer was removed meanwhile: a line for each, no tracebacks
            self._log.warn("bulk deed: {subject}: {error}", subject=repr(subject), error=str(error))
        except Exception:  # nobody foresaw it: the others have their rows all the same
            self._log.failure("bulk deed: {subject}", subject=repr(subject))
        return Row(subject, TROUBLE)

    async def _turned_back(self, author: Author, row: Row) -> Row:
        assert row.step is not None
        try:
            await self._turning_back.undo(author, row.step)
        except Invalid as error:
            return replace(row, back=error.words, waiting=False)
        except (Temporary, Gone) as error:
            self._log.warn("undo of {subject}: {error}", subject=repr(row.subject), error=str(error))
            return replace(row, back=TROUBLE, waiting=False)
        except Exception:
            self._log.failure("undo of {subject}", subject=repr(row.subject))
            return replace(row, back=TROUBLE, waiting=False)
        lost = Words("It is as before, but for the mail that was destroyed.") if row.step.lost else None
        return replace(row, turned_back=True, back=lost, waiting=False)


def _stopped(results: Results) -> Results:
    """Whose turn did not come before we stopped."""
    rows = tuple(_not_begun(row, results.undoing) if row.waiting else row for row in results.rows)
    return replace(results, rows=rows, finished=True, undoing=False)


def _not_begun(row: Row, undoing: bool) -> Row:
    return replace(row, waiting=False, back=NOT_UNDONE) if undoing else replace(row, waiting=False, fault=NOT_DONE)


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
    return Step(customer, local, entry_of(found[0].before), entry_of(found[0].after))
