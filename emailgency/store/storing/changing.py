"""Requests that change the messages of a folder: APPEND, COPY, MOVE, EXPUNGE and flags.

Every function does its work on the names and says which subfolders must be synced before the answer may go out.
An OSError means that what had been begun is undone.
"""

import contextlib
import os
import time

from emailgency.codec import maildir
from emailgency.store.ids import Ids
from emailgency.store.storing import delivering, keywords
from emailgency.store.storing.maildir import COPYING, Maildir, Subfolder
from emailgency.store.storing.messages import Append, Changed, Copy, Expunge, Placed, Refused, SetFlags

Result = tuple[Changed | Refused, tuple[Subfolder, ...]]

_ids = Ids()


def append(request: Append, hour: int, size: int, folder: Maildir, host: str) -> Result:
    """The synced spool file of the request becomes a message of the folder, by one rename."""
    source = f"{request.id}.msg"
    uid = folder.uids.take()
    subfolder = "cur" if request.flags else "new"
    unique = maildir.unique(int(request.id[:8], 16), request.id, host)
    name = maildir.compose(maildir.Name(unique, size, uid, request.flags), info=subfolder == "cur")
    target = folder.subfolder(subfolder)
    try:
        os.rename(source, name, src_dir_fd=hour, dst_dir_fd=target)
    except OSError as error:
        if error.errno not in delivering.NO_LINK:
            raise
        tmp = folder.subfolder("tmp")
        delivering.copy_file(hour, source, tmp, name)
        os.rename(name, name, src_dir_fd=tmp, dst_dir_fd=target)
        os.unlink(source, dir_fd=hour)
    folder.remember(uid, subfolder, name)
    placed = Placed(folder.path, uid, subfolder, name)
    return Changed(request.number, folder.path, folder.uids.next, (placed,)), ((folder, subfolder),)


def expunge(request: Expunge, folder: Maildir) -> Result:
    """Unlink; one that is gone already is reported as gone."""
    touched: dict[Subfolder, None] = {}
    gone = []
    for uid, name in request.messages:
        found = folder.find(uid, name)
        if found is not None:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(found[1], dir_fd=folder.subfolder(found[0]))
            touched[folder, found[0]] = None
        folder.forget(uid)
        gone.append(uid)
    folder.touched()
    return Changed(request.number, folder.path, expunged=tuple(gone)), tuple(touched)


def set_flags(request: SetFlags, folder: Maildir) -> Result:
    """Rename into cur/ with the new letters; a message that is gone is passed over."""
    touched: dict[Subfolder, None] = {}
    renamed = []
    cur = folder.subfolder("cur")
    for uid, name, letters in request.messages:
        found = folder.find(uid, name)
        if found is None:
            continue
        subfolder, old = found
        new = maildir.with_flags(old, letters)
        if (subfolder, old) != ("cur", new):
            try:
                os.rename(old, new, src_dir_fd=folder.subfolder(subfolder), dst_dir_fd=cur)
            except FileNotFoundError:
                continue
            touched[folder, "cur"] = touched[folder, subfolder] = None
        if folder.names is not None:
            folder.names[uid] = ("cur", new)
        renamed.append((uid, "cur", new))
    folder.touched()
    return Changed(request.number, folder.path, renamed=tuple(renamed)), tuple(touched)


def copy(request: Copy, source: Maildir, destination: Maildir, host: str) -> Result:
    """COPY and MOVE. Refused when one of the messages is not there."""
    found = []
    for uid, name in request.messages:
        place = source.find(uid, name)
        if place is None:
            return Refused(request.number, "nonexistent"), ()
        found.append((uid, *place))
    if request.move:
        return _move(request, found, source, destination)
    return _copy(request, found, source, destination, host)


def _copy(request: Copy, found: list[tuple[int, str, str]], source: Maildir, destination: Maildir, host: str) -> Result:
    """Link all into tmp/, then rename all. While one is in tmp/ the COPY has not happened: `Maildir` rolls it back."""
    now = time.time()
    batch = f"{COPYING}{_ids.fresh(now)}"
    tmp = destination.subfolder("tmp")
    linked: list[tuple[int, str, str]] = []  # uid in the source, subfolder to be, name
    renamed: list[tuple[str, str]] = []
    placed: list[Placed] = []
    try:
        for index, (uid, subfolder, old) in enumerate(found):
            taken = maildir.parse(old)
            letters = keywords.translate(taken.flags, source, destination)
            unique = maildir.unique(int(now), f"{batch}_{index}", host)
            name = maildir.compose(maildir.Name(unique, taken.size, 0, letters), info=subfolder == "cur")
            delivering.link_or_copy(source.subfolder(subfolder), old, tmp, name)
            linked.append((uid, subfolder, name))
        os.fsync(tmp)
        for uid, subfolder, name in linked:
            fresh = destination.uids.take()
            base, colon, info = name.partition(":")
            new = f"{base},U={fresh}{colon}{info}"
            os.rename(name, new, src_dir_fd=tmp, dst_dir_fd=destination.subfolder(subfolder))
            renamed.append((subfolder, new))
            placed.append(Placed(destination.path, fresh, subfolder, new, source_uid=uid))
    except OSError:
        for subfolder, new in renamed:
            with contextlib.suppress(OSError):
                os.unlink(new, dir_fd=destination.subfolder(subfolder))
        for _, _, name in linked:
            with contextlib.suppress(OSError):
                os.unlink(name, dir_fd=tmp)
        raise
    for one in placed:
        destination.remember(one.uid, one.subfolder, one.name)
    touched = {(destination, one.subfolder): None for one in placed}
    return Changed(request.number, destination.path, destination.uids.next, tuple(placed)), tuple(touched)


def _move(request: Copy, found: list[tuple[int, str, str]], source: Maildir, destination: Maildir) -> Result:
    """One rename a message: it is in one folder or in the other, whatever happens."""
    placed: list[Placed] = []
    done: list[tuple[int, str, str, str]] = []
    try:
        for uid, subfolder, old in found:
            taken = maildir.parse(old)
            letters = keywords.translate(taken.flags, source, destination)
            fresh = destination.uids.take()
            moved = maildir.Name(taken.unique, taken.size, fresh, letters, taken.others)
            new = maildir.compose(moved, info=subfolder == "cur")
            os.rename(old, new, src_dir_fd=source.subfolder(subfolder), dst_dir_fd=destination.subfolder(subfolder))
            done.append((uid, subfolder, old, new))
            placed.append(Placed(destination.path, fresh, subfolder, new, source_uid=uid))
    except OSError:
        for _, subfolder, old, new in done:
            with contextlib.suppress(OSError):
                os.rename(new, old, src_dir_fd=destination.subfolder(subfolder), dst_dir_fd=source.subfolder(subfolder))
        raise
    for one in placed:
        source.forget(one.source_uid)
        destination.remember(one.uid, one.subfolder, one.name)
    source.touched()
    gone = tuple(uid for uid, _, _, _ in done)
    # the destination first: a message known to neither folder is lost, one known to both is found by its rename
    places = {(destination, one.subfolder): None for one in placed} | {(source, one.subfolder): None for one in placed}
    return Changed(request.number, destination.path, destination.uids.next, tuple(placed), gone), tuple(places)
