"""What SEARCH, SORT and THREAD look for (RFC 3501 section 6.4.4): the set of messages is narrowed key by key.

Of keys that all must hold the cheap ones go first: flags, numbers, sizes and dates are columns of the snapshot; only
what they leave is opened, and between files others may run.
"""

from collections.abc import Callable, Sequence
from datetime import date

from emailgency.codec import maildir
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
    When,
    Within,
)
from emailgency.servers.imap import flags, modseqs
from emailgency.servers.imap.selected import Selected
from emailgency.servers.imap.session import Refusal, Session, no
from emailgency.servers.imap.text_search import TextSearch, fits
from emailgency.store.folder import UNKNOWN, Folder, keyword_letters

_EPOCH = date(1970, 1, 1).toordinal()


class Searcher:
    """Finds in one view. Every method takes ascending positions and returns those that hold, ascending."""

    def __init__(self, session: Session, view: Selected) -> None:
        self._session = session
        self._view = view

    async def among(self, key: SearchKey, positions: list[int]) -> list[int]:
        """Nested no deeper than the parser allows (32)."""
        await self._session.line.breathe()
        match key:
            case All():
                return positions
            case Unsearchable(words, code):
                raise Refusal(no(f"I do not search like that: {words}.", code))
            case And(keys):
                for one in sorted(keys, key=cost):
                    positions = await self.among(one, positions)
                return positions
            case Or(left, right):
                first = set(await self.among(left, positions))
                second = await self.among(right, [position for position in positions if position not in first])
                return sorted(first.union(second))
            case Not(inner):
                excluded = set(await self.among(inner, positions))
                return [position for position in positions if position not in excluded]
            case Numbers(messages, uid):
                named = set(self._view.positions(messages, uid))
                return [position for position in positions if position in named]
            case Header() | Body() | Day(True):
                return await TextSearch(self._session, self._view).among(key, positions)
        return await self._by_message(key, positions)

    async def _by_message(self, key: SearchKey, positions: list[int]) -> list[int]:
        places = self._places(positions)
        folder = self._view.folder
        match key:
            case HasFlag("\\Recent"):
                return [position for position, _ in places if self._view.recent(self._view.uid(position))]
            case HasFlag(flag):
                letter = flags.SYSTEM.get(flag) or keyword_letters(folder).get(flag.lower())
                return [position for position, place in places if letter and letter in folder.letters[place]]
            case Size(larger, octets):
                sizes = [(position, _size(folder, place)) for position, place in places]
                found = [(position, size) for position, size in sizes if size != UNKNOWN]
                return [position for position, size in found if (size > octets if larger else size < octets)]
            case Modseq(least):
                return modseqs.changed_since(self._view, positions, least - 1)
            case EmailId(id):
                wanted = id.decode("ascii")
                return [position for position, place in places if maildir.email_id(folder.names[place][4:]) == wanted]
            case ThreadId():
                return []
            case SavedDay(when, day):
                return [position for position, place in places if _saved(folder, place, when, day)]
            case Day(False, when, day):
                return await self._by_date(places, lambda at: fits(_ordinal(at), when, day.toordinal()))
            case Within(older, seconds):
                moment = self._session.server.clock() - seconds
                return await self._by_date(places, lambda at: at <= moment if older else at >= moment)
        raise AssertionError(key)

    def _places(self, positions: Sequence[int]) -> list[tuple[int, int]]:
        """(position in the view, place in the folder) of those that still exist."""
        if self._view.in_step:
            return [(position, position) for position in positions]
        places = ((position, self._view.place(position)) for position in positions)
        return [(position, place) for position, place in places if place != UNKNOWN]

    async def _by_date(self, places: list[tuple[int, int]], holds: Callable[[float], bool]) -> list[int]:
        found = []
        for position, _ in places:
            place = self._view.place(position)  # anew: others run in between
            try:
                at = self._view.folder.date(place) if place != UNKNOWN else None
            except FileNotFoundError:
                at = None
            if at is not None and holds(at):
                found.append(position)
            await self._session.line.breathe()
        return found


def _saved(folder: Folder, place: int, when: When, day: date) -> bool:
    at = maildir.saved_at(folder.names[place][4:])
    return at > 0 and fits(_ordinal(at), when, day.toordinal())


def _ordinal(at: float) -> int:
    """The day in UTC, as `date.toordinal`."""
    return _EPOCH + int(at // 86400)


def _size(folder: Folder, place: int) -> int:
    try:
        return folder.size(place)
    except FileNotFoundError:
        return UNKNOWN


def cost(key: SearchKey) -> int:
    """What a key needs: 0 the snapshot, 1 the file's date, 2 its header, 3 its body."""
    match key:
        case And(keys):
            return max(map(cost, keys))
        case Or(left, right):
            return max(cost(left), cost(right))
        case Not(inner):
            return cost(inner)
        case Day(sent, _, _):
            return 2 if sent else 1
        case Within():
            return 1
        case Header():
            return 2
        case Body():
            return 3
    return 0
