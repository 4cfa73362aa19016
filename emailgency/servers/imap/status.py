"""STATUS (RFC 9051 section 6.3.11): numbers of a folder without selecting it; each item is a function of `ITEMS`."""

import contextlib
from collections.abc import Awaitable, Callable

from emailgency.codec.imap import commands, responses
from emailgency.servers.imap import modseqs
from emailgency.servers.imap.session import Completed, Session, no_such_folder
from emailgency.store.folder import UNKNOWN, Folder
from emailgency.store.storing.messages import Refused

Item = Callable[[Session, Folder], Awaitable[int | str]]


async def status(session: Session, command: commands.Status) -> Completed:
    found = await tell_status(session, command.name, session.path(command.name), command.items)
    return Completed("That is its state.") if found else no_such_folder()


async def tell_status(session: Session, name: str, path: str, items: tuple[str, ...]) -> bool:
    """False: there is no such folder."""
    folder = await session.server.folders.glance(path, session.server.clock())
    if isinstance(folder, Refused):
        folder = await session.open(path)
    if isinstance(folder, Refused):
        return False
    values = {item: await ITEMS[item](session, folder) for item in items}
    session.line.write(responses.status(name, values, session.utf8))
    return True


async def know_recent(session: Session, folder: Folder) -> None:
    """See that `folder.recent_from` is known."""
    if folder.recent_from < 0:
        await session.server.summaries.load_recent(folder)


async def _messages(session: Session, folder: Folder) -> int:
    return len(folder)


async def _uidnext(session: Session, folder: Folder) -> int:
    return folder.uidnext


async def _uidvalidity(session: Session, folder: Folder) -> int:
    return folder.uidvalidity


async def _unseen(session: Session, folder: Folder) -> int:
    return folder.unseen()


async def _recent(session: Session, folder: Folder) -> int:
    await know_recent(session, folder)
    return folder.recent()


async def _deleted(session: Session, folder: Folder) -> int:
    return sum("T" in letters for letters in folder.letters)


async def _size(session: Session, folder: Folder) -> int:
    """RFC 8438: the sum of all RFC822.SIZE."""
    return await _octets(session, folder, "")


async def _deleted_storage(session: Session, folder: Folder) -> int:
    """RFC 9208 section 4.1.4: what EXPUNGE would free, in octets."""
    return await _octets(session, folder, "T")


async def _octets(session: Session, folder: Folder, letter: str) -> int:
    """Of messages whose flags have the letter."""
    total = 0
    for uid in list(folder.uids):
        place = folder.index(uid)
        if place != UNKNOWN and letter in folder.letters[place]:
            with contextlib.suppress(FileNotFoundError):  # another program has just renamed or removed it
                total += folder.size(place)
        await session.line.breathe()
    return total


async def _append_limit(session: Session, folder: Folder) -> int:
    return session.server.settings.append_limit


async def _highest(session: Session, folder: Folder) -> int:
    """RFC 7162 section 3.1.7; asking for it switches mod-sequences on."""
    modseqs.want(session)
    return folder.highest


async def _mailbox_id(session: Session, folder: Folder) -> str:
    return f"({folder.id})"


ITEMS: dict[str, Item] = {
    "HIGHESTMODSEQ": _highest,
    "MAILBOXID": _mailbox_id,
    "MESSAGES": _messages,
    "RECENT": _recent,
    "DELETED": _deleted,
    "SIZE": _size,
    "DELETED-STORAGE": _deleted_storage,
    "APPENDLIMIT": _append_limit,
    "UIDNEXT": _uidnext,
    "UIDVALIDITY": _uidvalidity,
    "UNSEEN": _unseen,
}
