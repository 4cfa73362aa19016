"""When somebody was last logged in to a mailbox, in Redis: if it is lost, nobody knows until the next time."""

from collections.abc import Callable

import msgspec
from msgspec import Struct

from emailgency.background import background
from emailgency.store.redis.redis import Redis
from emailgency.store.redis.small_memory import read

_REMEMBERED = 400 * 86_400  # seconds


class LastLogin(Struct, frozen=True):
    """`at`: seconds since the epoch; `service` is "imap", "pop3", "smtp" or "web"."""

    at: float
    service: str


class LastLogins:
    """One for all services."""

    def __init__(self, redis: Redis, clock: Callable[[], float]) -> None:
        self._redis = redis
        self._clock = clock

    def note(self, mailbox: str, service: str) -> None:
        """Now. Nobody waits for it."""
        login = msgspec.json.encode(LastLogin(self._clock(), service))
        if self._redis.connected:
            background("noting a login", self._redis.execute("SET", f"last login:{mailbox}", login, "EX", _REMEMBERED))

    async def of(self, mailbox: str) -> LastLogin | None:
        """None: nobody was, or nobody knows. Raises Temporary while Redis is away."""
        return read(await self._redis.execute("GET", f"last login:{mailbox}"), LastLogin)
