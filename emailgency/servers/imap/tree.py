"""The folders of one mailbox as a tree: which exist, which are only implied by others, which are subscribed.

Made of the storer's listing, and kept while that is true: 10,000 folders take a tenth of a second to make sense of.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager

from twisted.internet.defer import DeferredLock

from emailgency.servers.imap import names
from emailgency.servers.imap.names import Name
from emailgency.store import layout
from emailgency.store.mailboxes.folders import Folders
from emailgency.store.storing.replies import FolderList

_TURN = 500  # folders between two chances for others to run, some 3 ms
_KEPT = 50_000  # folders of all trees kept, some 30 MB

Breathe = Callable[[], Awaitable[None]]


class Tree:
    """INBOX always exists. `uses` are the special uses that users have given (RFC 6154), in the words of LIST."""

    def __init__(self, listing: FolderList, mailbox: str) -> None:
        self.listing = listing
        self.subscribed = {name for name in map(names.unstored, listing.subscriptions) if names.speakable(name)}
        self.uses = {layout.folder_name(mailbox, path): use.split() for path, use in listing.uses}
        self.claimed = frozenset(use.lower() for found in self.uses.values() for use in found)
        self._mailbox = mailbox
        self._existing: set[Name] = {()}
        self._parents: set[Name] = set()
        self._subscribed_parents = parents(self.subscribed)
        self._in_order: list[Name] | None = None
        self._shown: list[Name] | None = None

    async def fill(self, breathe: Breathe) -> None:
        """Take the names of the listing in."""
        paths = self.listing.folders
        for start in range(0, len(paths), _TURN):
            found = {layout.folder_name(self._mailbox, path) for path in paths[start : start + _TURN]}
            self._existing |= {name for name in found if names.speakable(name) and name != (names.INBOX,)}
            await breathe()
        self._parents = parents(self._existing)

    @property
    def count(self) -> int:
        return len(self._existing)

    def exists(self, name: Name) -> bool:
        return name in self._existing

    def existing(self) -> list[Name]:
        """In order; not to be changed."""
        if self._in_order is None:
            self._in_order = sorted(self._existing)
        return self._in_order

    def shown(self) -> list[Name]:
        """All folders, and parents that only their children imply; INBOX comes first."""
        if self._shown is None:
            self._shown = sorted(self._existing | self._parents)
        return self._shown

    def subscribed_and_parents(self) -> list[Name]:
        return sorted(self.subscribed | self._subscribed_parents)

    def has_children(self, name: Name) -> bool:
        return name in self._parents

    def under(self, name: Name) -> list[Name]:
        """The folder itself, if it exists, and all below it."""
        depth = len(name)
        return [one for one in self.existing() if one[:depth] == name]


class Trees:
    """The trees used last, by mailbox."""

    def __init__(self, folders: Folders) -> None:
        self._folders = folders
        self._kept: dict[str, Tree] = {}  # used last is last
        self._weight = 0
        self._subscribing = DeferredLock()

    async def of(self, mailbox: str, breathe: Breathe) -> Tree:
        """The tree of a mailbox (its path) as it is now. Raises Temporary."""
        known = self._kept.get(mailbox)
        listing = await self._folders.listing(mailbox, known.listing if known else None)
        if known is None or known.listing is not listing:
            known = Tree(listing, mailbox)
            await known.fill(breathe)
        self._keep(mailbox, known)
        return known

    @asynccontextmanager
    async def subscribing(self) -> AsyncIterator[None]:
        """Held while a list of subscriptions is read, changed and replaced: two at once would lose one change."""
        await self._subscribing.acquire()
        try:
            yield
        finally:
            self._subscribing.release()

    def _keep(self, mailbox: str, tree: Tree) -> None:
        before = self._kept.pop(mailbox, None)
        self._weight += tree.count - (before.count if before else 0)
        self._kept[mailbox] = tree
        while self._weight > _KEPT and len(self._kept) > 1:
            oldest = next(iter(self._kept))
            self._weight -= self._kept.pop(oldest).count


def parents(found: Iterable[Name]) -> set[Name]:
    """All names above these."""
    found_above = {name[:depth] for name in found for depth in range(1, len(name))}
    return {() if name == (names.INBOX,) else name for name in found_above}
