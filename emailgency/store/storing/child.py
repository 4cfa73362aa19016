"""The storer process: `python -m emailgency.store.storing.child <descriptor> <data folder> [<segment size>]`.

Takes whatever has arrived on the socket, does it in order, syncs together, answers (see `batch`). No Twisted, and only
imports that cost little: after a crash mail waits for this process to start.
"""

import os
import select
import signal
import socket
import sys
import time
from typing import Any

import msgspec

from emailgency.codec import frames, maildir
from emailgency.store.storing import files
from emailgency.store.storing.batch import Batch
from emailgency.store.storing.delivering import Delivering
from emailgency.store.storing.incoming import Incoming
from emailgency.store.storing.listing import opened
from emailgency.store.storing.maildirs import Maildirs
from emailgency.store.storing.messages import (
    Abort,
    Commit,
    CreateFolder,
    Done,
    Failed,
    Forget,
    Open,
    Record,
    Redeliver,
    Refused,
    Release,
    Reply,
    Request,
    Settle,
    Stop,
    Write,
)
from emailgency.store.storing.segments import Segments

SEGMENT_SIZE = 16 << 20  # octets; replayed in about half a second
_RECEIVE = 1 << 20
_TURN_OCTETS = 4 << 20  # taken in one turn: bounds how long a reader of a folder waits behind commits
_LAZY_SYNC = 0.5  # seconds until changes nobody waits for are synced (the promise is one second)

_requests: msgspec.msgpack.Decoder[Request] = msgspec.msgpack.Decoder(Request)
_encode = msgspec.msgpack.Encoder().encode


class Storer:
    """The loop and the dispatch of requests to those who do them."""

    def __init__(self, line: socket.socket, data: str, segment_size: int = SEGMENT_SIZE) -> None:
        self._line = line
        self._root = os.open(data, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._frames = frames.Frames()
        self._out: list[bytes] = []
        self._stopping: int | None = None
        self.maildirs = Maildirs(self._root)
        self._incoming = Incoming(self._root)
        host = maildir.safe_host(socket.gethostname())
        delivering = Delivering(self.maildirs, self._incoming, host)
        self._batch = Batch(Segments(self._root, segment_size), self._incoming, delivering, self._answer)
        self._deeds: dict[type[Any], Any] = {
            Write: lambda request: self._incoming.write(request.id, request.chunk),
            Abort: lambda request: self._incoming.drop(request.id),
            Commit: self._batch.commit,
            Redeliver: self._batch.redeliver,
            Record: self._batch.record,
            Release: self._batch.release,
            Settle: lambda request: self._batch.settle(request, self.maildirs.get(request.folder)),
            Forget: lambda request: self._batch.forget(request.below),
            Open: self._open,
            CreateFolder: self._create,
            Stop: self._stop,
        }

    def run(self) -> None:
        """Until the other end closes or says Stop."""
        while self._stopping is None:
            octets = self._receive()
            if octets is None:
                return
            for payload in octets:
                self._do(_requests.decode(payload))
            self._flush()
            if self._batch.urgent or self._due() <= 0:
                self._batch.pay()
                self._flush()
            if self._batch.finishing and not self._more(0):
                self._batch.finish()
                self._flush()
            self.maildirs.trim()
        self._batch.finish()
        self._batch.finish()
        self.maildirs.settle()
        self._answer(Done(self._stopping))
        self._flush()

    def _do(self, request: Request) -> None:
        try:
            self._deeds[type(request)](request)
        except OSError as error:
            number = getattr(request, "number", 0)
            print(f"{type(request).__name__}: {files.reason(error)}", file=sys.stderr, flush=True)
            if number:
                self._answer(Failed(number, files.reason(error)))

    def _open(self, request: Open) -> None:
        folder = self.maildirs.get(request.folder)
        self._answer(
            Refused(request.number, "nonexistent") if folder is None else opened(request.number, folder, request.token)
        )

    def _create(self, request: CreateFolder) -> None:
        folder = self.maildirs.get(request.folder)
        if folder is not None and not request.quiet:
            self._answer(Refused(request.number, "exists"))
        else:
            self._answer(opened(request.number, folder or self.maildirs.make(request.folder)))

    def _stop(self, request: Stop) -> None:
        self._stopping = request.number

    def _due(self) -> float:
        """Seconds until changes nobody waits for are to be synced."""
        owed_since = self._batch.owed_since
        return owed_since + _LAZY_SYNC - time.monotonic() if owed_since else _LAZY_SYNC

    # ---- the socket --------------------------------------------------------------------------------------

    def _more(self, timeout: float | None) -> bool:
        return bool(select.select([self._line], [], [], timeout)[0])

    def _receive(self) -> list[bytes] | None:
        """Wait for requests and take those that are there; [] when a lazy sync is due, None at the end."""
        if not self._more(max(0.0, self._due()) if self._batch.owed_since else None):
            return []
        payloads: list[bytes] = []
        taken = 0
        while taken < _TURN_OCTETS:
            octets = self._line.recv(_RECEIVE)
            if not octets:
                return None
            taken += len(octets)
            payloads += self._frames.feed(octets)
            if not self._more(0):
                break
        return payloads

    def _answer(self, reply: Reply) -> None:
        self._out.append(frames.encode(_encode(reply)))

    def _flush(self) -> None:
        if self._out:
            octets = b"".join(self._out)
            self._out.clear()
            self._line.sendall(octets)


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
