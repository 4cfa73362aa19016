"""Summaries of messages, from the cache or by parsing, so that FETCH can answer from memory."""

from collections.abc import Sequence

from emailgency.codec.mime.summary import Summary
from emailgency.servers.imap.message_file import MessageFile
from emailgency.servers.imap.session import Session
from emailgency.store.folder import UNKNOWN, Folder


async def summarise(session: Session, folder: Folder, uids: Sequence[int]) -> None:
    """See that the summaries of these messages (ascending) are in memory: best some hundreds at once."""
    server = session.server
    missing = [uid for uid in uids if uid not in folder.summaries]
    if not missing:
        return
    await server.summaries.load(folder, missing)
    made: dict[int, Summary] = {}
    try:
        for uid in missing:
            if uid in folder.summaries:
                continue
            summary = await _parse(session, folder, uid)
            if summary is not None:
                made[uid] = folder.summaries[uid] = summary
            await session.line.breathe()
    finally:
        if made:
            server.summaries.keep(folder, made)


async def _parse(session: Session, folder: Folder, uid: int) -> Summary | None:
    for _ in range(2):
        place = folder.index(uid)
        if place == UNKNOWN:
            return None
        try:
            with MessageFile(folder.full_path(place)) as message:
                return await message.summary(session.server.reactor)
        except FileNotFoundError:
            await session.server.folders.refresh(folder)  # another program renamed it, or took it away
    return None
