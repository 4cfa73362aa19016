"""Requests that change the folders of a mailbox (Maildir++): delete, rename, subscriptions."""

import contextlib
import os
import stat
from collections.abc import Iterable

import msgspec
from msgspec import Struct

from emailgency.store import layout
from emailgency.store.ids import Ids
from emailgency.store.storing import files
from emailgency.store.storing.maildirs import Maildirs
from emailgency.store.storing.messages import DeleteFolder, RenameFolders, Subscriptions
from emailgency.store.storing.replies import Done, Refused
from emailgency.store.storing.uids import Uids

_RENAMING = "renaming"  # in the spool: the pairs of a rename of several folders until all of them are renamed


def subscriptions(root: int, request: Subscriptions) -> Done:
    """Replace the file."""
    with files.folder_at(root, request.mailbox) as descriptor:
        subscribe(descriptor, request.names)
    return Done(request.number)


def subscribe(mailbox: int, names: Iterable[str], *, sync: bool = True) -> None:
    """Of a mailbox's descriptor. A name with a line feed cannot be written down and never was the name of a folder."""
    lines = "".join(f"{name}\n" for name in names if name.isprintable())
    files.replace(mailbox, layout.SUBSCRIPTIONS, lines.encode(), sync=sync)


class Trash:
    """Deleted folders: out of sight by one rename, then removed a little at a time so that mail need not wait."""

    def __init__(self, root: int) -> None:
        files.make_folders(root, layout.TRASH)
        self._folder = files.open_folder(root, layout.TRASH)
        self._ids = Ids()
        self._left = os.listdir(self._folder)

    @property
    def full(self) -> bool:
        return bool(self._left)

    def put(self, root: int, path: str) -> None:
        """The folder `path` is gone when this returns, durably."""
        parent, _, name = path.rpartition("/")
        trashed = self._ids.fresh(0)
        with files.folder_at(root, parent) as descriptor:
            os.rename(name, trashed, src_dir_fd=descriptor, dst_dir_fd=self._folder)
            os.fsync(descriptor)
        self._left.append(trashed)

    def empty(self, most: int) -> None:
        """Remove at most `most` names."""
        if self._left:
            try:
                if _remove(self._folder, self._left[-1], most) > 0:
                    self._left.pop()
            except OSError:
                self._left.pop()  # the next start tries again


def _remove(folder: int, name: str, budget: int) -> int:
    """Remove a tree, bottom up, without following links. Returns what is left of the budget, 0: not finished."""
    descriptor = os.open(name, files.FOLDER, dir_fd=folder)
    try:
        for inner in os.listdir(descriptor):
            if budget <= 1:
                return 0
            if stat.S_ISDIR(os.stat(inner, dir_fd=descriptor, follow_symlinks=False).st_mode):
                budget = _remove(descriptor, inner, budget)
                if not budget:
                    return 0
            else:
                os.unlink(inner, dir_fd=descriptor)
                budget -= 1
    finally:
        os.close(descriptor)
    os.rmdir(name, dir_fd=folder)
    return budget - 1


def delete(root: int, maildirs: Maildirs, trash: Trash, request: DeleteFolder) -> Done | Refused:
    """A folder, or a mailbox with all its folders."""
    if maildirs.get(request.folder) is None:
        return Refused(request.number, "nonexistent")
    if request.at_most is not None and _messages(root, request.folder) > request.at_most:
        return Refused(request.number, "exists")
    maildirs.remove(request.folder)
    trash.put(root, request.folder)
    return Done(request.number)


def _messages(root: int, path: str) -> int:
    """Of this folder and those below it. One in tmp/ counts: it may have got its 250 and be on its way to new/."""
    with files.folder_at(root, path) as descriptor:
        below = [f"{path}/{name}" for name in os.listdir(descriptor) if name.startswith(".")]
    count = 0
    for subfolder in (f"{folder}/{name}" for folder in (path, *below) for name in layout.SUBFOLDERS):
        with contextlib.suppress(FileNotFoundError, NotADirectoryError), files.folder_at(root, subfolder) as descriptor:
            count += sum(not name.startswith(".") for name in os.listdir(descriptor))
    return count


class Renaming(Struct, frozen=True, array_like=True):
    """One pair on its way; UIDVALIDITY tells the folder from a later one of the same name."""

    old: str
    new: str
    validity: int


def rename(root: int, maildirs: Maildirs, request: RenameFolders) -> Done | Refused:
    """All or none, also when a crash comes between: the pairs are written down first."""
    renamings = []
    for old, new in request.pairs:
        folder = maildirs.get(old)
        if folder is None:
            return Refused(request.number, "nonexistent")
        if _validity(root, new) is not None:
            return Refused(request.number, "exists")
        renamings.append(Renaming(old, new, folder.uids.validity))
    for old, _ in request.pairs:
        maildirs.forget(old)
    with files.folder_at(root, layout.SPOOL) as spool:
        try:
            if len(renamings) > 1:
                files.replace(spool, _RENAMING, msgspec.json.encode(renamings))
            _rename_all(root, renamings)
        except OSError:
            with contextlib.suppress(OSError):
                _rename_all(root, [Renaming(one.new, one.old, one.validity) for one in renamings])
            raise
        finally:
            _forget_renaming(spool)
    return Done(request.number)


def finish_renames(root: int) -> None:
    """Start-up: a rename of several folders that a crash cut in two goes on."""
    with files.folder_at(root, layout.SPOOL) as spool:
        octets = files.read_all(spool, _RENAMING)
        if octets is not None:
            _rename_all(root, msgspec.json.decode(octets, type=list[Renaming]))
            _forget_renaming(spool)


def _rename_all(root: int, renamings: list[Renaming]) -> None:
    """Those not yet renamed; synced."""
    parents = {path.rpartition("/")[0] for one in renamings for path in (one.old, one.new)}
    for one in renamings:
        if _validity(root, one.old) == one.validity and _validity(root, one.new) is None:
            here, _, old = one.old.rpartition("/")
            there, _, new = one.new.rpartition("/")
            with files.folder_at(root, here) as source, files.folder_at(root, there) as destination:
                os.rename(old, new, src_dir_fd=source, dst_dir_fd=destination)
    for parent in parents:
        with files.folder_at(root, parent) as descriptor:
            os.fsync(descriptor)


def _validity(root: int, path: str) -> int | None:
    """UIDVALIDITY of a folder, 0 when it has none; None when there is no such folder."""
    try:
        with files.folder_at(root, path) as descriptor:
            uids = Uids.load(descriptor, repair=False)
    except OSError:
        return None
    return uids.validity if uids else 0


def _forget_renaming(spool: int) -> None:
    """One that stays does no harm: its folders are not there under their old names any more."""
    with contextlib.suppress(OSError):
        os.unlink(_RENAMING, dir_fd=spool)
