"""Puts the parts together, wakes them up in order and puts them to sleep in the opposite one.

`App.__init__` composes; it opens nothing, so the first banner can go out before anything heavy is loaded.
`start` wakes up; until a part is awake, whoever needs it gets `Temporary`, which peers see as 451.
"""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IListeningPort
from twisted.logger import Logger

from emailgency.listening import Bound
from emailgency.servers.stall import Stall
from emailgency.settings import Settings


class App:
    """One server, made of its parts."""

    _log = Logger()

    def __init__(self, reactor: Any, clock: Callable[[], float], settings: Settings, bound: dict[str, Bound]) -> None:
        self._reactor = reactor
        self._settings = settings
        self._bound = bound
        self._ports: list[IListeningPort] = []
        self._awake = False
        self._stall = Stall(reactor)

    def listen(self) -> None:
        """Accept connections."""

    async def start(self) -> None:
        self._stall.start()
        self._watch()
        self._awake = True
        self._log.info("ready")

    async def stop(self) -> None:
        """No transaction is cut: those under way get `stop.grace` seconds."""
        self._awake = False
        for port in self._ports:
            stopped = port.stopListening()
            if isinstance(stopped, Deferred):
                await stopped
        self._stall.stop()

    def reload(self, settings: Settings) -> None:
        """Take on new settings."""
        self._settings = settings

    def _watch(self) -> None:
        from emailgency.servers.web.local import site
        from emailgency.servers.web.metrics import Figure

        figures = [
            Figure("emailgency_stall_seconds", "Longest stall of the last minutes.", lambda: self._stall.recent),
        ]
        self._ports += self._bound["local"].serve(self._reactor, site(figures, self._not_ready))

    def _not_ready(self) -> list[str]:
        return [] if self._awake else ["not started yet"]
