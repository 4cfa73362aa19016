"""What SEARCH, SORT and THREAD look for (RFC 3501 section 6.4.4): the marks of messages are narrowed key by key.

Of keys that all must hold the cheap ones go first: flags, numbers, sizes and dates are columns of the snapshot; only
what they leave is opened, and between files others may run.
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import date
from typing import TypeVar

from emailgency.codec.imap.search_tree import (
    All,
    And,
    Body,
    Day,
    EmailId,
    HasFlag,
    Header,
    Modseq,
    Not,
    Numbers,
    Or,
    SavedDay,
    SearchKey,
    Size,
    ThreadId,
    Unsearchable,
    Within,
)
from emailgency.codec.maildir import email_id, saved_at
from emailgency.servers.imap import flags, marks
from emailgency.servers.imap.marks import Marks
from emailgency.servers.imap.selected import Selected
from emailgency.servers.imap.session import Refusal, Session, no
from emailgency.servers.imap.text_search import TextSearch, fitting
from emailgency.store.mailboxes.folder import UNKNOWN, keyword_letters

T = TypeVar("T")

_EPOCH = date(1970, 1, 1).toordinal()
_MANY = 4000  # names looked at in one go, 2 ms


class Searcher:
    """Finds in one view: marks of messages in, and of those the marks that hold out."""

    def __init__(self, session: Session, view: Selected) -> None:
        self._session = session
        self._view = view

    async def find(self, key: SearchKey) -> Marks:
        """Among all messages of the view."""
        return await self._among(key, marks.every(self._view.count))

    async def _among(self, key: SearchKey, asked: Marks) -> Marks:
        """Nested no deeper than the parser allows (32)."""
        await self._session.line.breathe()
        match key:
            case All():
                return asked
            case Unsearchable(words, code):
                raise Refusal(no(f"I do not search like that: {words}.", code))
            case And(keys):
                for one in sorted(keys, key=cost):
                    asked = await self._among(one, asked)
                    if 1 not in asked:
                        break
                return asked
            case Or(left, right):
                first = await self._among(left, asked)
                return marks.either(first, await self._among(right, marks.without(asked, first)))
            case Not(inner):
                return marks.without(asked, await self._among(inner, asked))
            case Header() | Body() | Day(True):
                return await TextSearch(self._session, self._view).among(key, asked)
        if isinstance(key, Size):
            await self._learn_sizes()
        column = self._in_snapshot(key)
        return marks.both(asked, column) if column is not None else await self._in_names(key, asked)

    def _in_snapshot(self, key: SearchKey) -> Marks | None:
        """Where a key holds that is a column of the snapshot; None: it is none, or not all sizes are known."""
        view, folder = self._view, self._view.folder
        match key:
            case Numbers(messages, uid):
                return marks.within(view.spans(messages, uid), view.count)
            case HasFlag("\\Recent"):
                return bytes(map(view.recent, view.known_uids))
            case HasFlag(flag):
                letter = flags.SYSTEM.get(flag) or keyword_letters(folder).get(flag.lower())
                holding = {letters for letters in folder.kinds() if letter and letter in letters}
                if not holding:
                    return marks.none(view.count)
                return bytes(map(holding.__contains__, view.column(folder.letters, None)))
            case Modseq(least):
                return bytes(map(least.__le__, view.column(folder.modseqs, -1)))
            case Size(larger, octets):
                sizes = folder.sizes()
                if sizes is None:
                    return None
                return bytes(map(octets.__lt__ if larger else octets.__gt__, view.column(sizes, octets)))
            case ThreadId():
                return marks.none(view.count)
        return None

    async def _in_names(self, key: SearchKey, asked: Marks) -> Marks:
        """A key that needs the file's date or what stands in its name."""
        folder = self._view.folder
        match key:
            case Size(larger, octets):
                return await self._each(asked, folder.size, lambda size: size > octets if larger else size < octets)
            case EmailId(id):
                wanted = id.decode("ascii")
                return await self._each(asked, folder.file_name, lambda name: email_id(name) == wanted)
            case SavedDay(when, day):
                fits = fitting(when, day.toordinal())
                return await self._each(asked, folder.file_name, lambda name: _is_day(saved_at(name), fits))
            case Day(False, when, day):
                fits = fitting(when, day.toordinal())
                return await self._each(asked, folder.date, lambda at: fits(_ordinal(at)))
            case Within(older, seconds):
                moment = self._session.server.clock() - seconds
                return await self._each(asked, folder.date, lambda at: at <= moment if older else at >= moment)
        raise AssertionError(key)

    async def _learn_sizes(self) -> None:
        """From the file names: 0.5 us each, once."""
        folder = self._view.folder
        if folder.sizes() is None:
            for start in range(0, len(folder), _MANY):
                folder.learn_sizes(start, start + _MANY)
                await self._session.line.breathe()

    async def _each(self, asked: Marks, fact: Callable[[int], T], holds: Callable[[T], bool]) -> Marks:
        """Those of which `holds` what `fact` tells of their place in the folder. Others run in between."""
        view, found = self._view, []
        for position in marks.positions(asked):
            place = view.place(position)  # anew each time
            with suppress(FileNotFoundError):
                if place != UNKNOWN and holds(fact(place)):
                    found.append(position)
            await self._session.line.breathe()
        return marks.at(found, view.count)


def _is_day(at: float, fits: Callable[[int], bool]) -> bool:
    """0: nobody knows when."""
    return at > 0 and fits(_ordinal(at))


def _ordinal(at: float) -> int:
    """The day in UTC, as `date.toordinal`."""
    return _EPOCH + int(at // 86400)


def cost(key: SearchKey) -> int:
    """What a key needs: 0 the snapshot, 1 the file's name or date, 2 its header, 3 its body."""
    match key:
        case And(keys):
            return max(map(cost, keys))
        case Or(left, right):
            return max(cost(left), cost(right))
        case Not(inner):
            return cost(inner)
        case Day(sent, _, _):
            return 2 if sent else 1
        case Within() | EmailId() | SavedDay():
            return 1
        case Header():
            return 2
        case Body():
            return 3
    return 0
