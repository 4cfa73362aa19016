"""Which folders a mailbox has (Maildir++), what they are for and which are subscribed.

A list of 10,000 folders costs a tenth of a second of system calls, so it is kept while the mailbox's own folder has not
changed: making, renaming and removing folders changes it, whoever does it. What folders are for changes by us alone.
"""

import os
import stat
import time

from emailgency.store import layout
from emailgency.store.storing import annotations, files
from emailgency.store.storing.messages import Folders
from emailgency.store.storing.replies import FolderList, Unchanged

_SETTLED = 0.05  # seconds: a file time has the grain of a kernel tick, a younger one may hide a change
_UNSURE = -1  # in place of an mtime that may hide another change
_KEPT = 50_000  # folders of all lists kept, some 10 MB


class Listings:
    """`answer` lists."""

    def __init__(self, root: int) -> None:
        self._root = root
        self._kept: dict[str, tuple[int, FolderList]] = {}  # mailbox -> mtime of its folder, list; listed last is last
        self._weight = 0
        self._generation = time.time_ns()

    def answer(self, request: Folders) -> FolderList | Unchanged:
        """A mailbox that is not there has no folders."""
        try:
            mailbox = files.open_folder(self._root, request.mailbox)
        except (FileNotFoundError, NotADirectoryError):
            return FolderList(request.number, (), ())
        try:
            found = self._current(request.mailbox, mailbox)
        finally:
            os.close(mailbox)
        if request.token and request.token == found.token:
            return Unchanged(request.number)
        return FolderList(request.number, found.folders, found.subscriptions, found.uses, found.token)

    def doubt(self, mailbox: str) -> None:
        """Annotations of one of its folders have changed."""
        kept = self._kept.get(mailbox)
        if kept is not None:
            self._kept[mailbox] = (_UNSURE, kept[1])

    def _forget(self, mailbox: str) -> None:
        kept = self._kept.pop(mailbox, None)
        if kept is not None:
            self._weight -= len(kept[1].folders)

    def _current(self, path: str, mailbox: int) -> FolderList:
        mtime = os.fstat(mailbox).st_mtime_ns
        kept = self._kept.get(path)
        if kept is not None and kept[0] == mtime:
            return kept[1]
        looked = time.time()
        found = self._list(path, mailbox)
        if kept is not None and kept[1].folders == found.folders and _rest(kept[1]) == _rest(found):
            found = kept[1]  # something else in the folder was touched
        self._forget(path)
        self._kept[path] = (mtime if looked - mtime / 1e9 > _SETTLED else _UNSURE, found)
        self._weight += len(found.folders)
        while self._weight > _KEPT and len(self._kept) > 1:
            self._forget(next(iter(self._kept)))
        return found

    def _list(self, path: str, mailbox: int) -> FolderList:
        with os.scandir(mailbox) as entries:  # an entry knows what it is without a system call
            inside = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
        names = sorted(name for name in inside if name.startswith(".") and _is_folder(mailbox, name))
        subscribed = (files.read_all(mailbox, layout.SUBSCRIPTIONS) or b"").decode("utf-8", "replace").splitlines()
        uses = []
        for name in ("", *names):
            use = annotations.special_use(mailbox, name)
            if use is not None:
                uses.append((f"{path}/{name}" if name else path, use))
        self._generation += 1
        return FolderList(
            0,
            (path, *(f"{path}/{name}" for name in names)),
            tuple(name for name in subscribed if name and name.isprintable()),
            tuple(uses),
            str(self._generation),
        )


def _rest(found: FolderList) -> tuple[object, object]:
    return found.subscriptions, found.uses


def _is_folder(mailbox: int, name: str) -> bool:
    """Of a directory: whether it is a Maildir."""
    try:
        name.encode()  # what is not UTF-8 was not made by us and travels in no frame
        status = os.stat(f"{name}/cur", dir_fd=mailbox, follow_symlinks=False)
    except (OSError, UnicodeEncodeError):
        return False
    return stat.S_ISDIR(status.st_mode)
