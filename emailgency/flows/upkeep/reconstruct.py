"""Rebuild the indexes of a mailbox from its Maildir (row B9), while its users go on."""

import contextlib
import os
from typing import Any

from emailgency.background import in_thread
from emailgency.flows.progress import Progress
from emailgency.model.directory import Mailbox
from emailgency.model.errors import Invalid
from emailgency.store import layout
from emailgency.store.mailboxes import summary_rows
from emailgency.store.mailboxes.folder import Folder
from emailgency.store.mailboxes.folders import Folders
from emailgency.store.searching import database as search_cache
from emailgency.store.storing.line import Storer
from emailgency.store.storing.messages import Reconstruct


class Reconstruction:
    """The storer reads the files anew, folder by folder; nothing of ours is trusted meanwhile but the UIDs."""

    def __init__(self, reactor: Any, storer: Storer, folders: Folders) -> None:
        self._reactor = reactor
        self._storer = storer
        self._folders = folders

    async def of_mailbox(self, mailbox: Mailbox, progress: Progress) -> dict[str, int]:
        """How many folders and messages it has. UIDs stay; a UIDVALIDITY too, unless no trace of it is left."""
        path = layout.mailbox(mailbox.customer, mailbox.id)
        await in_thread(self._reactor, forget_summaries, os.path.join(self._folders.root, path))
        paths = (await self._folders.listing(path)).folders
        messages = 0
        for done, inner in enumerate(paths):
            await self._storer.ask(Reconstruct(self._storer.number(), inner))
            folder = await self._folders.open(inner)  # whoever reads it is told what is other than he knew
            if isinstance(folder, Folder):
                folder.summaries.clear()
                messages += len(folder)
            progress("folders reconstructed", done + 1, len(paths))
        if not messages and not os.path.isdir(os.path.join(self._folders.root, path)):
            raise Invalid(f"{mailbox.address} has no mail and was never opened: there is nothing to reconstruct")
        return {"folders": len(paths), "messages": messages}


def forget_summaries(mailbox: str) -> None:
    """The caches of parsed messages and of their texts; they fill again. Blocks."""
    for file in (summary_rows.FILE, search_cache.FILE):
        for suffix in ("", "-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(mailbox, file + suffix))
