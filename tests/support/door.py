"""Where a server that comes and goes listens now: whoever wants in waits here while it is down."""

import threading
from collections.abc import Mapping


class Closed(Exception):
    """It will not open again."""


class Door:
    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._ports: Mapping[str, int] | None = None
        self._closed = threading.Event()

    def open(self, ports: Mapping[str, int]) -> None:
        with self._changed:
            self._ports = dict(ports)
            self._changed.notify_all()

    def shut(self) -> None:
        """For now."""
        with self._changed:
            self._ports = None

    def close(self) -> None:
        """For good."""
        with self._changed:
            self._closed.set()
            self._changed.notify_all()

    def port(self, service: str) -> int:
        """Waits until it is open. Raises Closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._ports is not None or self._closed.is_set())
            if self._closed.is_set() or self._ports is None:
                raise Closed
            return self._ports[service]

    def pause(self, seconds: float) -> None:
        """The pace of a visitor. Raises Closed."""
        if self._closed.wait(seconds):
            raise Closed
