"""Work that returns: a loop whose error is logged and which lives on."""

from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from twisted.internet.defer import Deferred, TimeoutError, ensureDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

Deed = Callable[[], Coroutine[Deferred[Any], Any, object] | None]


class Lasting(Protocol):
    """What goes on beside everything else, from the start until it is stopped."""

    def start(self) -> None: ...
    async def stop(self, grace: float) -> None: ...


class Periodic:
    """Do `deed` each `seconds`, the first time after `seconds`. A deed that takes longer delays the next one."""

    _log = Logger()

    def __init__(self, reactor: IReactorTime, name: str, seconds: float, deed: Deed) -> None:
        self.name = name
        self._reactor = reactor
        self._deed = deed
        self._seconds = seconds
        self._loop = LoopingCall(self._once)
        self._loop.clock = reactor
        self._ended: Deferred[Any] | None = None

    def start(self) -> None:
        self._ended = self._loop.start(self._seconds, now=False)

    async def stop(self, grace: float) -> None:
        """Returns when a deed under way has ended, or after `grace` seconds: then it is not waited for any longer."""
        if self._loop.running:
            self._loop.stop()
        if self._ended is None:
            return
        try:
            await self._ended.addTimeout(grace, self._reactor)
        except TimeoutError:
            self._log.warn("{name} has not ended in {grace} s, and is left where it is", name=self.name, grace=grace)

    async def _guarded(self) -> None:
        try:
            work = self._deed()
            if work is not None:
                await work
        except Exception:
            self._log.failure("{name} failed; it goes on in {seconds} s", name=self.name, seconds=self._seconds)

    def _once(self) -> Deferred[None]:
        return ensureDeferred(self._guarded())
