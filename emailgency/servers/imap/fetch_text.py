"""FETCH of text: BODY[…] and its kin, the octets exactly as they are stored; BINARY[…] without their encoding."""

from collections.abc import Sequence
from functools import partial

from emailgency.codec.imap import responses
from emailgency.codec.imap.commands import Binary, FetchItem, Section, Text
from emailgency.codec.mime import sections
from emailgency.codec.mime.headers import LIMIT as HEADER_LIMIT
from emailgency.codec.mime.sections import Places
from emailgency.servers.imap.fetch_binary import Decoding, UnknownEncoding
from emailgency.servers.imap.fetch_columns import maker
from emailgency.servers.imap.fetch_small import Responses
from emailgency.servers.imap.gathering import Gathering
from emailgency.servers.imap.selected import Selected
from emailgency.servers.imap.session import Refusal, Session, no
from emailgency.servers.message_file import READ, MessageFile, open_message


class Undecodable(Refusal):
    """Of messages at these positions nothing was told: nobody knows how to decode a part of theirs (RFC 3516)."""

    def __init__(self, positions: Sequence[int]) -> None:
        super().__init__(no("I do not know how to decode that part.", b"UNKNOWN-CTE"))
        self.positions = positions


class TextTeller:
    """Writes the responses of many messages, gathering small ones until they are worth a write."""

    def __init__(self, session: Session, view: Selected, items: Sequence[FetchItem]) -> None:
        self._session = session
        self._view = view
        self._items = items
        self._out = Gathering(session)
        self._small = Responses(view, items, session.utf8)

    async def tell(self, positions: Sequence[int]) -> int:
        """Answer for these messages; returns for how many, since others have gone.

        Of a part in an unknown encoding nothing is told, and when the others are told Undecodable is raised.
        """
        unknown = []
        told = 0
        for position in positions:
            try:
                told += await self._tell_small(position) or await self._tell_one(position)
            except UnknownEncoding:
                unknown.append(position)
            await self._session.line.breathe()
        await self._out.let_out()
        if unknown:
            raise Undecodable(unknown)
        return told

    async def _tell_small(self, position: int) -> bool:
        response = self._small.of(position)
        if response is None:
            return False
        self._out.hold(response)
        await self._out.let_out_much()
        return True

    async def _tell_one(self, position: int) -> bool:
        view = self._view
        message = await open_message(self._session.server.folders, view.folder, partial(view.place, position))
        if message is None:
            return False
        with message:
            return await self._tell_message(message, position, view.place(position))

    async def _tell_message(self, message: MessageFile, position: int, place: int) -> bool:
        places = await self._places(message, self._view.uid(position))
        line = self._session.line
        made = [
            Decoding(line, message, places, item)
            if isinstance(item, Binary)
            else item
            if isinstance(item, Section)
            else maker(self._view, item, self._session.utf8)(place)
            for item in self._items
        ]  # before anything is said: the message may be expunged while the client reads
        if None in made:
            return False
        out = self._out
        out.hold(responses.fetch_start(position + 1))
        for number, one in enumerate(made):
            out.hold(b" " if number else b"")
            if isinstance(one, Section):
                await self._tell_section(message, places, one)
            elif isinstance(one, Decoding):
                await one.tell(out)
            else:
                out.hold(one or b"")
        out.hold(responses.FETCH_END)
        await out.let_out_much()
        return True

    async def _places(self, message: MessageFile, uid: int) -> Places:
        """Where the parts stand; the tree of them only when a part is asked for."""
        summary = self._view.folder.summaries.get(uid)
        if summary is not None and summary.places.end == message.size:
            return summary.places
        if any(isinstance(item, (Section, Binary)) and sections.needs_places(item) for item in self._items):
            return (await message.summary(self._session.server.reactor)).places
        return Places(0, message.header_end(), message.size)

    async def _tell_section(self, message: MessageFile, places: Places, section: Section) -> None:
        found = sections.locate(places, section)
        if found is None:
            self._out.hold(responses.section_attribute(section.label, None))
            return
        start, end = found
        if section.text in (Text.FIELDS, Text.FIELDS_NOT):
            header = message.read(start, min(end, start + HEADER_LIMIT))
            octets = sections.fields(header, section)
            start, end = sections.cut(0, len(octets), section.partial)
            self._out.hold(responses.section_attribute(section.label, octets[start:end]))
            return
        start, end = sections.cut(start, end, section.partial)
        self._out.hold(responses.section_start(section.label, end - start))
        while start < end:
            octets = message.read(start, min(end, start + READ))
            if not octets:
                raise OSError(f"{self._view.folder.path}: a message became shorter while it was read")
            self._out.hold(octets)
            start += len(octets)
            await self._out.let_out_much()
