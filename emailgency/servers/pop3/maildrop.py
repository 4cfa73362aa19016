"""One session's view of an INBOX: the messages that were there at its login, numbered once and for all.

Others go on beside it: mail arrives, IMAP expunges. What comes later is not in the view; what goes keeps its number
and its size, but can no longer be fetched (RFC 1939 section 8 wants the numbers to stay).
"""

from array import array
from collections.abc import Collection, Iterator

from emailgency.store.mailboxes.folder import UNKNOWN, Folder


class Maildrop:
    """A listener of the folder, which keeps its snapshot current. Positions count from 0."""

    def __init__(self, folder: Folder) -> None:
        self.folder = folder
        self.count = len(folder)
        self.sizes = array("q")  # in octets; as many as have been measured
        self.removed: set[int] = set()  # positions; they go at QUIT
        self.fetched: set[int] = set()  # positions
        self._uids = folder.uids  # only ever appended to in place, so its first `count` stay ours

    def folder_changed(self, flagged: Collection[int]) -> None:
        """Nothing of it is told."""

    def measure(self, most: int) -> bool:
        """Note the sizes of the next `most` messages; False: that was all of them.

        A size is what the file's name says, one stat where it says none.
        """
        for position in range(len(self.sizes), min(self.count, len(self.sizes) + most)):
            place = self.place(position)
            try:
                size = 0 if place == UNKNOWN else self.folder.size(place)
            except FileNotFoundError:
                size = 0
            self.sizes.append(size)
        return len(self.sizes) < self.count

    def place(self, position: int) -> int:
        """The folder's index of a message, UNKNOWN when it has gone."""
        if self._uids is self.folder.uids:
            return position
        return self.folder.index(self._uids[position])

    def uid(self, position: int) -> int:
        return self._uids[position]

    def identity(self, position: int) -> str:
        """For UIDL: the same in every session, and never given to another message (RFC 1939 section 7)."""
        return f"{self.folder.uidvalidity}.{self._uids[position]}"

    def present(self) -> Iterator[int]:
        """Positions of what the client has not removed."""
        return (position for position in range(self.count) if position not in self.removed)

    def total(self) -> tuple[int, int]:
        """Messages and octets, without those removed."""
        octets = sum(self.sizes) - sum(self.sizes[position] for position in self.removed)
        return self.count - len(self.removed), octets
