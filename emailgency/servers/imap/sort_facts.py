"""What SORT and THREAD know of each message, from the cache or by reading its header."""

from collections.abc import Sequence

from msgspec.structs import replace

from emailgency.codec.mime import sort_keys
from emailgency.codec.mime.sort_keys import SortKeys
from emailgency.servers.imap.selected import Selected
from emailgency.servers.imap.session import Session
from emailgency.servers.message_file import MessageFile
from emailgency.store.mailboxes.folder import UNKNOWN

_SOME = 200  # messages that are known, between two breaths


async def gather(session: Session, view: Selected, positions: Sequence[int]) -> dict[int, SortKeys]:
    """By position; messages that have gone are left out. Without a Date INTERNALDATE counts (RFC 5256 section 2.2)."""
    index = session.server.search_index
    known = await index.sort_keys(view.folder)
    index.want(view.folder)
    facts: dict[int, SortKeys] = {}
    for count, position in enumerate(positions):
        keys = known.get(view.uid(position))
        if keys is not None and keys.sent is not None:
            facts[position] = keys
        else:
            found = await _read(session, view, position)
            if found is not None:
                facts[position] = found
        if count % _SOME == 0 or keys is None:
            await session.line.breathe()
    return facts


async def _read(session: Session, view: Selected, position: int) -> SortKeys | None:
    for _ in range(2):
        place = view.place(position)
        if place == UNKNOWN:
            return None
        try:
            with MessageFile(view.folder.full_path(place)) as message:
                keys = sort_keys.read(message.header())
            return keys if keys.sent is not None else replace(keys, sent=int(view.folder.date(place)))
        except FileNotFoundError:
            await session.server.folders.refresh(view.folder)  # renamed by another program, or gone
    return None
