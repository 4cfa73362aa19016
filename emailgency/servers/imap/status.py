"""STATUS (RFC 9051 section 6.3.11): numbers of a folder without selecting it; each item is a function of `ITEMS`."""

from collections.abc import Awaitable, Callable

from emailgency.codec.imap import commands, responses
from emailgency.servers.imap.session import Completed, Session, no_such_folder
from emailgency.store.folder import Folder
from emailgency.store.storing.messages import Refused

Item = Callable[[Session, Folder], Awaitable[int]]


async def status(session: Session, command: commands.Status) -> Completed:
    found = await tell_status(session, command.name, session.path(command.name), command.items)
    return Completed("That is its state.") if found else no_such_folder()


async def tell_status(session: Session, name: str, path: str, items: tuple[str, ...]) -> bool:
    """False: there is no such folder."""
    folder = await session.open(path)
    if isinstance(folder, Refused):
        return False
    values = {item: await ITEMS[item](session, folder) for item in items}
    session.line.write(responses.status(name, values))
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


ITEMS: dict[str, Item] = {
    "MESSAGES": _messages,
    "RECENT": _recent,
    "UIDNEXT": _uidnext,
    "UIDVALIDITY": _uidvalidity,
    "UNSEEN": _unseen,
}
