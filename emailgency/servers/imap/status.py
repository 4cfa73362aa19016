"""STATUS (RFC 9051 section 6.3.11): numbers of a folder without selecting it; each item is a function of `ITEMS`."""

import contextlib
from collections.abc import Awaitable, Callable

from msgspec import Struct
from twisted.internet.defer import Deferred, FirstError, gatherResults

from emailgency.codec.imap import commands, responses
from emailgency.servers.imap import modseqs
from emailgency.servers.imap.session import Completed, Session, no_such_folder
from emailgency.store.mailboxes.folder import UNKNOWN, Folder
from emailgency.store.storing.replies import Refused

MANY = 20  # folders; 10 ms of the storer, whom others wait for as well

Item = Callable[[Session, Folder], Awaitable[int | str]]


async def status(session: Session, command: commands.Status) -> Completed:
    found = await tell_status(session, command.name, session.path(command.name), command.items)
    return Completed("That is its state.") if found else no_such_folder()


async def tell_status(session: Session, name: str, path: str, items: tuple[str, ...]) -> bool:
    """False: there is no such folder."""
    folder = await _look(session, path)
    if isinstance(folder, Refused):
        return False
    session.line.write(await _response(session, name, folder, items))
    return True


class Row(Struct, frozen=True):
    """A response, and behind it the STATUS of the folder at `path`, if one is named and there."""

    response: bytes = b""
    name: str = ""
    path: str = ""


class Rows:
    """Responses about many folders. Of those that nobody has opened yet the storer is asked MANY at once, so that its
    answers need not be waited for one by one; what they tell goes out together.
    """

    def __init__(self, session: Session, items: tuple[str, ...]) -> None:
        self._session = session
        self._items = items
        self._waiting: list[Row] = []

    async def hold(self, row: Row) -> None:
        self._waiting.append(row)
        if len(self._waiting) >= MANY:
            await self.let_out()

    async def let_out(self) -> None:
        """All that is held, in its order."""
        session = self._session
        rows, self._waiting = self._waiting, []
        looks = [Deferred.fromCoroutine(_look(session, row.path)) for row in rows if row.path]
        try:
            folders = iter(await gatherResults(looks, consumeErrors=True))
        except FirstError as first:
            first.subFailure.raiseException()
        told = []
        for row in rows:
            told.append(row.response)
            folder = next(folders) if row.path else None
            if isinstance(folder, Folder):
                told.append(await _response(session, row.name, folder, self._items))
        await session.line.say(b"".join(told))


async def _look(session: Session, path: str) -> Folder | Refused:
    folder = await session.server.folders.glance(path, session.server.clock())
    return await session.open(path) if isinstance(folder, Refused) else folder


async def _response(session: Session, name: str, folder: Folder, items: tuple[str, ...]) -> bytes:
    values = {item: await ITEMS[item](session, folder) for item in items}
    return responses.status(name, values, session.utf8)


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
