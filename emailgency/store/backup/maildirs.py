"""A Maildir with its folders, copied while mail arrives, is moved and changes flags.

A list of names is taken as one moment when no folder of the mailbox changed while it was read, as the folders' own
times tell. In a mailbox that never rests, all lists taken are put together, each message where it was seen last. The
copy is then made equal to the list. A message that has left its place by then is looked for by the part of its name
that no move and no flag changes, and copied from where it is; one that is nowhere was expunged.
"""

import os
import time
from collections.abc import Callable
from itertools import chain
from typing import NamedTuple

from emailgency.codec import maildir
from emailgency.store import layout
from emailgency.store.backup.files import Copier, is_maildir, names, walk

GRAIN = 0.02  # seconds; file times move with the kernel's tick (1-10 ms), a younger one may hide a change
PATIENCE = 10  # times a list is taken again
CACHES = ("summaries.sqlite", "search.sqlite")  # of one node, made again when missing

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
    wanted = quiet_list(source)
    left = _make_equal(copier, path, wanted, list_once(target))
    for _ in range(PATIENCE):
        if not left:
            break
        now = _by_unique(list_once(source).messages)
        left = {
            name for unique in map(_unique, left) for name in now.get(unique, [])[:1] if not _copy(copier, path, name)
        }
    # Last, so that the UIDs they reserve lie above every name copied.
    for name in sorted(wanted.files):
        try:
            copier.copy(f"{path}/{name}", f"{path}/{name}.tmp")
        except FileNotFoundError:
            continue
        os.rename(os.path.join(target, f"{name}.tmp"), os.path.join(target, name))


def quiet_list(root: str) -> List:
    """Of one moment, or of several when the mailbox does not rest."""
    lists = [list_once(root)]
    for _ in range(PATIENCE):
        newest = max(lists[-1].folders.values(), default=0) / 1e9
        if time.time() - newest < GRAIN:
            time.sleep(GRAIN)
        lists.append(list_once(root))
        if lists[-1] == lists[-2]:
            return lists[-1]
    seen = {_unique(name): name for found in lists for name in sorted(found.messages)}
    return List(lists[-1].folders, set(seen.values()), lists[-1].files)


def list_once(root: str) -> List:
    """new/ is read before cur/: a message that is seen meanwhile moves that way."""
    found = List({}, set(), set())
    for name in ["", *(name for name in names(root) if name.startswith(".") and is_maildir(os.path.join(root, name)))]:
        folder = os.path.join(root, name)
        if not _note(found, name, folder):
            continue
        for file in names(folder):
            if not file.endswith(".tmp") and not file.startswith(CACHES) and os.path.isfile(os.path.join(folder, file)):
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


def _make_equal(copier: Copier, path: str, wanted: List, have: List) -> set[Name]:
    """Gives the messages that had left their place."""
    for folder in sorted(wanted.folders):
        copier.make_folder(os.path.join(path, folder))
    stale = _by_unique(have.messages - wanted.messages)
    left = set()
    for name in sorted(wanted.messages - have.messages):
        same = stale.get(_unique(name))
        if same:  # it was moved or its flags changed: the octets are here already
            os.rename(os.path.join(copier.target, path, *same.pop()), os.path.join(copier.target, path, *name))
        elif not _copy(copier, path, name):
            left.add(name)
    for name in chain.from_iterable(stale.values()):
        copier.remove(os.path.join(path, *name))
    for file in have.files - wanted.files:
        copier.remove(os.path.join(path, file))
    for folder in sorted(have.folders.keys() - wanted.folders.keys(), reverse=True):
        _remove_folder(os.path.join(copier.target, path, folder))
    return left


def _copy(copier: Copier, path: str, name: Name) -> bool:
    copier.make_folder(os.path.join(path, name[0]))
    try:
        copier.copy(os.path.join(path, *name))
    except FileNotFoundError:
        return False
    return True


def _unique(name: Name) -> str:
    return maildir.parse(name[1]).unique


def _by_unique(messages: set[Name]) -> dict[str, list[Name]]:
    found: dict[str, list[Name]] = {}
    for name in messages:
        found.setdefault(_unique(name), []).append(name)
    return found


def _remove_folder(folder: str) -> None:
    for name in names(folder):
        os.unlink(os.path.join(folder, name))
    os.rmdir(folder)
