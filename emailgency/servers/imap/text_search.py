"""Keys that need what a message says: looked up in the search index, and read where it does not know yet."""

from collections.abc import Sequence
from functools import partial

from emailgency.codec.imap.search_tree import Body, Day, Header, SearchKey, When
from emailgency.codec.mime import search_text
from emailgency.servers.imap.haystack import Needle
from emailgency.servers.imap.selected import Selected
from emailgency.servers.imap.session import Session
from emailgency.servers.message_file import MessageFile, open_message
from emailgency.store.searching.index import Answer


class TextSearch:
    """In one view. Ascending positions in, ascending positions out."""

    def __init__(self, session: Session, view: Selected) -> None:
        self._session = session
        self._view = view

    async def among(self, key: SearchKey, positions: list[int]) -> list[int]:
        if isinstance(key, Body) and not key.text:
            return positions  # the empty text is in every message
        answer = await self._known(key)
        self._session.server.search_index.want(self._view.folder)
        view = self._view
        whole = view.in_step and len(positions) == view.count
        uids: Sequence[int] = view.folder.uids[: view.count] if whole else view.uids(positions)
        known, covered = answer.found, answer.covered
        found = [at for at, uid in zip(positions, uids, strict=True) if uid in known] if known else []
        if covered >= set(uids):
            return found
        undecided = [at for at, uid in zip(positions, uids, strict=True) if uid not in covered]
        return sorted([*found, *await self._by_reading(key, undecided)])

    async def _known(self, key: SearchKey) -> Answer:
        """What the index knows."""
        index, folder = self._session.server.search_index, self._view.folder
        match key:
            case Header(field, text):
                return await index.in_field(folder, field, text.casefold())
            case Body(text, with_header):
                return await index.in_text(folder, text.casefold(), with_header)
            case Day(True, when, day):
                keys = await index.sort_keys(folder)
                limit = day.toordinal()
                found = {uid for uid, one in keys.items() if one.day is not None and fits(one.day, when, limit)}
                return Answer(found, keys.keys())
        raise AssertionError(key)

    async def _by_reading(self, key: SearchKey, positions: Sequence[int]) -> list[int]:
        needle = Needle(key.text) if isinstance(key, Header | Body) else Needle("")
        found = []
        for position in positions:
            if await self._read(key, needle, position):
                found.append(position)
            await self._session.line.breathe()
        return found

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
                return sent is not None and fits(sent.toordinal(), when, day.toordinal())
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


def fits(found: int, when: When, day: int) -> bool:
    """Whether a message of day `found` is BEFORE, ON or SINCE `day`; both as `date.toordinal`."""
    if when is When.BEFORE:
        return found < day
    return found == day if when is When.ON else found >= day
