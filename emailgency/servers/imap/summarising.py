"""Summaries of messages, from the cache or by parsing, so that FETCH can answer from memory."""

from collections.abc import Sequence
from functools import partial

from emailgency.codec.mime.summary import Summary
from emailgency.servers.imap.session import Session
from emailgency.servers.message_file import open_message
from emailgency.store.mailboxes.folder import Folder


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
    message = await open_message(session.server.folders, folder, partial(folder.index, uid))
    if message is None:
        return None
    with message:
        return await message.summary(session.server.reactor)
