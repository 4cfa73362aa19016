"""A file that only takes room: when the disk is full it goes, so that mail can still be delivered and relayed."""

import contextlib
import os

from emailgency.store import layout
from emailgency.store.storing import files


def set_size(root: int, size: int) -> None:
    """Make it `size` octets long, really allocated; 0: remove it."""
    folder, _, name = layout.BALLAST.rpartition("/")
    with files.folder_at(root, folder) as descriptor:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=descriptor)
        if not size:
            return
        ballast = os.open(name, files.NEW_FILE, 0o600, dir_fd=descriptor)
        try:
            os.posix_fallocate(ballast, 0, size)
        except OSError:
            os.unlink(name, dir_fd=descriptor)
            raise
        finally:
            os.close(ballast)
