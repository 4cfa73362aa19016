"""One message's file while a command of IMAP or POP3 reads it: 64 KiB at a time, parsed where it does no harm."""

import mmap
import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType

from twisted.internet.interfaces import IReactorThreads

from emailgency.background import in_thread
from emailgency.codec.mime import headers
from emailgency.codec.mime.headers import Octets
from emailgency.codec.mime.summary import Summary, summarise
from emailgency.store.mailboxes.folder import UNKNOWN, Folder
from emailgency.store.mailboxes.folders import Folders

READ = 65536  # octets read from a file at once: more would keep the reactor from others
LARGE = 1 << 20  # octets; parsing this much takes some 3 ms, more than that goes to a thread


class MessageFile:
    """A context. `begin` are its first octets, `size` is what it holds, whatever its name says.

    Raises FileNotFoundError when it has gone.
    """

    __slots__ = ("_descriptor", "begin", "size")

    def __init__(self, path: str) -> None:
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            self.begin = os.read(self._descriptor, READ)
            self.size = len(self.begin) if len(self.begin) < READ else os.fstat(self._descriptor).st_size
        except BaseException:
            os.close(self._descriptor)
            raise

    def __enter__(self) -> "MessageFile":
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        os.close(self._descriptor)

    def read(self, start: int, end: int) -> bytes:
        """octets[start:end]. Ask for no more than READ at a time."""
        if end <= len(self.begin):
            return self.begin[start:end]
        return os.pread(self._descriptor, end - start, start)

    @property
    def in_memory(self) -> bool:
        """Whether `begin` is the whole message."""
        return self.size == len(self.begin)

    def octets(self) -> AbstractContextManager[Octets]:
        """All of it: in memory, or mapped."""
        return nullcontext(self.begin) if self.in_memory else self._mapped()

    def header(self) -> bytes:
        """Its header as far as it is looked at (reliability row 25)."""
        return self.read(0, min(self.header_end(), headers.LIMIT))

    def header_end(self) -> int:
        """Where the message's own header ends."""
        end = headers.header_end(self.begin, 0, len(self.begin))
        if end < len(self.begin) or self.in_memory:
            return end
        with self._mapped() as octets:
            return headers.header_end(octets, 0, self.size)

    async def summary(self, reactor: IReactorThreads) -> Summary:
        if self.in_memory:
            return summarise(self.begin)
        with self._mapped() as octets:
            if self.size <= LARGE:
                return summarise(octets)
            return await in_thread(reactor, summarise, octets)

    def _mapped(self) -> mmap.mmap:
        return mmap.mmap(self._descriptor, 0, access=mmap.ACCESS_READ)


async def open_message(folders: Folders, folder: Folder, place: Callable[[], int]) -> MessageFile | None:
    """A message by its index in `folder`, None when it has gone. Raises Temporary.

    Another program may rename it at any time: `place` is asked again after a look at the folder.
    """
    for _ in range(2):
        at = place()
        if at == UNKNOWN:
            return None
        try:
            return MessageFile(folder.full_path(at))
        except FileNotFoundError:
            await folders.refresh(folder)
    return None
