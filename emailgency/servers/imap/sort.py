"""SORT and THREAD (RFC 5256, RFC 5957, RFC 5267): what is found, in order or in threads.

Long orders are made in pieces: what holds the reactor at once grows by 2 ms with each 10,000 messages.
"""

from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any

from emailgency.codec.imap import commands, found
from emailgency.codec.imap.sort_criteria import Algorithm, Criterion, Key
from emailgency.codec.mime.sort_keys import SortKeys
from emailgency.rules import threads
from emailgency.rules.threads import Letter, Steps
from emailgency.servers.imap import marks
from emailgency.servers.imap.search import Saving, highest, numbered, tell
from emailgency.servers.imap.searcher import Searcher
from emailgency.servers.imap.selected import Selected
from emailgency.servers.imap.session import Completed, Session
from emailgency.servers.imap.sort_facts import gather
from emailgency.store.mailboxes.folder import UNKNOWN

_RUN = 1000  # messages sorted at once, 1 ms
_SOME = 200  # messages of other loops between two breaths

_ALGORITHMS: dict[Algorithm, Callable[[Sequence[Letter]], Steps]] = {
    Algorithm.ORDEREDSUBJECT: threads.ordered_subject,
    Algorithm.REFERENCES: threads.references,
}
_BY_HEADER: dict[Key, Callable[[SortKeys], str]] = {
    Key.CC: lambda keys: keys.cc,
    Key.DISPLAYFROM: lambda keys: keys.shown_sender,
    Key.DISPLAYTO: lambda keys: keys.shown_to,
    Key.FROM: lambda keys: keys.sender,
    Key.SUBJECT: lambda keys: keys.subject,
    Key.TO: lambda keys: keys.to,
}


async def sort(session: Session, command: commands.Sort) -> Completed:
    """SORT and UID SORT."""
    view = session.view()
    with Saving(view, command.returns) as saving:
        positions = marks.positions(await Searcher(session, view).find(command.key))
        positions = await in_order(session, view, positions, command.criteria)
        saving.keep(positions)
    numbers = numbered(view, positions, command.uid)
    modseq = highest(session, view, command, positions)
    if command.returns is None:
        await session.line.say(found.sorted_numbers(numbers, modseq))
    else:
        await tell(session, command.uid, command.returns, numbers, modseq)
    return Completed("That is their order.")


async def thread(session: Session, command: commands.Thread) -> Completed:
    """THREAD and UID THREAD."""
    view = session.view()
    positions = marks.positions(await Searcher(session, view).find(command.key))
    facts = await gather(session, view, positions)
    positions = [position for position in positions if position in facts]
    letters = []
    for count, position in enumerate(positions):
        keys = facts[position]
        letters.append(Letter(keys.sent or 0, keys.subject, keys.reply, keys.id, keys.references))
        if count % _SOME == 0:
            await session.line.breathe()
    steps = _ALGORITHMS[command.algorithm](letters)
    while True:
        try:
            next(steps)
        except StopIteration as done:
            forest = done.value
            break
        await session.line.breathe()
    pieces = found.threads(forest, numbered(view, positions, command.uid))
    while some := b"".join(islice(pieces, _SOME)):
        await session.line.say(some)
    return Completed("Those are the threads.")


async def in_order(session: Session, view: Selected, positions: list[int], criteria: Sequence[Criterion]) -> list[int]:
    """Positions sorted; equal ones stay in the order of the mailbox (RFC 5256 section 3)."""
    needed = {criterion.key for criterion in criteria}
    facts: dict[int, SortKeys] = {}
    if not needed <= {Key.ARRIVAL, Key.SIZE}:
        facts = await gather(session, view, positions)
        positions = [position for position in positions if position in facts]
    for criterion in reversed(criteria):  # each sort keeps the order of the ones before among equals
        column = await _column(session, view, facts, positions, criterion.key)
        positions = await _sorted(session, positions, column.__getitem__, criterion.reverse)
    return positions


async def _column(
    session: Session, view: Selected, facts: dict[int, SortKeys], positions: list[int], key: Key
) -> dict[int, Any]:
    """Position -> what to compare."""
    by_header = _BY_HEADER.get(key)
    if by_header is not None:
        return {position: by_header(facts[position]) for position in positions}
    if key is Key.DATE:
        return {position: facts[position].sent for position in positions}
    column: dict[int, Any] = {}
    for position in positions:
        place = view.place(position)
        try:
            column[position] = 0 if place == UNKNOWN else _measure(view, place, key)
        except FileNotFoundError:
            column[position] = 0
        await session.line.breathe()
    return column


def _measure(view: Selected, place: int, key: Key) -> float:
    return view.folder.size(place) if key is Key.SIZE else int(view.folder.date(place))


async def _sorted(session: Session, positions: list[int], key: Callable[[int], Any], reverse: bool) -> list[int]:
    runs = []
    for start in range(0, len(positions), _RUN):
        runs.append(sorted(positions[start : start + _RUN], key=key, reverse=reverse))
        await session.line.breathe()
    merged = [position for run in runs for position in run]
    merged.sort(key=key, reverse=reverse)  # finds the runs and merges them: 2 ms for 10,000 messages
    return merged
