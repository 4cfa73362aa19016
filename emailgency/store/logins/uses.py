"""When each token of the API, app password and passkey was last used, and from where; may be lost without harm."""

from collections.abc import Callable, Sequence

import msgspec
from msgspec import Struct

from emailgency.background import background
from emailgency.model.errors import Temporary
from emailgency.store.redis.redis import Redis
from emailgency.store.redis.small_memory import read

_KEPT = 400 * 86_400  # seconds
_LATE = 60.0  # seconds in which not every use is written
_REMEMBERED = 10_000


class Use(Struct, frozen=True):
    at: float  # seconds since the epoch
    ip: str


class Uses:
    """Of the API tokens, app passwords and passkeys of one account: each by its id."""

    def __init__(self, redis: Redis, clock: Callable[[], float]) -> None:
        self._redis = redis
        self._clock = clock
        self._written: dict[str, float] = {}

    def note(self, account: str, id: str, ip: str) -> None:
        """Just now. Nobody waits for it, and it may be lost."""
        if self._redis.connected:
            background("noting a use", self._used(account, id, ip))

    async def of(self, account: str, ids: Sequence[str]) -> list[Use | None]:
        """None: never, as far as we know; while Redis is away we know of none."""
        if not ids:
            return []
        try:
            found = await self._redis.execute("MGET", *(_key(account, id) for id in ids))
        except Temporary:
            return [None] * len(ids)
        return [read(octets, Use) for octets in found]

    async def _used(self, account: str, id: str, ip: str) -> None:
        key, now = _key(account, id), self._clock()
        if now - self._written.get(key, 0.0) < _LATE:
            return
        if len(self._written) >= _REMEMBERED:
            self._written.clear()
        self._written[key] = now
        await self._redis.execute("SET", key, msgspec.json.encode(Use(now, ip)), "EX", _KEPT)


def _key(account: str, id: str) -> str:
    return f"token use:{account}:{id}"
