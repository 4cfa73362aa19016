"""Requests that change the messages of a folder: COPY, MOVE, EXPUNGE and flags (`appending` has APPEND).

Every function does its work on the names and says which subfolders must be synced before the answer may go out.
An OSError means that what had been begun is undone.
"""

import contextlib
import os
import time
from functools import partial

from emailgency.codec import maildir
from emailgency.store.storing import keywords, together
from emailgency.store.storing.maildir import Maildir, Subfolder
from emailgency.store.storing.messages import Copy, Expunge, SetFlags
from emailgency.store.storing.replies import Changed, Placed, Refused
from emailgency.store.storing.together import Coming, Origin

_TRIES = 5  # to catch a file that another program renames at the same time

Result = tuple[Changed | Refused, tuple[Subfolder, ...]]


def expunge(request: Expunge, folder: Maildir) -> Result:
    """Unlink; one that is gone already is reported as gone."""
    touched: dict[Subfolder, None] = {}
    modseq = folder.begin()
    gone = []
    for uid, name in request.messages:
        subfolder = _unlink(folder, uid, name)
        if subfolder is None:
            continue
        if subfolder:
            touched[folder, subfolder] = None
        folder.forget(uid)
        gone.append(uid)
    folder.modseqs.gone(gone, modseq)
    return Changed(request.number, folder.path, expunged=tuple(gone), modseq=modseq), tuple(touched)


def _unlink(folder: Maildir, uid: int, name: str) -> str | None:
    """Where it was, "" when it is gone already; None when another program renames it again and again: it stays."""
    for _ in range(_TRIES):
        found = folder.find(uid, name)
        if found is None:
            return ""
        folder.mind(found[0])
        try:
            os.unlink(found[1], dir_fd=folder.subfolder(found[0]))
        except FileNotFoundError:
            folder.look()
        else:
            folder.touched(found[0])
            return found[0]
    return None


def set_flags(request: SetFlags, folder: Maildir) -> Result:
    """Rename into cur/ with the new letters; a message that is gone is passed over."""
    touched: set[str] = set()
    modseq = folder.begin()
    renamed = []
    for uid, name, letters in request.messages:
        known = folder.names.get(uid) if folder.names is not None else None
        done = _give(folder, known, letters) or _give(folder, folder.find(uid, name), letters)
        if done is None:
            continue
        subfolder, new = done
        touched.add(subfolder)
        if folder.names is not None:
            folder.names[uid] = ("cur", new)
        folder.modseqs.set(uid, modseq)
        renamed.append((uid, "cur", new))
    reply = Changed(request.number, folder.path, renamed=tuple(renamed), modseq=modseq)
    synced = ("cur", "new") if "new" in touched else ("cur",)  # a message the disk knows in neither would be lost
    return reply, tuple((folder, subfolder) for subfolder in synced if renamed)


def _give(folder: Maildir, place: tuple[str, str] | None, letters: str) -> tuple[str, str] | None:
    """Where a message was and what it is called in cur/ now. None: it is not at this place, whoever took it away."""
    if place is None:
        return None
    subfolder, old = place
    new = maildir.with_flags(old, letters)
    subfolders = ("cur",) if subfolder == "cur" else ("cur", subfolder)
    folder.mind(*subfolders)
    try:
        os.rename(old, new, src_dir_fd=folder.subfolder(subfolder), dst_dir_fd=folder.subfolder("cur"))
    except FileNotFoundError:
        return None
    folder.touched(*subfolders)
    return subfolder, new


def copy(request: Copy, source: Maildir, destination: Maildir, origin: Origin) -> Result:
    """COPY and MOVE. Refused when one of the messages is not there."""
    deed = _move if request.move else partial(_copy, origin=origin)
    names = source.names or {}
    listed = [(uid, *names[uid]) for uid, _ in request.messages if uid in names]
    if len(listed) == len(request.messages):
        with contextlib.suppress(FileNotFoundError):  # another program has just renamed or removed one of them
            return deed(request, listed, source, destination)
    found = []
    for uid, name in request.messages:
        place = source.find(uid, name)
        if place is None:
            return Refused(request.number, "nonexistent"), ()
        found.append((uid, *place))
    return deed(request, found, source, destination)


def _copy(
    request: Copy, found: list[tuple[int, str, str]], source: Maildir, destination: Maildir, origin: Origin
) -> Result:
    coming = []
    for uid, subfolder, old in found:
        taken = maildir.parse(old)
        letters = keywords.translate(taken.flags, source, destination)
        others = (f"E={maildir.email_id_of(taken)}",)
        coming.append(Coming(source.subfolder(subfolder), old, taken.size, letters, subfolder, uid, others))
    placed = together.place(coming, destination, origin)
    touched = {(destination, one.subfolder): None for one in placed}
    return Changed(request.number, destination.path, destination.uids.next, tuple(placed)), tuple(touched)


def _move(request: Copy, found: list[tuple[int, str, str]], source: Maildir, destination: Maildir) -> Result:
    """One rename a message: it is in one folder or in the other, whatever happens."""
    modseq, leaving, now = destination.begin(), source.begin(), int(time.time())
    placed: list[Placed] = []
    done: list[tuple[int, str, str, str]] = []
    try:
        for uid, subfolder, old in found:
            taken = maildir.parse(old)
            letters = keywords.translate(taken.flags, source, destination)
            fresh = destination.uids.take()
            moved = maildir.Name(taken.unique, taken.size, fresh, letters, maildir.moved(taken.others, now))
            new = maildir.compose(moved, info=subfolder == "cur")
            source.mind(subfolder)
            destination.mind(subfolder)
            os.rename(old, new, src_dir_fd=source.subfolder(subfolder), dst_dir_fd=destination.subfolder(subfolder))
            source.touched(subfolder)
            destination.touched(subfolder)
            done.append((uid, subfolder, old, new))
            placed.append(Placed(destination.path, fresh, subfolder, new, source_uid=uid, modseq=modseq))
    except OSError:
        for _, subfolder, old, new in done:
            with contextlib.suppress(OSError):
                os.rename(new, old, src_dir_fd=destination.subfolder(subfolder), dst_dir_fd=source.subfolder(subfolder))
        raise
    for one in placed:
        source.forget(one.source_uid)
        destination.remember(one.uid, one.subfolder, one.name, modseq)
    gone = tuple(uid for uid, _, _, _ in done)
    source.modseqs.gone(gone, leaving)
    # the destination first: a message known to neither folder is lost, one known to both is found by its rename
    places = {(destination, one.subfolder): None for one in placed} | {(source, one.subfolder): None for one in placed}
    reply = Changed(request.number, destination.path, destination.uids.next, tuple(placed), gone, modseq=leaving)
    return reply, tuple(places)
