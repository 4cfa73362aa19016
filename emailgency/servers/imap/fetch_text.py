"""FETCH of text: BODY[…] and its kin, the octets exactly as they are stored."""

from collections.abc import Sequence

from emailgency.codec.imap import responses
from emailgency.codec.imap.commands import FetchItem, Section, Text
from emailgency.codec.mime import sections
from emailgency.codec.mime.headers import LIMIT as HEADER_LIMIT
from emailgency.codec.mime.sections import Places
from emailgency.servers.imap.fetch_columns import maker
from emailgency.servers.imap.limits import READ
from emailgency.servers.imap.message_file import MessageFile
from emailgency.servers.imap.selected import Selected
from emailgency.servers.imap.session import Session
from emailgency.store.folder import UNKNOWN


class TextTeller:
    """Writes the responses of many messages, gathering small ones until they are worth a write."""

    def __init__(self, session: Session, view: Selected, items: Sequence[FetchItem]) -> None:
        self._session = session
        self._view = view
        self._items = items
        self._held: list[bytes] = []
        self._size = 0

    async def tell(self, positions: Sequence[int]) -> int:
        """Answer for these messages; returns for how many, since others have gone."""
        told = 0
        for position in positions:
            told += await self._tell_one(position)
            await self._session.line.breathe()
        await self._let_out()
        return told

    async def _tell_one(self, position: int) -> bool:
        folder = self._view.folder
        for _ in range(2):
            place = self._view.place(position)
            if place == UNKNOWN:
                break
            try:
                message = MessageFile(folder.full_path(place))
            except FileNotFoundError:
                await self._session.server.folders.refresh(folder)  # renamed by another program, or gone
                continue
            with message:
                return await self._tell_message(message, position, place)
        return False

    async def _tell_message(self, message: MessageFile, position: int, place: int) -> bool:
        places = await self._places(message, self._view.uid(position))
        made = [
            maker(self._view, item)(place) if not isinstance(item, Section) else b"" for item in self._items
        ]  # before anything is said: the message may be expunged while the client reads
        if None in made:
            return False
        self._hold(responses.fetch_start(position + 1))
        for number, (item, attribute) in enumerate(zip(self._items, made, strict=True)):
            self._hold(b" " if number else b"")
            if isinstance(item, Section):
                await self._tell_section(message, places, item)
            else:
                self._hold(attribute or b"")
        self._hold(responses.FETCH_END)
        if self._size >= READ:
            await self._let_out()
        return True

    async def _places(self, message: MessageFile, uid: int) -> Places:
        """Where the parts stand; the tree of them only when a part is asked for."""
        summary = self._view.folder.summaries.get(uid)
        if summary is not None and summary.places.end == message.size:
            return summary.places
        if any(isinstance(item, Section) and sections.needs_places(item) for item in self._items):
            return (await message.summary(self._session.server.reactor)).places
        return Places(0, message.header_end(), message.size)

    async def _tell_section(self, message: MessageFile, places: Places, section: Section) -> None:
        found = sections.locate(places, section)
        if found is None:
            self._hold(responses.section_attribute(section.label, None))
            return
        start, end = found
        if section.text in (Text.FIELDS, Text.FIELDS_NOT):
            header = message.read(start, min(end, start + HEADER_LIMIT))
            octets = sections.fields(header, section)
            start, end = sections.cut(0, len(octets), section.partial)
            self._hold(responses.section_attribute(section.label, octets[start:end]))
            return
        start, end = sections.cut(start, end, section.partial)
        self._hold(responses.section_start(section.label, end - start))
        while start < end:
            octets = message.read(start, min(end, start + READ))
            if not octets:
                raise OSError(f"{self._view.folder.path}: a message became shorter while it was read")
            self._hold(octets)
            start += len(octets)
            if self._size >= READ:
                await self._let_out()

    def _hold(self, octets: bytes) -> None:
        self._held.append(octets)
        self._size += len(octets)

    async def _let_out(self) -> None:
        """As fast as the client takes it."""
        octets, self._held, self._size = b"".join(self._held), [], 0
        if octets:
            await self._session.line.say(octets)
