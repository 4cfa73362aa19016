"""A body on its way: read from the file a chunk at a time, whenever the socket has taken the last one."""

from collections.abc import Callable

from twisted.internet.interfaces import IConsumer, IPullProducer
from zope.interface import implementer

from emailgency.net.parcel import CHUNK, Opened


@implementer(IPullProducer)
class Unloading:
    """`write(chunk, last)` for each chunk; `broken(reason)` when the file cannot be read to its end."""

    def __init__(
        self,
        opened: Opened,
        transport: IConsumer,
        write: Callable[[bytes, bool], None],
        broken: Callable[[str], None],
    ) -> None:
        self._opened = opened
        self._transport = transport
        self._write = write
        self._broken = broken

    def start(self) -> None:
        self._transport.registerProducer(self, False)
        self.resumeProducing()

    def resumeProducing(self) -> None:
        """The socket took the last chunk: read the next, to know whether it is the last."""
        opened = self._opened
        if opened.rest is None:  # the server has answered before the end
            return
        chunk = opened.chunk
        try:
            opened.chunk = opened.rest.read(CHUNK)
        except OSError as error:
            self._broken(f"the message cannot be read: {error}")
            return
        last = not opened.chunk
        if last:
            opened.close()
            self._transport.unregisterProducer()
        self._write(chunk, last)

    def stopProducing(self) -> None:
        """The connection is gone; `connectionLost` says the rest."""
