"""One message's file while a command reads it: at most 64 KiB at a time, and parsed where it does no harm."""

import mmap
import os
from types import TracebackType

from twisted.internet.interfaces import IReactorThreads
from twisted.internet.threads import deferToThreadPool

from emailgency.codec.mime import headers
from emailgency.codec.mime.summary import Summary, summarise
from emailgency.servers.imap.limits import READ

LARGE = 1 << 20  # octets; parsing this much takes some 3 ms, more than that goes to a thread


class MessageFile:
    """A context. `size` is what the file holds, whatever its name says; raises FileNotFoundError when it has gone."""

    __slots__ = ("_begin", "_descriptor", "size")

    def __init__(self, path: str) -> None:
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            self._begin = os.read(self._descriptor, READ)
            self.size = len(self._begin) if len(self._begin) < READ else os.fstat(self._descriptor).st_size
        except BaseException:
            os.close(self._descriptor)
            raise

    def __enter__(self) -> "MessageFile":
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        os.close(self._descriptor)

    def read(self, start: int, end: int) -> bytes:
        """octets[start:end]. Ask for no more than READ at a time."""
        if end <= len(self._begin):
            return self._begin[start:end]
        return os.pread(self._descriptor, end - start, start)

    def header_end(self) -> int:
        """Where the message's own header ends."""
        end = headers.header_end(self._begin, 0, len(self._begin))
        if end < len(self._begin) or self.size == len(self._begin):
            return end
        with self._mapped() as octets:
            return headers.header_end(octets, 0, self.size)

    async def summary(self, reactor: IReactorThreads) -> Summary:
        if self.size == len(self._begin):
            return summarise(self._begin)
        with self._mapped() as octets:
            if self.size <= LARGE:
                return summarise(octets)
            return await deferToThreadPool(reactor, reactor.getThreadPool(), summarise, octets)

    def _mapped(self) -> mmap.mmap:
        return mmap.mmap(self._descriptor, 0, access=mmap.ACCESS_READ)
