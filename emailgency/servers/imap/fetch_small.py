"""FETCH of text from a message that is read at once, as most are: no waiting, and half the time of `fetch_text`."""

import os
from collections.abc import Sequence

from emailgency.codec.imap import responses
from emailgency.codec.imap.commands import Binary, FetchItem, Section, Text
from emailgency.codec.mime import headers, sections
from emailgency.codec.mime.sections import Places
from emailgency.servers.imap.fetch_columns import maker
from emailgency.servers.imap.selected import Selected
from emailgency.servers.message_file import READ
from emailgency.store.folder import UNKNOWN


def response(view: Selected, position: int, items: Sequence[FetchItem], utf8: bool) -> bytes | None:
    """The whole FETCH response. None: the message is larger, its parts are not known yet, or it is not where it was."""
    place = view.place(position)
    octets = None if place == UNKNOWN else _read(view.folder.full_path(place))
    if octets is None:
        return None
    told = []
    for item in items:
        if isinstance(item, Binary):
            return None
        found = _section(octets, view, place, item) if isinstance(item, Section) else maker(view, item, utf8)(place)
        if found is None:
            return None
        told.append(found)
    return responses.fetch_start(position + 1) + b" ".join(told) + responses.FETCH_END


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
