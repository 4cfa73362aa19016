"""How the server itself does, for operators: disk, spool, Redis, certificates, last errors (row F7)."""

import os
import shutil
from collections.abc import Callable

from msgspec import Struct

from emailgency.model.errors import Temporary
from emailgency.store.experience.recent_errors import LoggedError, RecentErrors
from emailgency.store.keys.certificates import Certificates
from emailgency.store.redis.redis import Redis
from emailgency.store.spool.spool import Spool

SOON = 21 * 86_400.0  # seconds before its end at which a certificate is worth a look
_ERRORS = 50


class Disk(Struct, frozen=True):
    """Octets."""

    total: int
    used: int
    free: int


class Certificate(Struct, frozen=True):
    """`name` of its file; `end` in seconds since the epoch."""

    name: str
    end: float
    soon: bool


class State(Struct, frozen=True, kw_only=True):
    """`room`: octets that may still come in; `trouble`: why no mail is taken, "" when it is; `live`: messages in the
    spool; `redis`: what it says of itself, None: it does not answer.
    """

    disk: Disk
    room: int
    trouble: str
    live: int
    redis: dict[str, str] | None
    certificates: list[Certificate]
    errors: list[LoggedError]


class ServerState:
    def __init__(
        self,
        spool: Spool,
        redis: Redis,
        certificates: Certificates,
        errors: RecentErrors,
        data: str,
        room: Callable[[], int],
        clock: Callable[[], float],
    ) -> None:
        """`room`: octets that may still come in; `data`: the data folder."""
        self._spool = spool
        self._redis = redis
        self._certificates = certificates
        self._errors = errors
        self._data = data
        self._room = room
        self._clock = clock

    async def now(self) -> State:
        soon = self._clock() + SOON
        ends = sorted(self._certificates.expire_at.items(), key=lambda pair: pair[1])
        disk, accepting = shutil.disk_usage(self._data), self._spool.accepting
        return State(
            disk=Disk(disk.total, disk.used, disk.free),
            room=self._room(),
            trouble=accepting.text if accepting else "",
            live=len(self._spool.live),
            redis=await self._of_redis(),
            certificates=[Certificate(os.path.basename(path), end, end < soon) for path, end in ends],
            errors=list(self._errors.latest())[:_ERRORS],
        )

    async def _of_redis(self) -> dict[str, str] | None:
        try:
            told = (await self._redis.execute("INFO")).decode("utf-8", "replace")
        except Temporary:
            return None
        return dict(line.split(":", 1) for line in told.split("\r\n") if ":" in line)
