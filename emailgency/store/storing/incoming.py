"""Messages on their way into the spool: `spool/<hour>/<id>.msg` between the first octet and the sync."""

import contextlib
import os

from msgspec import Struct

from emailgency.store import layout
from emailgency.store.storing import far_apart, files
from emailgency.store.storing.syncing import start_writing

_AHEAD = 1 << 20  # octets of a large message after which writing them out begins
_HOURS_OPEN = 8  # descriptors of hour folders kept; a transaction lasts minutes


class Coming(Struct):
    """One file being written. A failure is kept until somebody is there to be told."""

    id: str
    descriptor: int = -1
    size: int = 0
    started: int = 0  # octets that the kernel has been asked to write out
    failure: OSError | None = None


class Incoming:
    """All files being written, and the hour folders they lie in."""

    def __init__(self, root: int) -> None:
        self._root = root
        self._coming: dict[str, Coming] = {}
        self._hours: dict[str, int] = {}

    def write(self, id: str, chunk: bytes) -> Coming:
        """Append octets; the file is made at the first. After a failure nothing more is written.

        A large message is written out as it comes: left to its last sync, 5 MiB keep everybody else waiting.
        """
        coming = self._coming.get(id)
        if coming is None:
            coming = self._coming[id] = Coming(id)
        if coming.failure is None:
            try:
                if coming.descriptor < 0:
                    coming.descriptor = self._create(id)
                if chunk:
                    files.write_all(coming.descriptor, chunk)
                coming.size += len(chunk)
                if coming.size - coming.started >= _AHEAD:
                    start_writing(coming.descriptor, coming.started, coming.size - coming.started)
                    coming.started = coming.size
            except OSError as error:
                coming.failure = error
        return coming

    def amend(self, id: str, place: int, octets: bytes) -> None:
        """Write over octets that are there; of a message nobody knows, or that failed, nothing is left to be right."""
        coming = self._coming.get(id)
        if coming is not None and coming.failure is None:
            try:
                files.write_all_at(coming.descriptor, octets, place)
            except OSError as error:
                coming.failure = error

    def _create(self, id: str) -> int:
        try:
            return os.open(f"{id}.msg", files.NEW_FILE, 0o600, dir_fd=self.hour(id))
        except FileNotFoundError:  # the sweep has just removed the folder, which was old and empty
            stale = self._hours.pop(layout.hour(id), None)
            if stale is not None:
                os.close(stale)
            return os.open(f"{id}.msg", files.NEW_FILE, 0o600, dir_fd=self.hour(id))

    def hour(self, id: str) -> int:
        """Descriptor of the hour folder of a message; made, durably, when it is missing."""
        path = layout.hour(id)
        descriptor = self._hours.get(path)
        if descriptor is None:
            if len(self._hours) >= _HOURS_OPEN:
                os.close(self._hours.pop(next(iter(self._hours))))
            try:
                descriptor = files.open_folder(self._root, path)
            except FileNotFoundError:
                far_apart.make_folder(self._root, path)
                descriptor = files.open_folder(self._root, path)
            self._hours[path] = descriptor
        return descriptor

    def sync(self, all_coming: list[Coming]) -> None:
        """Octets and names of these files to stable storage; whom it fails for carries the failure.

        Writing is started for all of them before the first is waited for: the blocks of all are then in the
        file system's first commit, and the other syncs find theirs done.
        """
        for coming in all_coming:
            if coming.failure is None and len(all_coming) > 1:
                start_writing(coming.descriptor, coming.started, 0)
        for coming in all_coming:
            if coming.failure is None:
                try:
                    os.fdatasync(coming.descriptor)
                except OSError as error:
                    coming.failure = error
        for path in {layout.hour(coming.id) for coming in all_coming if coming.failure is None}:
            try:
                os.fsync(self._hours[path])
            except OSError as error:
                os.close(self._hours.pop(path))
                for coming in all_coming:
                    if coming.failure is None and layout.hour(coming.id) == path:
                        coming.failure = error

    def close(self, id: str) -> None:
        """Done with writing it."""
        coming = self._coming.pop(id, None)
        if coming is not None and coming.descriptor >= 0:
            os.close(coming.descriptor)

    def drop(self, id: str) -> None:
        """Remove the file and what is known of it."""
        self.close(id)
        self.unlink(id)

    def unlink(self, id: str) -> None:
        """Remove the .msg; that it is gone, or cannot go now, is no trouble: start-up sweeps."""
        with contextlib.suppress(OSError):
            os.unlink(f"{id}.msg", dir_fd=self.hour(id))
