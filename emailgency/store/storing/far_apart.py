"""A folder far from others on the disk: where ext4 looks for a free inode decides what a new file costs.

Without a journal ext4 gives no freed inode away for a minute, and passes over all such anew for each new file: 37 µs
of CPU a file in a group where nobody has removed any, 230 to 300 where some thousands have gone. A new folder goes
where its parent is, unless that is marked as the top of unrelated trees: then to a group with few folders, sought from
a place that its first name decides. Other file systems do not know the mark, and do not need it.
"""

import array
import contextlib
import fcntl
import os

from emailgency.store import layout
from emailgency.store.ids import Ids
from emailgency.store.storing import files

_GET_FLAGS, _SET_FLAGS = 0x80086601, 0x40086602  # FS_IOC_GETFLAGS, FS_IOC_SETFLAGS where a long has 8 octets
_TOP = 0x00020000  # FS_TOPDIR_FL


def make_folder(root: int, path: str) -> None:
    """Make `path`, durably. It begins in the trash: what a crash leaves there is removed with the rest."""
    parent, _, name = path.rpartition("/")
    files.make_folders(root, parent)
    files.make_folders(root, layout.TRASH)
    with files.folder_at(root, parent) as above, files.folder_at(root, layout.TRASH) as trash:
        _mark(trash)
        first_name = Ids().fresh(0)
        os.mkdir(first_name, 0o700, dir_fd=trash)
        try:
            os.rename(first_name, name, src_dir_fd=trash, dst_dir_fd=above)
        except OSError:
            os.rmdir(first_name, dir_fd=trash)
            raise
        os.fsync(above)


def _mark(folder: int) -> None:
    flags = array.array("l", [0])
    with contextlib.suppress(OSError):
        fcntl.ioctl(folder, _GET_FLAGS, flags)
        if not flags[0] & _TOP:
            flags[0] |= _TOP
            fcntl.ioctl(folder, _SET_FLAGS, flags)
