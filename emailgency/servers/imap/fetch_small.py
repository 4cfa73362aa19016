"""FETCH of text from a message that is read at once, as most are: no waiting, and half the time of `fetch_text`."""

import os
from collections.abc import Callable, Sequence
from operator import is_not

from emailgency.codec.imap import responses
from emailgency.codec.imap.commands import Binary, FetchItem, Section, Text
from emailgency.codec.mime import headers, sections
from emailgency.codec.mime.sections import Places
from emailgency.servers.imap.fetch_columns import maker
from emailgency.servers.imap.selected import Selected
from emailgency.servers.message_file import READ
from emailgency.store.mailboxes.folder import UNKNOWN

Maker = Callable[[int], bytes | None]  # place in the folder -> the attribute as sent


class Responses:
    """Of many messages, with the same items."""

    def __init__(self, view: Selected, items: Sequence[FetchItem], utf8: bool) -> None:
        self._view = view
        self._items = items
        self._utf8 = utf8
        self._plain = not any(isinstance(item, Binary) for item in items)
        self._columns: tuple[object, ...] = ()
        self._makers: list[Section | Maker] = []

    def of(self, position: int) -> bytes | None:
        """The whole FETCH response. None: the message is larger, its parts are not known yet, or it is not where it
        was, or asked for in another way.
        """
        view = self._view
        place = view.place(position)
        octets = _read(view.folder.full_path(place)) if self._plain and place != UNKNOWN else None
        if octets is None:
            return None
        told = []
        for item in self._current():
            found = _section(octets, view, place, item) if isinstance(item, Section) else item(place)
            if found is None:
                return None
            told.append(found)
        return responses.fetch_start(position + 1) + b" ".join(told) + responses.FETCH_END

    def _current(self) -> list[Section | Maker]:
        """Makers look into columns of the folder, which others may put new ones in the place of while we wait."""
        folder = self._view.folder
        columns = folder.uids, folder.letters, folder.modseqs, folder.keywords
        if len(self._columns) != len(columns) or any(map(is_not, self._columns, columns)):
            self._columns = columns
            self._makers = [
                item if isinstance(item, Section) else maker(self._view, item, self._utf8)
                for item in self._items
                if not isinstance(item, Binary)
            ]
        return self._makers


def _read(path: str) -> bytes | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        octets = os.read(descriptor, READ)
    finally:
        os.close(descriptor)
    return octets if len(octets) < READ else None


def _section(octets: bytes, view: Selected, place: int, section: Section) -> bytes | None:
    if sections.needs_places(section):
        summary = view.folder.summaries.get(view.folder.uids[place])
        if summary is None or summary.places.end != len(octets):
            return None
        places = summary.places
    else:
        header = 0 if section.text is Text.ALL else headers.header_end(octets, 0, len(octets))
        places = Places(0, header, len(octets))
    found = sections.locate(places, section)
    if found is None:
        return responses.section_attribute(section.label, None)
    start, end = found
    if section.text in (Text.FIELDS, Text.FIELDS_NOT):
        octets = sections.fields(octets[start : min(end, start + headers.LIMIT)], section)
        start, end = 0, len(octets)
    start, end = sections.cut(start, end, section.partial)
    return responses.section_attribute(section.label, octets[start:end])
