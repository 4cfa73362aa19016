"""The Maildirs in use: opened once, kept while they are used, and made when mail arrives for a new one."""

import contextlib
import os
import time
from collections.abc import Callable, Collection

from emailgency.store import layout
from emailgency.store.storing import files
from emailgency.store.storing.maildir import SETTLED, Maildir
from emailgency.store.storing.uids import Validities

_OPEN = 1024  # folders kept open, 4 descriptors each
_NAMES = 500_000  # names kept in all lists together, about 200 octets each
_REMEMBERED = 10_000  # removed mailboxes; mail is late by seconds, not by as many removals


class Maildirs:
    """Looks folders up by their path below the data folder, least recently used last."""

    def __init__(self, root: int, limit: int = _OPEN, names: int = _NAMES) -> None:
        self.root = root
        self.validities = Validities(root)
        self._limit = limit
        self._names = names
        self._open: dict[str, Maildir] = {}
        self._removed: dict[str, None] = {}  # mailboxes, the latest last
        self.retired: list[Maildir] = []  # out of the cache; closed when nobody's sync needs them any more

    def get(self, path: str) -> Maildir | None:
        """The Maildir at `path`, None when there is none."""
        found = self._open.pop(path, None)
        if found is not None and not found.still_there(self.root):
            self.retired.append(found)
            found = None
        if found is None:
            try:
                descriptor = files.open_folder(self.root, path)
            except (FileNotFoundError, NotADirectoryError):
                return None
            found = self._load(path, descriptor, sync=False)
        self._open[path] = found
        return found

    def known(self, path: str) -> Maildir | None:
        """The Maildir at `path` if it is open already."""
        found = self._open.get(path)
        return found if found is not None and found.still_there(self.root) else None

    def make(self, path: str, address: str | None = None, *, sync: bool = True) -> Maildir:
        """The Maildir at `path`, made when missing; `address` goes into the file of that name.

        Without `sync` the caller syncs a new one, and the folder it is in.
        """
        found = self.get(path)
        if found is None:
            self._removed.pop(path, None)
            files.make_folders(self.root, path, sync=sync)
            descriptor = files.open_folder(self.root, path)
            if os.path.basename(path).startswith("."):
                os.close(os.open("maildirfolder", files.NEW_FILE, 0o600, dir_fd=descriptor))  # Maildir++
            found = self._open[path] = self._load(path, descriptor, sync=sync)
        if address is not None:
            found.belongs_to(address)
        return found

    def forget(self, path: str) -> None:
        """`path` and all below it are about to be renamed or removed."""
        for known in [known for known in self._open if known == path or known.startswith(f"{path}/")]:
            maildir = self._open.pop(known)
            with contextlib.suppress(OSError):
                maildir.settle()
            self.retired.append(maildir)

    def remove(self, path: str) -> None:
        """`path` and all below it are about to be removed. A mailbox comes back only when somebody asks for it."""
        self.forget(path)
        if layout.is_mailbox(path):
            self._removed[path] = None
            if len(self._removed) > _REMEMBERED:
                del self._removed[next(iter(self._removed))]

    def was_removed(self, path: str) -> bool:
        """Whether this is a mailbox that has gone: mail that comes late must not make it anew."""
        return path in self._removed

    def trim(self, in_use: Callable[[], Collection[Maildir]]) -> None:
        """Close what is beyond the bounds, but those `in_use` later: their syncs or renames are still to come."""
        total = 0
        for maildir in reversed(list(self._open.values())):
            total += len(maildir.names or ())
            if total > self._names and maildir.names is not None:
                maildir.drop_names()
        while len(self._open) > self._limit:
            maildir = self._open.pop(next(iter(self._open)))
            with contextlib.suppress(OSError):
                maildir.settle()
            self.retired.append(maildir)
        if self.retired:
            used = in_use()
            for maildir in self.retired:
                if maildir not in used:
                    maildir.close()
            self.retired = [maildir for maildir in self.retired if maildir in used]

    def settle(self) -> None:
        """A clean stop. Waits until the latest change is old enough for the next one to show in the folder's times."""
        youngest = min((maildir.age() for maildir in self._open.values()), default=SETTLED)
        if youngest <= SETTLED:
            time.sleep(min(SETTLED - youngest, SETTLED) + 0.001)
        for maildir in self._open.values():
            with contextlib.suppress(OSError):
                maildir.settle()

    def _load(self, path: str, descriptor: int, *, sync: bool) -> Maildir:
        maildir = Maildir(path, descriptor)
        try:
            maildir.load(self.validities, time.time(), sync=sync)
        except OSError:
            maildir.close()
            raise
        return maildir
