"""Room on the disk: refuse mail before it is full, and give the ballast up so that what is there can still move."""

import os
from typing import Annotated, Any

from msgspec import Meta, Struct
from twisted.logger import Logger

from emailgency.model.errors import Temporary
from emailgency.model.verdict import Verdict
from emailgency.store import layout
from emailgency.store.storing.line import Storer
from emailgency.store.storing.messages import Ballast

FULL = Verdict(452, "4.3.1", "insufficient system storage, try again later")  # RFC 3463 section 3.4


class DiskSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When the disk counts as full."""

    reserve: Annotated[
        int,
        Meta(description="Octets that stay free: below, mail gets 452. At least twice the largest message.", ge=0),
    ] = 256 << 20
    files: Annotated[int, Meta(description="Inodes that stay free: below, mail gets 452.", ge=0)] = 2000
    ballast: Annotated[
        int,
        Meta(description="Octets of the file that is given up on a full disk, so that mail can drain.", ge=0),
    ] = 64 << 20
    interval: Annotated[float, Meta(description="Seconds between two looks at the free space.", gt=0)] = 1.0


def room(data: str, settings: DiskSettings) -> int:
    """Octets that may still come in before mail is refused; 0 when there is no telling."""
    try:
        status = os.statvfs(data)
    except OSError:
        return 0
    return max(0, status.f_bavail * status.f_frsize - settings.reserve)


class DiskWatch:
    """One statvfs a second; `verdict` is what to say at MAIL."""

    _log = Logger()

    def __init__(self, reactor: Any, storer: Storer, data: str, settings: DiskSettings) -> None:
        self.verdict: Verdict | None = None
        self._reactor = reactor
        self._storer = storer
        self._data = data
        self._settings = settings
        self._call: Any = None
        self._asked = False

    def start(self) -> None:
        self._look()

    def stop(self) -> None:
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _look(self) -> None:
        self._call = self._reactor.callLater(self._settings.interval, self._look)
        try:
            status = os.statvfs(self._data)
        except OSError as error:
            self._say(FULL, error.strerror or "")
            return
        free = status.f_bavail * status.f_frsize
        settings = self._settings
        no_files = status.f_files > 0 and status.f_favail < settings.files  # btrfs counts no inodes and says 0
        self._say(FULL if free < settings.reserve or no_files else None, f"{free} octets free")
        held = self._held()
        if self.verdict is not None and held:
            self._ask(0)
        elif free > settings.reserve + 2 * settings.ballast and held != settings.ballast:
            self._ask(settings.ballast)

    def _say(self, verdict: Verdict | None, why: str) -> None:
        if (verdict is None) != (self.verdict is None):
            self._log.warn("disk {state}: {why}", state="low, mail refused" if verdict else "has room again", why=why)
        self.verdict = verdict

    def _held(self) -> int:
        try:
            return os.stat(f"{self._data}/{layout.BALLAST}", follow_symlinks=False).st_size
        except OSError:
            return 0

    def _ask(self, size: int) -> None:
        if self._asked:
            return
        self._asked = True

        def answered(_: object) -> None:
            self._asked = False

        self._storer.ask(Ballast(self._storer.number(), size)).addErrback(
            lambda failure: failure.trap(Temporary)
        ).addCallback(answered)
