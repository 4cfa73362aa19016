"""Previews of messages for FETCH (RFC 8970), from the cache or made from the beginning of the message."""

from collections.abc import Sequence
from functools import partial

from emailgency.background import in_thread
from emailgency.codec.imap.commands import Attribute
from emailgency.codec.mime.preview import HEAD, preview
from emailgency.servers.imap.selected import Selected
from emailgency.servers.imap.session import Session
from emailgency.servers.message_file import MessageFile, open_message
from emailgency.store.mailboxes.folder import Folder

PREVIEWS = frozenset({Attribute.PREVIEW, Attribute.PREVIEW_IF_KNOWN})


async def prepare(session: Session, view: Selected, uids: Sequence[int], make: bool) -> None:
    """Bring the previews of these messages (ascending) into `view.previews`; without `make` those that are kept."""
    folder, previews = view.folder, session.server.previews
    view.previews = known = await previews.load(folder, uids) if uids else {}
    if not make:
        return
    made: dict[int, str] = {}
    try:
        for uid in uids:
            if uid not in known and (words := await _words(session, folder, uid)) is not None:
                made[uid] = known[uid] = words
            await session.line.breathe()
    finally:
        if made:
            previews.keep(folder, made)


async def _words(session: Session, folder: Folder, uid: int) -> str | None:
    message = await open_message(session.server.folders, folder, partial(folder.index, uid))
    if message is None:
        return None
    with message:
        return await _preview(session, message)


async def _preview(session: Session, message: MessageFile) -> str:
    with message.octets() as octets:
        words = preview(octets[:HEAD])
        if words or message.size <= HEAD:
            return words
        return await in_thread(session.server.reactor, preview, octets)
