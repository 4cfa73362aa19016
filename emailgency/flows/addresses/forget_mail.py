"""Mail goes with the mailbox or the customer it belonged to; and the mail of a mailbox that stays is destroyed."""

import contextlib
import os
from collections.abc import Callable, Sequence
from typing import Any

from emailgency.background import in_thread
from emailgency.flows.addresses.new_mailbox import furnish
from emailgency.flows.progress import Progress
from emailgency.model.directory import Mailbox
from emailgency.store import layout
from emailgency.store.backup.files import is_maildir, walk
from emailgency.store.mailboxes.folder import Folder
from emailgency.store.mailboxes.folders import Folders


class ForgetMail:
    """The files go by the storer, their only writer; they are out of sight at once and off the disk a little later."""

    def __init__(self, reactor: Any, folders: Folders, names: Callable[[], Sequence[tuple[str, ...]]]) -> None:
        """`names` gives the folders of a new mailbox, by the settings of now."""
        self._names = names
        self._reactor = reactor
        self._folders = folders

    async def of_customer(self, id: str) -> None:
        """All his mailboxes, unknown addresses and Undelivered."""
        path = os.path.dirname(layout.undelivered(id))
        for maildir in await in_thread(self._reactor, maildirs_of, self._folders.root, path):
            await self._delete(maildir)
        await in_thread(self._reactor, remove_empty, self._folders.root, path)

    async def of_mailbox(self, mailbox: Mailbox, progress: Progress) -> dict[str, int]:
        """Of one that is no longer in the directory; what there was."""
        return await self._delete(layout.mailbox(mailbox.customer, mailbox.id), progress)

    async def of_empty_mailbox(self, path: str) -> bool:
        """False: there is mail in it, perhaps since a moment ago, and it is still there."""
        for inner in reversed((await self._folders.listing(path)).folders):
            refused = await self._folders.delete(inner, at_most=0)
            if refused is not None and refused.reason == "exists":
                return False
        return True

    async def wipe(self, mailbox: Mailbox, progress: Progress) -> dict[str, int]:
        """What there was. The mailbox is as new afterwards, under other UIDVALIDITYs."""
        path = layout.mailbox(mailbox.customer, mailbox.id)
        gone = await self._delete(path, progress)
        await furnish(self._folders, path, self._names())
        return gone

    async def _delete(self, path: str, progress: Progress = lambda what, done, of: None) -> dict[str, int]:
        """A mailbox: its other folders first, one by one, so that whoever reads them is told; INBOX last."""
        messages = octets = 0
        paths = (await self._folders.listing(path)).folders
        for done, inner in enumerate(reversed(paths)):
            folder = await self._folders.open(inner)
            if isinstance(folder, Folder):
                messages += len(folder)
                octets += folder.octets()
                await self._folders.delete(inner)
            progress("folders destroyed", done + 1, len(paths))
        return {"messages": messages, "octets": octets}


def maildirs_of(root: str, path: str) -> list[str]:
    """Blocks."""
    return [found for found in walk(root, path) if is_maildir(os.path.join(root, found))]


def remove_empty(root: str, path: str) -> None:
    """The folders that held Maildirs, the innermost first; one that is not empty stays. Blocks."""
    for found in reversed(list(walk(root, path))):
        with contextlib.suppress(OSError):
            os.rmdir(os.path.join(root, found))
