"""When each token of the API, app password and passkey was last used, and from where; may be lost without harm."""

from collections.abc import Callable, Sequence

import msgspec
from msgspec import Struct

from emailgency.background import background
from emailgency.store.redis.redis import Redis
from emailgency.store.redis.small_memory import read

_KEPT = 400 * 86_400  # seconds
_LATE = 60.0  # seconds in which not every use is written
_REMEMBERED = 10_000


class TokenUse(Struct, frozen=True):
    at: float  # seconds since the epoch
    ip: str


class TokenUses:
    """Raises Temporary while Redis is away."""

    def __init__(self, redis: Redis, clock: Callable[[], float]) -> None:
        self._redis = redis
        self._clock = clock
        self._written: dict[str, float] = {}

    async def used(self, mailbox: str, token: str, ip: str) -> None:
        key, now = _key(mailbox, token), self._clock()
        if now - self._written.get(key, 0.0) < _LATE:
            return
        if len(self._written) >= _REMEMBERED:
            self._written.clear()
        self._written[key] = now
        await self._redis.execute("SET", key, msgspec.json.encode(TokenUse(now, ip)), "EX", _KEPT)

    def note(self, mailbox: str, token: str, ip: str) -> None:
        """As `used`. Nobody waits for it."""
        if self._redis.connected:
            background("noting a use", self.used(mailbox, token, ip))

    async def of(self, mailbox: str, tokens: Sequence[str]) -> list[TokenUse | None]:
        """None: never, as far as we know."""
        if not tokens:
            return []
        found = await self._redis.execute("MGET", *(_key(mailbox, token) for token in tokens))
        return [read(octets, TokenUse) for octets in found]


def _key(mailbox: str, token: str) -> str:
    return f"token use:{mailbox}:{token}"
