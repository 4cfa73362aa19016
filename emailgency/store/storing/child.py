"""The storer process: `python -m emailgency.store.storing.child <descriptor> <data folder> [<segment size>]`.

Takes whatever has arrived on the socket, does it in order, syncs together, answers (see `batch`). No Twisted, and only
imports that cost little: after a crash mail waits for this process to start.
"""

import fcntl
import os
import select
import signal
import socket
import sys
import time
from typing import Any

import msgspec

from emailgency.codec import frames, maildir
from emailgency.store import layout
from emailgency.store.ids import Ids
from emailgency.store.storing import annotations, appending, ballast, changing, files, keywords, tree
from emailgency.store.storing.batch import Batch
from emailgency.store.storing.delivering import Delivering
from emailgency.store.storing.furnishing import furnish
from emailgency.store.storing.incoming import Incoming
from emailgency.store.storing.listing import opened, vanished
from emailgency.store.storing.listings import Listings
from emailgency.store.storing.maildir import Maildir
from emailgency.store.storing.maildirs import Maildirs
from emailgency.store.storing.messages import (
    Abort,
    Amend,
    Annotate,
    Append,
    Ballast,
    Commit,
    Copy,
    CreateFolder,
    DeleteFolder,
    Expunge,
    Folders,
    Forget,
    Furnish,
    Keywords,
    Open,
    ReadAnnotations,
    Reconstruct,
    Record,
    Redeliver,
    Release,
    RenameFolders,
    Request,
    SetFlags,
    Settle,
    Stop,
    Subscriptions,
    Vanished,
    Write,
)
from emailgency.store.storing.reconstructing import reconstruct
from emailgency.store.storing.replies import Done, Failed, Refused, Reply
from emailgency.store.storing.segments import Segments
from emailgency.store.storing.syncing import Syncing
from emailgency.store.storing.together import Origin

SEGMENT_SIZE = 16 << 20  # octets; replayed in about half a second
_RECEIVE = 1 << 20
_TURN_OCTETS = 4 << 20  # taken in one turn: bounds how long a reader of a folder waits behind commits
_TRASH_SLICE = 200  # names of deleted folders removed between two turns, about 2 ms
_LARGE = 4096  # octets of an answer that goes before the others of its turn: the reactor has something to do with it
_LOCK_PAUSE = 0.05  # seconds
_LOCK_TRIES = 200
_LAZY_SYNC = 0.5  # seconds until changes nobody waits for are synced (the promise is one second)

_requests: msgspec.msgpack.Decoder[Request] = msgspec.msgpack.Decoder(Request)
_encode = msgspec.msgpack.Encoder().encode


class Storer:
    """The loop and the dispatch of requests to those who do them."""

    def __init__(self, line: socket.socket, data: str, segment_size: int = SEGMENT_SIZE) -> None:
        self._line = line
        self._root = os.open(data, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._lock = _alone(self._root)
        self._frames = frames.Frames()
        self._out: list[bytes] = []
        self._stopping: int | None = None
        self.maildirs = Maildirs(self._root)
        self._incoming = Incoming(self._root)
        self._origin = Origin(maildir.safe_host(socket.gethostname()), Ids())
        self._trash = tree.Trash(self._root)
        self._listings = Listings(self._root)
        tree.finish_renames(self._root)
        self._delivering = Delivering(self.maildirs, self._incoming, self._origin.host)
        segments = Segments(self._root, segment_size)
        self._batch = Batch(Syncing(self._root), segments, self._incoming, self._delivering, self._append, self._answer)
        self._deeds: dict[type[Any], Any] = {
            Write: lambda request: self._incoming.write(request.id, request.chunk),
            Amend: lambda request: self._incoming.amend(request.id, request.place, request.octets),
            Abort: lambda request: self._incoming.drop(request.id),
            Commit: self._batch.commit,
            Redeliver: self._batch.redeliver,
            Record: self._batch.record,
            Release: self._batch.release,
            Settle: lambda request: self._batch.settle(request, self.maildirs.get(request.folder)),
            Forget: lambda request: self._batch.forget(request.below),
            Ballast: self._ballast,
            Open: self._open,
            Vanished: self._vanished,
            Append: self._batch.append,
            Copy: self._copy,
            Expunge: self._expunge,
            SetFlags: self._set_flags,
            Keywords: self._keywords,
            CreateFolder: self._create,
            Furnish: self._furnish,
            Folders: lambda request: self._answer(self._listings.answer(request)),
            DeleteFolder: lambda request: self._answer(tree.delete(self._root, self.maildirs, self._trash, request)),
            Reconstruct: lambda request: self._answer(reconstruct(self.maildirs, request)),
            RenameFolders: lambda request: self._answer(tree.rename(self._root, self.maildirs, request)),
            Subscriptions: lambda request: self._answer(tree.subscriptions(self._root, request)),
            Annotate: self._annotate,
            ReadAnnotations: self._read_annotations,
            Stop: self._stop,
        }

    def run(self) -> None:
        """Until the other end closes or says Stop."""
        while self._stopping is None:
            octets = self._receive()
            if octets is None:
                return
            overdue = self._batch.finishing  # what the last turn linked waits for this one at most
            for payload in octets:
                self._do(_requests.decode(payload))
            self._delivering.end_turn()
            self._flush()
            if overdue or self._batch.urgent or self._due() <= 0:
                self._batch.pay()
                self._flush()
            if self._batch.finishing and not self._more(0):
                self._batch.finish()
                self._flush()
            self.maildirs.trim(self._batch.maildirs)
            self._trash.empty(_TRASH_SLICE)
        self._batch.finish()
        self._batch.finish()
        self.maildirs.settle()
        self._answer(Done(self._stopping))
        self._flush()

    def _do(self, request: Request) -> None:
        try:
            self._deeds[type(request)](request)
        except Exception as error:
            # anything nobody foresaw is Temporary too: this process must go on for all the others
            reason = files.reason(error) if isinstance(error, OSError) else repr(error)
            print(f"{type(request).__name__}: {reason}", file=sys.stderr, flush=True)
            number = getattr(request, "number", 0)
            if number:
                self._answer(Failed(number, reason))

    def _ballast(self, request: Ballast) -> None:
        ballast.set_size(self._root, request.size)
        self._answer(Done(request.number))

    # ---- folders -----------------------------------------------------------------------------------------

    def _folder(
        self, request: Open | Vanished | Expunge | SetFlags | Keywords | Annotate | ReadAnnotations
    ) -> Maildir | None:
        """None: there is none, and that has been answered."""
        folder = self.maildirs.get(request.folder)
        if folder is None:
            self._answer(Refused(request.number, "nonexistent"))
        return folder

    def _open(self, request: Open) -> None:
        if (folder := self._folder(request)) is not None:
            self._answer(opened(request.number, folder, request.token))

    def _vanished(self, request: Vanished) -> None:
        if (folder := self._folder(request)) is not None:
            self._answer(vanished(request, folder))

    def _create(self, request: CreateFolder) -> None:
        folder = self.maildirs.get(request.folder)
        if folder is not None and not request.quiet:
            self._answer(Refused(request.number, "exists"))
        else:
            self._answer(opened(request.number, self.maildirs.make(request.folder, request.address)))

    def _furnish(self, request: Furnish) -> None:
        reply, subfolders = furnish(request, self.maildirs, self._listings)
        self._batch.owe(*subfolders)
        self._answer(reply)

    def _append(self, request: Append, sizes: list[int]) -> changing.Result:
        folder = self.maildirs.get(request.folder)
        if folder is None:
            return Refused(request.number, "nonexistent"), ()
        source = None if request.replaced is None else self.maildirs.get(request.replaced[0])
        return appending.append(request, self._incoming.hour, sizes, folder, source, self._origin)

    def _copy(self, request: Copy) -> None:
        source, destination = self.maildirs.get(request.source), self.maildirs.get(request.destination)
        if source is None or destination is None:
            self._answer(Refused(request.number, "nonexistent"))
        else:
            reply, subfolders = changing.copy(request, source, destination, self._origin)
            self._batch.promise(reply, request.number, subfolders)

    def _expunge(self, request: Expunge) -> None:
        if (folder := self._folder(request)) is not None:
            reply, subfolders = changing.expunge(request, folder)
            self._batch.promise(reply, request.number, subfolders)

    def _set_flags(self, request: SetFlags) -> None:
        if (folder := self._folder(request)) is not None:
            reply, subfolders = changing.set_flags(request, folder)
            self._batch.reply(reply, request.number)
            self._batch.owe(*subfolders)

    def _keywords(self, request: Keywords) -> None:
        if (folder := self._folder(request)) is not None:
            self._answer(keywords.give(folder, request))

    def _annotate(self, request: Annotate) -> None:
        if (folder := self._folder(request)) is not None:
            self._answer(annotations.annotate(folder, request))
            self._listings.doubt(layout.mailbox_of(request.folder))

    def _read_annotations(self, request: ReadAnnotations) -> None:
        if (folder := self._folder(request)) is not None:
            self._answer(annotations.read(folder, request))

    def _stop(self, request: Stop) -> None:
        self._stopping = request.number

    def _due(self) -> float:
        """Seconds until changes nobody waits for are to be synced."""
        owed_since = self._batch.owed_since
        return owed_since + _LAZY_SYNC - time.monotonic() if owed_since else _LAZY_SYNC

    # ---- the socket --------------------------------------------------------------------------------------

    def _more(self, timeout: float | None) -> bool:
        return bool(select.select([self._line], [], [], timeout)[0])

    def _receive(self) -> list[memoryview] | None:
        """Wait for requests and take those that are there; [] when a lazy sync is due, None at the end."""
        patience = 0.0 if self._trash.full else max(0.0, self._due()) if self._batch.owed_since else None
        if not self._more(patience):
            return []
        payloads: list[memoryview] = []
        taken = 0
        while taken < _TURN_OCTETS:
            try:
                octets = self._line.recv(_RECEIVE, socket.MSG_DONTWAIT)
            except BlockingIOError:
                break
            if not octets:
                return None
            taken += len(octets)
            payloads += self._frames.feed(octets)
        return payloads

    def _answer(self, reply: Reply) -> None:
        frame = frames.encode(_encode(reply))
        self._out.append(frame)
        if len(frame) > _LARGE:
            self._flush()

    def _flush(self) -> None:
        if self._out:
            octets = b"".join(self._out)
            self._out.clear()
            self._line.sendall(octets)


def _alone(root: int) -> int:
    """One writer a data folder: wait for the storer of a reactor that was killed to be gone."""
    lock = os.open("lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=root)
    for _ in range(_LOCK_TRIES):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_LOCK_PAUSE)
        else:
            return lock
    sys.exit("another server works in this data folder")


def main() -> None:
    descriptor, data, *rest = sys.argv[1:]
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the reactor says Stop
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    line = socket.socket(fileno=int(descriptor))
    line.setblocking(True)
    try:
        Storer(line, data, *map(int, rest)).run()
    except (BrokenPipeError, ConnectionResetError):
        sys.exit(1)  # the reactor is gone


if __name__ == "__main__":
    main()
