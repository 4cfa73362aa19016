"""What the operating system gives us before we serve: the data folder for ourselves alone, and enough descriptors."""

import fcntl
import os
import resource

from emailgency.settings_file import Mistake, Wrong

Owner = tuple[int, int]  # user and group id; -1: as it is


class Lock:
    """Held while the server lives: two servers on one data folder would give out the same UIDs.

    The kernel drops it with the process, however that ends. The file holds the process id, for the words of whoever
    comes second.
    """

    def __init__(self, data: str) -> None:
        self._path = os.path.join(data, "server.lock")
        self._descriptor = -1

    def take(self, owner: Owner | None = None) -> None:
        """Raises Wrong when another server has the folder."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(descriptor)
            words = f"another server (process {holder}) works in this data folder"
            raise Wrong([Mistake(os.path.dirname(self._path), 0, words)]) from None
        if owner is not None:
            os.fchown(descriptor, *owner)
        self._descriptor = descriptor
        self.sign()

    def sign(self) -> None:
        """Write our process id, again after twistd went to the background: then it is another one."""
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, b"%d\n" % os.getpid(), 0)

    def release(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def prepare_folder(data: str, owner: Owner | None = None) -> None:
    """Make the data folder, for its owner only; raises Wrong when it cannot be used."""
    try:
        if not os.path.isdir(data):
            os.makedirs(data, mode=0o700)
            if owner is not None:
                os.chown(data, *owner)
        if os.stat(data).st_uid == os.geteuid():
            os.chmod(data, 0o700)
    except OSError as error:
        raise Wrong([Mistake(data, 0, f"cannot be the data folder: {error.strerror}")]) from None
    if not os.access(data, os.R_OK | os.W_OK | os.X_OK):
        raise Wrong([Mistake(data, 0, "cannot be the data folder: no permission to write")])


def raise_descriptor_limit() -> int:
    """Let connections be limited by the settings, not by the shell's default of 1,024; gives the new limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard
