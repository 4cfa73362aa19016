"""A Maildir with its folders, copied while mail arrives, is moved and changes flags.

A list of names is taken as one moment when no folder of the mailbox changed while it was read, as the folders' own
times tell. The copy is then made equal to the list; a file that left meanwhile has the list taken again. In a mailbox
that never rests, the last two lists are put together: what moved in between may be there twice, nothing is missing.
"""

import os
import time
from collections.abc import Callable
from typing import NamedTuple

from emailgency.codec import maildir
from emailgency.store import layout
from emailgency.store.backup_files import Copier, is_maildir, names, walk

GRAIN = 0.02  # seconds; file times move with the kernel's tick (1-10 ms), a younger one may hide a change
PATIENCE = 10  # times a list is taken again
CACHE = "summaries.sqlite"  # of one node, made again when it is missing

Name = tuple[str, str]  # subfolder relative to the mailbox ("cur", ".Sent/new"), file name


class List(NamedTuple):
    folders: dict[str, int]  # every folder relative to the mailbox, "" the mailbox itself -> mtime, nanoseconds
    messages: set[Name]
    files: set[str]  # uids, subscriptions, dovecot-keywords, address, relative to the mailbox


def copy_customers(copier: Copier, tell: Callable[[int], None]) -> None:
    """All Maildirs below customers/; a second pass copies what is new and removes what has gone."""
    for done, path in enumerate(walk(copier.source, "customers")):
        copier.make_folder(path)
        if is_maildir(os.path.join(copier.source, path)):
            copy_maildir(copier, path)
        tell(done)


def copy_maildir(copier: Copier, path: str) -> None:
    source, target = os.path.join(copier.source, path), os.path.join(copier.target, path)
    for _ in range(PATIENCE):
        wanted = quiet_list(source)
        if _make_equal(copier, path, wanted, list_once(target)):
            break
    # Last, so that the UIDs they reserve lie above every name copied.
    for name in sorted(wanted.files):
        try:
            copier.copy(f"{path}/{name}", f"{path}/{name}.tmp")
        except FileNotFoundError:
            continue
        os.rename(os.path.join(target, f"{name}.tmp"), os.path.join(target, name))


def quiet_list(root: str) -> List:
    """Of one moment, or of the last two when the mailbox does not rest."""
    before = list_once(root)
    for _ in range(PATIENCE):
        newest = max(before.folders.values(), default=0) / 1e9
        if time.time() - newest < GRAIN:
            time.sleep(GRAIN)
        after = list_once(root)
        if after == before:
            return after
        before, last = after, before
    return List(before.folders, before.messages | _left(last.messages, before.messages), before.files)


def _left(earlier: set[Name], later: set[Name]) -> set[Name]:
    """Those of `earlier` that are not in `later` under the same or another name of the same folder."""
    known = {(_folder(subfolder), maildir.parse(name).unique) for subfolder, name in later}
    return {name for name in earlier if (_folder(name[0]), maildir.parse(name[1]).unique) not in known}


def _folder(subfolder: str) -> str:
    return os.path.dirname(subfolder)


def list_once(root: str) -> List:
    """new/ is read before cur/: a message that is seen meanwhile moves that way."""
    found = List({}, set(), set())
    for name in ["", *(name for name in names(root) if name.startswith(".") and is_maildir(os.path.join(root, name)))]:
        folder = os.path.join(root, name)
        if not _note(found, name, folder):
            continue
        for file in names(folder):
            if not file.endswith(".tmp") and not file.startswith(CACHE) and os.path.isfile(os.path.join(folder, file)):
                found.files.add(os.path.join(name, file))
        for subfolder in layout.SUBFOLDERS:
            inner = os.path.join(name, subfolder)
            if _note(found, inner, os.path.join(root, inner)):
                found.messages.update((inner, file) for file in names(os.path.join(root, inner)))
    return found


def _note(found: List, name: str, folder: str) -> bool:
    try:
        found.folders[name] = os.stat(folder).st_mtime_ns
    except FileNotFoundError:
        return False
    return True


def _make_equal(copier: Copier, path: str, wanted: List, have: List) -> bool:
    """False: a message left while we copied, and the list is no longer true."""
    for folder in sorted(wanted.folders):
        copier.make_folder(os.path.join(path, folder))
    stale = have.messages - wanted.messages
    here = {(subfolder, maildir.parse(name).unique): name for subfolder, name in stale}
    true = True
    for subfolder, name in sorted(wanted.messages - have.messages):
        place = os.path.join(path, subfolder)
        # Only the flags or the UID changed: the octets are here already.
        old = here.pop((subfolder, maildir.parse(name).unique), None)
        if old is not None:
            os.rename(os.path.join(copier.target, place, old), os.path.join(copier.target, place, name))
            stale.discard((subfolder, old))
            continue
        try:
            copier.copy(f"{place}/{name}")
        except FileNotFoundError:
            true = False
    for subfolder, name in stale:
        copier.remove(os.path.join(path, subfolder, name))
    for file in have.files - wanted.files:
        copier.remove(os.path.join(path, file))
    for folder in sorted(have.folders.keys() - wanted.folders.keys(), reverse=True):
        _remove_folder(os.path.join(copier.target, path, folder))
    return true


def _remove_folder(folder: str) -> None:
    for name in names(folder):
        os.unlink(os.path.join(folder, name))
    os.rmdir(folder)
