"""Several files that become messages of one folder all together or not at all, over any kill: COPY, MULTIAPPEND.

All have ids of one batch. Some, the signs, are linked into tmp/ before any other is linked into its place, and renamed
into theirs when all others are on stable storage: while one of them is in tmp/ nothing has happened, and opening the
folder takes back what it brought (`Maildir`). Of many messages one is the sign, which spares the others a rename for
one more sync; of a few all are.
"""

import contextlib
import os
import time

from msgspec import Struct

from emailgency.codec import maildir
from emailgency.store.ids import Ids
from emailgency.store.storing import delivering
from emailgency.store.storing.maildir import COPYING, Maildir
from emailgency.store.storing.replies import Placed

_MANY = 200  # renames, which take as long as a sync of a quick disk


class Origin(Struct):
    """What the names of new files tell of where they were made. `ids` are of one process: two that gave the same to
    their batches would take back each other's.
    """

    host: str
    ids: Ids


class Coming(Struct):
    """A file that is to be a message, with a second name in the folder."""

    directory: int  # descriptor
    name: str
    size: int
    letters: str
    subfolder: str  # "new" or "cur", where the message is to be
    source_uid: int = 0
    others: tuple[str, ...] = ()  # fields of its name, besides size and UID


def place(files: list[Coming], folder: Maildir, origin: Origin) -> list[Placed]:
    """In the order of `files`; the caller sees to it that `new` and `cur` are synced. OSError: nothing was done."""
    now, modseq = time.time(), folder.begin()
    batch = f"{COPYING}{origin.ids.fresh(now)}"
    coming: list[tuple[Coming, Placed]] = []
    for index, file in enumerate(files):
        uid = folder.uids.take()
        unique = maildir.unique(int(now), f"{batch}_{index}", origin.host)
        name = maildir.compose(
            maildir.Name(unique, file.size, uid, file.letters, file.others), info=file.subfolder == "cur"
        )
        coming.append((file, Placed(folder.path, uid, file.subfolder, name, source_uid=file.source_uid, modseq=modseq)))
    try:
        if len(coming) == 1:  # one alone is there or not
            _link(*coming[0], folder)
        else:
            _link_all(coming, folder)
    except OSError:
        for _, one in reversed(coming):  # what cannot go now goes with the next start: tmp/, the sign, is last
            with contextlib.suppress(OSError):
                os.unlink(one.name, dir_fd=folder.subfolder(one.subfolder))
        for _, one in reversed(coming):
            with contextlib.suppress(OSError):
                os.unlink(one.name, dir_fd=folder.subfolder("tmp"))
        raise
    placed = [one for _, one in coming]
    for one in placed:
        folder.remember(one.uid, one.subfolder, one.name, modseq)
    return placed


def _link_all(coming: list[tuple[Coming, Placed]], folder: Maildir) -> None:
    signs = 1 if len(coming) > _MANY else len(coming)
    for file, one in coming[:signs]:
        delivering.link_or_copy(file.directory, file.name, folder.subfolder("tmp"), one.name)
    _sync(folder, "tmp")
    for file, one in coming[signs:]:
        _link(file, one, folder)
    for subfolder in {one.subfolder for _, one in coming[signs:]}:
        _sync(folder, subfolder)
    for _, one in coming[:signs]:
        _out_of_tmp(one, folder)


def _link(file: Coming, one: Placed, folder: Maildir) -> None:
    target = folder.subfolder(one.subfolder)
    folder.mind(one.subfolder)
    try:
        os.link(file.name, one.name, src_dir_fd=file.directory, dst_dir_fd=target, follow_symlinks=False)
    except OSError as error:
        if error.errno not in delivering.NO_LINK:
            raise
        delivering.copy_file(file.directory, file.name, folder.subfolder("tmp"), one.name)
        _out_of_tmp(one, folder)
    else:
        folder.touched(one.subfolder)


def _out_of_tmp(one: Placed, folder: Maildir) -> None:
    folder.mind(one.subfolder)
    os.rename(one.name, one.name, src_dir_fd=folder.subfolder("tmp"), dst_dir_fd=folder.subfolder(one.subfolder))
    folder.touched(one.subfolder)


def _sync(folder: Maildir, subfolder: str) -> None:
    try:
        folder.sync(subfolder)
    except OSError:
        folder.reopen(subfolder)
        raise
