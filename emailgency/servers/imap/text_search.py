"""Keys that need what a message says: looked up in the search index, and read where it does not know yet."""

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from functools import partial

from emailgency.codec.imap.search_tree import Body, Day, Header, SearchKey, When
from emailgency.codec.mime import search_text
from emailgency.codec.mime.search_extract import FIELDS
from emailgency.servers.imap import marks
from emailgency.servers.imap.haystack import Needle
from emailgency.servers.imap.marks import Marks
from emailgency.servers.imap.selected import Selected
from emailgency.servers.imap.session import Session
from emailgency.servers.message_file import MessageFile, open_message
from emailgency.store.mailboxes.folder import UNKNOWN
from emailgency.store.searching.index import Answer

_DEAR = 25  # a message that is looked up costs as much as so many that are gone through
_TURN = 4000  # summaries looked through in one go, 1 ms


class TextSearch:
    """In one view. Marks of messages in, and of those the marks of them that hold the text out."""

    def __init__(self, session: Session, view: Selected) -> None:
        self._session = session
        self._view = view

    async def among(self, key: SearchKey, asked: Marks) -> Marks:
        if 1 not in asked or (isinstance(key, Body) and not key.text):
            return asked  # the empty text is in every message
        answer = await self._known(key)
        if isinstance(key, Header) and key.field in FIELDS:
            answer = await self._and_summarised(key, answer)
        self._session.server.search_index.want(self._view.folder)
        view = self._view
        found = marks.both(asked, self._marked(answer.found))
        unread = marks.both(asked, self._marked(answer.unread)) if answer.unread else b""
        if 1 not in unread:
            return found
        more = await self._by_reading(key, marks.positions(unread))
        return marks.either(found, marks.at(more, view.count))

    def _marked(self, uids: AbstractSet[int]) -> Marks:
        view = self._view
        if len(uids) * _DEAR > view.count:
            return bytes(map(uids.__contains__, view.known_uids))
        return marks.at((at for at in map(view.position, uids) if at != UNKNOWN), view.count)

    async def _known(self, key: SearchKey) -> Answer:
        """What the index knows."""
        index, folder = self._session.server.search_index, self._view.folder
        match key:
            case Header(field, text):
                return await index.in_field(folder, field, text.casefold())
            case Body(text, with_header):
                return await index.in_text(folder, text.casefold(), with_header)
            case Day(True, when, day):
                return await index.sent(folder, fitting(when, day.toordinal()))
        raise AssertionError(key)

    async def _by_reading(self, key: SearchKey, positions: Sequence[int]) -> list[int]:
        needle = Needle(key.text) if isinstance(key, Header | Body) else Needle("")
        found = []
        for position in positions:
            if await self._read(key, needle, position):
                found.append(position)
            await self._session.line.breathe()
        return found

    async def _and_summarised(self, key: Header, answer: Answer) -> Answer:
        """With what is known of messages because FETCH has just asked for their ENVELOPE."""
        field, needle = FIELDS.index(key.field), Needle(key.text).octets
        found, unread = set(answer.found), set[int]()
        uids = list(answer.unread)
        for start in range(0, len(uids), _TURN):
            summaries = self._view.folder.summaries
            for uid in uids[start : start + _TURN]:
                summary = summaries.get(uid)
                if summary is None or not summary.texts:
                    unread.add(uid)
                elif needle in summary.texts[field] if needle else summary.texts[field]:
                    found.add(uid)
            await self._session.line.breathe()
        return Answer(found, unread)

    async def _read(self, key: SearchKey, needle: Needle, position: int) -> bool:
        view = self._view
        message = await open_message(self._session.server.folders, view.folder, partial(view.place, position))
        if message is None:
            return False
        with message:
            return await self._holds(key, needle, message)

    async def _holds(self, key: SearchKey, needle: Needle, message: MessageFile) -> bool:
        match key:
            case Day(True, when, day):
                sent = search_text.sent_day(message.header())
                return sent is not None and fitting(when, day.toordinal())(sent.toordinal())
            case Header(field, _):
                header = message.header()
                return not needle.surely_not_in(header) and search_text.in_field(header, field, needle.text)
            case Body(_, with_header):
                if message.in_memory and needle.surely_not_in(message.begin):
                    return False
                with message.octets() as octets:
                    for found in search_text.in_body(octets, needle.text, with_header):
                        if found:
                            return True
                        await self._session.line.breathe()
        return False


def fitting(when: When, day: int) -> Callable[[int], bool]:
    """Says whether a day is BEFORE, ON or SINCE `day`; both as `date.toordinal`."""
    if when is When.BEFORE:
        return day.__gt__
    return day.__eq__ if when is When.ON else day.__le__
