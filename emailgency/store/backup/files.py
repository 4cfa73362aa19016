"""Copying files of a data folder while a server works in it: one file at a time, times and hard links kept."""

import contextlib
import os
import shutil
from collections.abc import Iterator

FOLDER_MODE = 0o700
FILE_MODE = 0o600


class Copier:
    """Copies from `source` to `target`, two folders; every path given is relative to both.

    A message that waits is one file with several names (spool, Maildirs): the copy is too, where the target can link.
    """

    def __init__(self, source: str, target: str) -> None:
        self.source = source
        self.target = target
        self.files = 0
        self.octets = 0
        self._linked: dict[tuple[int, ...], str] = {}  # identity of files with several names -> where the copy is

    def copy(self, path: str, to: str | None = None) -> None:
        """Raises FileNotFoundError when the source has gone; then the target has nothing either."""
        place = os.path.join(self.target, to or path)
        # The descriptor holds on to a file that is renamed or removed meanwhile.
        descriptor = os.open(os.path.join(self.source, path), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            # An inode number is used again; size and time tell the next file that has it apart.
            key = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
            if key in self._linked and self._link(self._linked[key], place):
                return
            with open(place, "wb", opener=private) as copy:
                shutil.copyfileobj(file, copy, 1 << 20)
        os.utime(place, ns=(status.st_atime_ns, status.st_mtime_ns))  # INTERNALDATE is the mtime
        if status.st_nlink > 1:
            self._linked[key] = place
        self.files += 1
        self.octets += status.st_size

    def extend(self, path: str) -> None:
        """Bring the copy of a file that only grows up to date, as far as its last whole line."""
        place = os.path.join(self.target, path)
        with open(os.path.join(self.source, path), "rb") as file, open(place, "ab", opener=private) as copy:
            have = copy.tell()
            if os.fstat(file.fileno()).st_size < have:  # a torn line was cut off
                copy.truncate(0)
                have = 0
            file.seek(have)
            fresh = file.read()
            copy.write(fresh[: fresh.rfind(b"\n") + 1])
            self.files += have == 0
            self.octets += copy.tell() - have

    def make_folder(self, path: str) -> None:
        os.makedirs(os.path.join(self.target, path), mode=FOLDER_MODE, exist_ok=True)

    def remove(self, path: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(self.target, path))

    def _link(self, old: str, new: str) -> bool:
        try:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(new)
            os.link(old, new)
        except OSError:  # the copy was renamed, or this file system does not link
            return False
        return True


def names(folder: str) -> list[str]:
    """Sorted names of a folder; none when there is no such folder."""
    try:
        return sorted(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return []


def walk(root: str, path: str) -> Iterator[str]:
    """Every folder below `path` (itself first), relative to `root`, but nothing inside a Maildir."""
    yield path
    if is_maildir(os.path.join(root, path)):
        return
    for name in names(os.path.join(root, path)):
        inner = os.path.join(path, name)
        if os.path.isdir(os.path.join(root, inner)) and not os.path.islink(os.path.join(root, inner)):
            yield from walk(root, inner)


def is_maildir(folder: str) -> bool:
    return os.path.isdir(os.path.join(folder, "cur"))


def private(path: str, flags: int) -> int:
    """An opener for open(): readable by the owner only."""
    return os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW, FILE_MODE)
