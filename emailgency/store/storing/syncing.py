"""One sync for many files: syncfs where it is honest and quick, so that a batch costs one flush of the disk.

Each fsync after the first finds the file system's journal committed, but still flushes the disk's cache on its own
(ext4): 20 messages into 20 folders were 45 flushes, and 335 messages a second where one syncfs(2) gave 1,690. It writes
what other programs have left dirty on the same file system too: when that makes it slow, files are synced one by one
for a while.
"""

import ctypes
import os
import time
from collections.abc import Callable

_MANY = 6  # files; below, single syncs are quicker (about 0.25 ms each on ext4, 3-5 on a busy disk)
_SLOW = 0.1  # seconds, and as long again for every ten files
_PAUSE = 5.0  # seconds without syncfs after a slow one
_HONEST = (5, 8)  # Linux since which syncfs reports failed writes
_WRITE = 2  # SYNC_FILE_RANGE_WRITE


def _writing_starter() -> Callable[[int, int, int], None]:
    """sync_file_range(2); posix_fadvise would drop pages as well, and wait for every processor to give up its own."""
    start = getattr(ctypes.CDLL(None), "sync_file_range", None)
    if start is None:
        return lambda descriptor, offset, length: None
    start.argtypes = [ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint]

    def start_writing(descriptor: int, offset: int, length: int) -> None:
        start(descriptor, offset, length, _WRITE)  # the sync that follows tells what went wrong

    return start_writing


# (descriptor, offset, length): let the kernel begin to write this out, so that the sync to come finds it done.
# It promises nothing; a length of 0 is all the rest.
start_writing = _writing_starter()


class Syncing:
    """syncfs on the file system of the data folder."""

    def __init__(self, root: int) -> None:
        self._root = root
        self._resume = 0.0
        self._syncfs = None
        release = os.uname()
        version = tuple(int(part) for part in release.release.split("-")[0].split(".")[:2] if part.isdigit())
        if release.sysname == "Linux" and version >= _HONEST:
            self._syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)

    def all_at_once(self, count: int) -> bool:
        """Whether everything written so far is on stable storage now; if not, sync each of the `count` files.

        After a failure they are synced singly too: each descriptor then tells whether it was its own.
        """
        if count < _MANY or self._syncfs is None:
            return False
        start = time.monotonic()
        if start < self._resume:
            return False
        good = self._syncfs(self._root) == 0
        end = time.monotonic()
        if end - start > _SLOW * (1 + count / 10):
            self._resume = end + _PAUSE
        return bool(good)
