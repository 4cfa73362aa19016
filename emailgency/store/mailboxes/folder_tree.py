"""What can be done to the folders of a mailbox as a whole: list, make, remove, rename, subscribe, annotate.

What cannot be is returned, not raised: `Refused("nonexistent" | "exists" | "limit")`. Trouble raises `Temporary`.
"""

from collections.abc import Iterable, Mapping, Sequence

from emailgency.store.mailboxes.folder import Folder
from emailgency.store.mailboxes.snapshots import Snapshots
from emailgency.store.storing.messages import (
    Annotate,
    CreateFolder,
    DeleteFolder,
    Furnish,
    ReadAnnotations,
    RenameFolders,
    Subscriptions,
)
from emailgency.store.storing.messages import Folders as ListFolders
from emailgency.store.storing.replies import Annotations, FolderList, Furnished, Opened, Refused, Reply, Unchanged


class FolderTree(Snapshots):
    """Readers of a folder that is removed or renamed are told, or keep reading."""

    async def listing(self, mailbox: str, known: FolderList | None = None) -> FolderList:
        """`known` itself when it is still true."""
        reply = await self._ask(ListFolders(self._storer.number(), mailbox, known.token if known else ""))
        if isinstance(reply, Unchanged) and known is not None:
            return known
        assert isinstance(reply, FolderList)
        return reply

    async def create(self, path: str, quiet: bool = False, address: str | None = None) -> Folder | Refused:
        """A new folder; with `quiet` an existing one will do. `address`: of an unknown address."""
        reply = await self._ask(CreateFolder(self._storer.number(), path, quiet, address))
        if not isinstance(reply, Opened):
            return refused(reply)
        folder = self._loaded(reply)
        if reply.uidnext == 1:
            self.happened(path, "MAILBOXNAME")
        return folder

    async def furnish(self, mailbox: str, folders: Iterable[str], subscriptions: Iterable[str]) -> None:
        """INBOX, and a mailbox without folders or subscriptions of its own gets these; all of it before it returns."""
        reply = await self._ask(Furnish(self._storer.number(), mailbox, tuple(folders), tuple(subscriptions)))
        assert isinstance(reply, Furnished)
        for path in reply.made:
            self.happened(path, "MAILBOXNAME")

    async def delete(self, path: str, at_most: int | None = None) -> Refused | None:
        """The folder and its messages, not the folders below it. Refused("exists"): it has more than `at_most`."""
        reply = await self._ask(DeleteFolder(self._storer.number(), path, at_most))
        if isinstance(reply, Refused):
            return reply
        self._lost(path)
        self.happened(path, "MAILBOXNAME")
        return None

    async def rename(self, pairs: Sequence[tuple[str, str]]) -> Refused | None:
        """Rename folders, (old path, new path) each, all or none. Their readers keep reading."""
        reply = await self._ask(RenameFolders(self._storer.number(), tuple(pairs)))
        if isinstance(reply, Refused):
            return reply
        for old, new in pairs:
            folder = self._known.pop(old, None)
            if folder is not None:
                folder.path = new
                folder.token = ""
                self._known[new] = folder
        for old, new in pairs:
            self.happened(new, "MAILBOXNAME", old)
        return None

    async def subscribe(self, mailbox: str, names: Iterable[str]) -> None:
        """Replace the list of subscribed names."""
        await self._ask(Subscriptions(self._storer.number(), mailbox, tuple(sorted(set(names)))))

    async def annotations(self, path: str, server: bool = False) -> dict[str, bytes] | Refused:
        """What clients have noted about a folder; with `server` about the server, in the folder INBOX."""
        reply = await self._ask(ReadAnnotations(self._storer.number(), path, server))
        return dict(reply.entries) if isinstance(reply, Annotations) else refused(reply)

    async def annotate(
        self, path: str, entries: Mapping[str, bytes | None], bounds: tuple[int, int], server: bool = False
    ) -> Refused | None:
        """Note entries, or take them away (None); `bounds` are most entries and octets of the folder's."""
        request = Annotate(self._storer.number(), path, tuple(entries.items()), *bounds, server)
        reply = await self._ask(request)
        return reply if isinstance(reply, Refused) else None


def refused(reply: Reply) -> Refused:
    assert isinstance(reply, Refused), reply
    return reply
