"""The change journal: the home of customers, domains, entries, plans and password hashes.

    journal/<first position>.log    records of `Change`, one a line (codec.records); each is synced before it counts
    journal/snapshot.json           the tables as of one position; it only shortens the replay

Segments are kept: together they are the audit log. Nothing is ever rewritten; a torn last line, which a crash may
leave, is cut off at the next start. A record whose write or sync failed is taken back, and writing goes on in a new
segment (a failed fsync is never repeated on the same file): therefore records at or beyond the first position of the
next segment never happened. Positions grow by one without a gap, which is how a loss would be noticed.

All methods block and are called in a thread, one at a time.
"""

import contextlib
import os
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import msgspec
from msgspec import Raw, Struct

from emailgency.codec import records
from emailgency.store.directory.changes import Change, Edit, decode_change, encode, row

Tables = dict[str, dict[str, Raw]]
SNAPSHOT = "snapshot.json"


class Broken(Exception):
    """The journal contradicts itself; nothing is served from it until the operator has restored it."""


class Mark(NamedTuple):
    """A place in one particular history: two histories that part never share a mark after that."""

    position: int
    checksum: str  # of the record at that position

    def __str__(self) -> str:
        return f"{self.position}-{self.checksum}"


START = Mark(0, "")


class _Snapshot(Struct):
    position: int
    checksum: str
    tables: Tables
    version: int = 1


class Journal:
    """One folder, one writer."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._file: int | None = None
        self.mark = START

    def open(self) -> None:
        """Find the end; afterwards `mark` is the last change."""
        os.makedirs(self._folder, mode=0o700, exist_ok=True)
        segments = self._segments()
        if segments:
            self._cut_torn_tail(segments[-1])
        self.mark = self._snapshot_mark()
        for change, checksum in self._changes_after(self.mark.position):
            self.mark = Mark(change.position, checksum)

    def append(self, change: Change) -> Mark:
        """Returns when the change is on stable storage; OSError: it did not happen."""
        if change.position != self.mark.position + 1:
            raise Broken(f"change {change.position} does not follow {self.mark.position}")
        line = records.encode(encode(change))
        if self._file is None:
            self._file = self._create(change.position)
        end = os.lseek(self._file, 0, os.SEEK_END)
        try:
            _write(self._file, line)
            os.fdatasync(self._file)
        except OSError:
            self._take_back(self._file, end)
            raise
        self.mark = Mark(change.position, line[:8].decode("ascii"))
        return self.mark

    def tables(self) -> tuple[Tables, Mark]:
        """Replay: the whole directory as of the last change."""
        snapshot = self._snapshot()
        tables, mark = (snapshot.tables, Mark(snapshot.position, snapshot.checksum)) if snapshot else ({}, START)
        for change, checksum in self._changes_after(mark.position):
            apply(tables, change.edits)
            mark = Mark(change.position, checksum)
        return tables, mark

    def history(self, after: int = 0) -> Iterator[Change]:
        """The audit log from `after` on."""
        for change, _ in self._changes_after(after):
            yield change

    def snapshot(self) -> None:
        """Begin a new segment and write down where the tables stand."""
        self.close()
        tables, mark = self.tables()
        path = os.path.join(self._folder, SNAPSHOT)
        fd = os.open(f"{path}.tmp", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            _write(fd, encode(_Snapshot(mark.position, mark.checksum, tables)))
            os.fsync(fd)
        finally:
            os.close(fd)
        os.rename(f"{path}.tmp", path)
        self._sync_folder()

    def size_after_snapshot(self) -> int:
        """Octets a replay has to read beside the snapshot."""
        position = self._snapshot_mark().position
        return sum(os.path.getsize(self._path(first)) for first in self._segments() if first > position)

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    # -- segments ------------------------------------------------------------------------------------------

    def _path(self, first: int) -> str:
        return os.path.join(self._folder, f"{first:012}.log")

    def _segments(self) -> list[int]:
        """First positions, ascending."""
        names = os.listdir(self._folder)
        return sorted(int(name[:-4]) for name in names if name.endswith(".log") and name[:-4].isdigit())

    def _create(self, first: int) -> int:
        """A segment that failed at its very first record is opened again only in name."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path(first))
        fd = os.open(self._path(first), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        self._sync_folder()
        return fd

    def _take_back(self, fd: int, end: int) -> None:
        with contextlib.suppress(OSError):
            os.ftruncate(fd, end)
        self._file = None
        os.close(fd)

    def _cut_torn_tail(self, first: int) -> None:
        with open(self._path(first), "rb") as file:
            data = file.read()
        whole = _read(data, self._path(first))[1]
        if whole < len(data):
            os.truncate(self._path(first), whole)

    def _changes_after(self, position: int) -> Iterator[tuple[Change, str]]:
        firsts: list[int | None] = [*self._segments(), None]
        for first, following in pairwise(firsts):
            assert first is not None
            if following is not None and following <= position + 1:
                continue
            with open(self._path(first), "rb") as file:
                lines, _ = _read(file.read(), self._path(first))
            for line, checksum in lines:
                change = decode_change(line)
                if change.position <= position or (following is not None and change.position >= following):
                    continue
                if change.position != position + 1:
                    raise Broken(f"{self._path(first)}: change {change.position} follows {position}")
                position = change.position
                yield change, checksum

    # -- snapshot ------------------------------------------------------------------------------------------

    def _snapshot(self) -> _Snapshot | None:
        try:
            with open(os.path.join(self._folder, SNAPSHOT), "rb") as file:
                return msgspec.json.decode(file.read(), type=_Snapshot)
        except FileNotFoundError:
            return None
        except msgspec.DecodeError:
            return None  # the segments tell it all, from the first

    def _snapshot_mark(self) -> Mark:
        snapshot = self._snapshot()
        return Mark(snapshot.position, snapshot.checksum) if snapshot else START

    def _sync_folder(self) -> None:
        fd = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def apply(tables: Tables, edits: tuple[Edit, ...]) -> None:
    """One change, in place."""
    for edit in edits:
        table = tables.setdefault(edit.table, {})
        after = row(edit.after)
        if after is None:
            table.pop(edit.key, None)
        else:
            table[edit.key] = Raw(after)  # a copy: the decoder's Raw would keep the whole record in memory


def _read(data: bytes, path: str) -> tuple[list[tuple[bytes, str]], int]:
    """Lines with their checksums, and where the whole ones end; raises Broken."""
    reader = records.Reader()
    try:
        lines = reader.feed(data)
    except records.Corrupt as error:
        raise Broken(f"{path}: {error}") from None
    return [(line, _checksum(line)) for line in lines], reader.position


def _checksum(line: bytes) -> str:
    return records.encode(line)[:8].decode("ascii")


def _write(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
