"""The folders of one mailbox as a tree: which exist, which are only implied by others, which are subscribed."""

from collections.abc import Iterable

from emailgency.servers.imap import names
from emailgency.servers.imap.names import Name
from emailgency.store import layout
from emailgency.store.storing.messages import FolderList


class Tree:
    """Made anew for each command from the storer's listing. INBOX always exists."""

    def __init__(self, listing: FolderList, mailbox: str) -> None:
        found = (layout.folder_name(mailbox, path) for path in listing.folders)
        self._existing = {name for name in found if names.speakable(name) and name != (names.INBOX,)} | {()}
        self._parents = _parents(self._existing)
        self.subscribed = {name for name in map(names.unstored, listing.subscriptions) if names.speakable(name)}
        self._subscribed_parents = _parents(self.subscribed)

    @property
    def count(self) -> int:
        return len(self._existing)

    def exists(self, name: Name) -> bool:
        return name in self._existing

    def existing(self) -> list[Name]:
        return sorted(self._existing)

    def shown(self) -> list[Name]:
        """All folders, and parents that only their children imply; INBOX comes first."""
        return sorted(self._existing | self._parents)

    def subscribed_and_parents(self) -> list[Name]:
        return sorted(self.subscribed | self._subscribed_parents)

    def has_children(self, name: Name) -> bool:
        return name in self._parents

    def has_subscribed_child(self, name: Name) -> bool:
        return name in self._subscribed_parents

    def attributes(self, name: Name) -> list[str]:
        """RFC 3501 section 7.2.2 and RFC 3348; a subscribed folder may have gone (RFC 5258 section 3)."""
        children = "\\HasChildren" if self.has_children(name) else "\\HasNoChildren"
        if self.exists(name):
            return [children]
        return ["\\Noselect", children] if self.has_children(name) else ["\\NonExistent", children]


def _parents(found: Iterable[Name]) -> set[Name]:
    parents = {name[:depth] for name in found for depth in range(1, len(name))}
    return {() if name == (names.INBOX,) else name for name in parents}
