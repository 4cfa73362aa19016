"""Several files that become messages of one folder all together or not at all, over any kill: COPY, MULTIAPPEND.

All are linked into tmp/ under ids of one batch before the first is renamed: while one of them is in tmp/ nothing has
happened, and opening the folder takes back what it brought (`Maildir`).
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
    tmp = folder.subfolder("tmp")
    linked: list[tuple[Coming, str]] = []
    placed: list[Placed] = []
    try:
        for index, file in enumerate(files):
            unique = maildir.unique(int(now), f"{batch}_{index}", origin.host)
            parts = maildir.Name(unique, file.size, 0, file.letters, file.others)
            name = maildir.compose(parts, info=file.subfolder == "cur")
            delivering.link_or_copy(file.directory, file.name, tmp, name)
            linked.append((file, name))
        if len(linked) > 1:  # one alone is there or not, by its rename
            os.fsync(tmp)
        for file, name in linked:
            uid = folder.uids.take()
            base, colon, info = name.partition(":")
            new = f"{base},U={uid}{colon}{info}"
            folder.mind(file.subfolder)
            os.rename(name, new, src_dir_fd=tmp, dst_dir_fd=folder.subfolder(file.subfolder))
            folder.touched(file.subfolder)
            placed.append(Placed(folder.path, uid, file.subfolder, new, source_uid=file.source_uid, modseq=modseq))
    except OSError:
        with contextlib.suppress(OSError):  # what cannot go now goes with the next start: tmp/, the sign, is last
            for one in placed:
                os.unlink(one.name, dir_fd=folder.subfolder(one.subfolder))
            for _, name in linked[len(placed) :]:
                os.unlink(name, dir_fd=tmp)
        raise
    for one in placed:
        folder.remember(one.uid, one.subfolder, one.name, modseq)
    return placed
