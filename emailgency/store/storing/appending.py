"""APPEND of one message or of several, and REPLACE: synced spool files become messages of a folder.

An OSError means that what had been begun is undone.
"""

import contextlib
import os
from collections.abc import Callable

from emailgency.codec import maildir
from emailgency.store.storing import delivering, files, together
from emailgency.store.storing.changing import Result, expunge
from emailgency.store.storing.maildir import Maildir
from emailgency.store.storing.messages import Append, Expunge, New
from emailgency.store.storing.replies import Changed, Placed, Refused
from emailgency.store.storing.together import Coming, Origin


def append(
    request: Append,
    hour: Callable[[str], int],
    sizes: list[int],
    folder: Maildir,
    source: Maildir | None,
    origin: Origin,
) -> Result:
    """`hour` gives the descriptor of the folder a spool file lies in; `source` holds the message to be replaced."""
    if request.replaced is not None:
        _, uid, name = request.replaced
        if source is None or source.find(uid, name) is None:
            return Refused(request.number, "gone"), ()
    placed = _place(request, hour, sizes, folder, origin)
    touched = {(folder, one.subfolder): None for one in placed}
    changed = Changed(request.number, folder.path, folder.uids.next, placed)
    if request.replaced is None or source is None:
        return changed, tuple(touched)
    return _replace(request, changed, folder, source)


def _place(
    request: Append, hour: Callable[[str], int], sizes: list[int], folder: Maildir, origin: Origin
) -> tuple[Placed, ...]:
    if len(request.messages) == 1:
        message = request.messages[0]
        return (_rename(message, hour(message.id), sizes[0], folder, origin.host),)
    coming = [
        Coming(hour(message.id), f"{message.id}.msg", size, message.flags, "cur" if message.flags else "new")
        for message, size in zip(request.messages, sizes, strict=True)
    ]
    placed = together.place(coming, folder, origin)
    for one in coming:
        with contextlib.suppress(OSError):  # start-up sweeps
            os.unlink(one.name, dir_fd=one.directory)
    return tuple(placed)


def _rename(message: New, hour: int, size: int, folder: Maildir, host: str) -> Placed:
    """One message: by one rename."""
    source = f"{message.id}.msg"
    modseq = folder.begin()
    uid = folder.uids.take()
    subfolder = "cur" if message.flags else "new"
    unique = maildir.unique(int(message.id[:8], 16), message.id, host)
    name = maildir.compose(maildir.Name(unique, size, uid, message.flags), info=subfolder == "cur")
    target = folder.subfolder(subfolder)
    folder.mind(subfolder)
    try:
        os.rename(source, name, src_dir_fd=hour, dst_dir_fd=target)
    except OSError as error:
        if error.errno not in delivering.NO_LINK:
            raise
        tmp = folder.subfolder("tmp")
        delivering.copy_file(hour, source, tmp, name)
        os.rename(name, name, src_dir_fd=tmp, dst_dir_fd=target)
        os.unlink(source, dir_fd=hour)
    folder.touched(subfolder)
    folder.remember(uid, subfolder, name, modseq)
    return Placed(folder.path, uid, subfolder, name, modseq=modseq)


def _replace(request: Append, changed: Changed, folder: Maildir, source: Maildir) -> Result:
    """The old message goes when the new one is on stable storage, and not before (RFC 8508 section 3.4)."""
    assert request.replaced is not None
    (placed,) = changed.placed
    try:
        files.sync(folder.subfolder(placed.subfolder))
        gone, touched = expunge(Expunge(request.number, source.path, (request.replaced[1:],)), source)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(placed.name, dir_fd=folder.subfolder(placed.subfolder))
        folder.forget(placed.uid)
        folder.touched(placed.subfolder)
        raise
    assert isinstance(gone, Changed)
    reply = Changed(request.number, folder.path, changed.uidnext, changed.placed, gone.expunged, modseq=gone.modseq)
    return reply, tuple(dict.fromkeys(((folder, placed.subfolder), *touched)))
