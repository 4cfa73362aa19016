"""The spool journal as its writer sees it: append lines, sync, and never trust a file whose sync failed.

Each start begins a new segment, so no torn line is ever appended to. After a failed write or fdatasync the kernel may
have dropped the dirty pages and a second fdatasync would lie: the segment is left and the next records open a new one.
"""

import contextlib
import os

from emailgency.store import layout
from emailgency.store.storing import files


class Segments:
    """Lines are gathered by `add` and go out in one write and one fdatasync by `sync`."""

    def __init__(self, root: int, segment_size: int) -> None:
        files.make_folders(root, layout.JOURNAL)
        self._folder = files.open_folder(root, layout.JOURNAL)
        self._segment_size = segment_size
        self._lines: list[bytes] = []
        self._descriptor = -1
        self._size = 0
        numbers = [int(name[:-4]) for name in os.listdir(self._folder) if name.endswith(".log")]
        self.number = max(numbers, default=0)

    def add(self, line: bytes) -> None:
        self._lines.append(line)

    @property
    def waiting(self) -> bool:
        return bool(self._lines)

    def sync(self) -> None:
        """All lines added are on stable storage, or OSError: then they do not count, though some may be there."""
        lines, self._lines = self._lines, []
        if not lines:
            return
        octets = b"".join(lines)
        if self._size + len(octets) > self._segment_size:
            self._leave()
        try:
            if self._descriptor < 0:
                self._begin()
            files.write_all(self._descriptor, octets)
            os.fdatasync(self._descriptor)
        except OSError:
            self._leave()
            raise
        self._size += len(octets)

    def forget(self, below: int) -> None:
        """Unlink the segments below a number, oldest first, so that no record ever outlives its Ended."""
        names = sorted(name for name in os.listdir(self._folder) if name.endswith(".log"))
        for name in names:
            if int(name[:-4]) < min(below, self.number):
                with contextlib.suppress(OSError):
                    os.unlink(name, dir_fd=self._folder)

    def _begin(self) -> None:
        self.number += 1
        name = os.path.basename(layout.segment(self.number))
        self._descriptor = os.open(name, files.NEW_FILE | os.O_APPEND, 0o600, dir_fd=self._folder)
        self._size = 0
        os.fsync(self._folder)

    def _leave(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1
        self._size = 0
