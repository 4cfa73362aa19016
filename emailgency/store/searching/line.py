"""The server's end of the pipes to the indexing process, which is started when it is needed and ends when idle."""

import contextlib
import os
import sys
from typing import Any

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from emailgency.codec import frames
from emailgency.model.errors import Temporary
from emailgency.store.searching.messages import Failed, Indexed, Reply, Request

_replies: msgspec.msgpack.Decoder[Reply] = msgspec.msgpack.Decoder(Reply)
_encode = msgspec.msgpack.Encoder().encode


class IndexerDied(Temporary):
    """The process ended before it answered; it may be what it was reading that killed it."""


class _Process(ProcessProtocol):
    """One run of it."""

    _log = Logger()

    def __init__(self, line: "IndexerLine") -> None:
        self._line = line
        self._frames = frames.Frames()

    def outReceived(self, data: bytes) -> None:
        for payload in self._frames.feed(data):
            self._line.replied(_replies.decode(payload))

    def errReceived(self, data: bytes) -> None:
        for line in data.decode("ascii", "backslashreplace").splitlines():
            self._log.error("indexer: {line}", line=line)

    def processEnded(self, reason: Failure) -> None:
        self._line.ended()


class IndexerLine:
    """Requests are answered in order."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._number = 0
        self._asked: dict[int, Deferred[Indexed]] = {}
        self._process: Any = None
        self._stopped: Deferred[None] | None = None

    def number(self) -> int:
        """A fresh number for a request."""
        self._number += 1
        return self._number

    def ask(self, request: Request) -> "Deferred[Indexed]":
        """Fails with Temporary: IndexerDied, or the cache cannot be written."""
        answer: Deferred[Indexed] = Deferred()
        if self._stopped is not None:
            answer.errback(Temporary("the indexer stops"))
            return answer
        if self._process is None:
            self._start()
        self._asked[request.number] = answer
        self._process.write(frames.encode(_encode(request)))
        return answer

    async def stop(self) -> None:
        """End it: what it has not written can be made anew."""
        if self._process is not None and self._stopped is None:
            self._stopped = Deferred()
            with contextlib.suppress(Exception):
                self._process.signalProcess("KILL")
            await self._stopped

    def _start(self) -> None:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        arguments = [sys.executable, "-m", "emailgency.store.searching.child"]
        self._process = self._reactor.spawnProcess(_Process(self), sys.executable, arguments, env=environment)

    def replied(self, reply: Reply) -> None:
        answer = self._asked.pop(reply.number, None)
        if answer is None:
            return
        if isinstance(reply, Failed):
            answer.errback(Temporary(f"search cache: {reply.reason}"))
        else:
            answer.callback(reply)

    def ended(self) -> None:
        """The process is gone: it was idle, or it died."""
        self._process = None
        asked, self._asked = self._asked, {}
        for answer in asked.values():
            answer.errback(IndexerDied("the indexer died") if self._stopped is None else Temporary("the indexer stops"))
        if self._stopped is not None:
            self._stopped.callback(None)
