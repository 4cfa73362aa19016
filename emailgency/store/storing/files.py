"""Files below the data folder, opened so that no symbolic link ever leads out of it.

Every path is walked from the descriptor of the data folder, one component at a time, with O_NOFOLLOW.
"""

import contextlib
import os
from collections.abc import Iterator

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
APPEND = os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
_COPY_CHUNK = 1 << 20


def open_folder(root: int, path: str) -> int:
    """A descriptor of the folder `path` below `root`. The caller closes it."""
    at = root
    for part in path.split("/"):
        try:
            inner = os.open(part, FOLDER, dir_fd=at)
        finally:
            if at != root:
                os.close(at)
        at = inner
    return at


@contextlib.contextmanager
def folder_at(root: int, path: str) -> Iterator[int]:
    """`open_folder` for a moment."""
    descriptor = open_folder(root, path)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def make_folders(root: int, path: str, *, sync: bool = True) -> None:
    """Make `path` and what is missing above it; with `sync` each new name is on stable storage when this returns."""
    at = os.dup(root)
    try:
        for part in path.split("/"):
            with contextlib.suppress(FileExistsError):
                os.mkdir(part, 0o700, dir_fd=at)
                if sync:
                    os.fsync(at)
            inner = os.open(part, FOLDER, dir_fd=at)
            os.close(at)
            at = inner
    finally:
        os.close(at)


def write_all(descriptor: int, octets: bytes) -> None:
    """Write all of it: a short write (full disk, file size limit) is no success."""
    written = os.write(descriptor, octets)
    while written < len(octets):
        step = os.write(descriptor, memoryview(octets)[written:])
        if step == 0:
            raise OSError("the disk takes no octets")
        written += step


def write_all_at(descriptor: int, octets: bytes, place: int) -> None:
    """The same, over octets that are there."""
    written = 0
    while written < len(octets):
        step = os.pwrite(descriptor, memoryview(octets)[written:], place + written)
        if step == 0:
            raise OSError("the disk takes no octets")
        written += step


def read_all(folder: int, name: str) -> bytes | None:
    """The octets of a small file, None when there is none."""
    try:
        descriptor = os.open(name, READ, dir_fd=folder)
    except FileNotFoundError:
        return None
    with open(descriptor, "rb") as stream:
        return stream.read()


def replace(folder: int, name: str, octets: bytes, *, sync: bool = True) -> None:
    """Put `octets` in the place of the file `name`: the old or the new content after a crash, never less.

    Without `sync` that holds for a crash of this process; after a loss of power the file may be anything.
    """
    temporary = f"{name}.tmp"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(temporary, dir_fd=folder)
    descriptor = os.open(temporary, NEW_FILE, 0o600, dir_fd=folder)
    try:
        write_all(descriptor, octets)
        if sync:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
    os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    if sync:
        os.fsync(folder)


def copy(source: int, descriptor: int) -> None:
    """Append the octets of `source` from its start to `descriptor`."""
    position = 0
    while chunk := os.pread(source, _COPY_CHUNK, position):
        write_all(descriptor, chunk)
        position += len(chunk)


def reason(error: OSError) -> str:
    """errno name and text, for logs and Failed."""
    import errno

    return f"{errno.errorcode.get(error.errno or 0, 'OSError')} {error.strerror or error}"


def sync(descriptor: int) -> None:
    """fsync of a folder."""
    os.fsync(descriptor)


def sync_file(folder: int, name: str) -> None:
    """fdatasync of a file that may be there."""
    try:
        descriptor = os.open(name, READ, dir_fd=folder)
    except FileNotFoundError:
        return
    try:
        os.fdatasync(descriptor)
    finally:
        os.close(descriptor)
