"""Links in mails that are worth something once, in Redis, which may be lost without harm (attack row 19).

A link holds 256 random bits; only their SHA-256 is kept here, with what the link stands for, until it is too old.
"""

import secrets
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import Struct

from emailgency.store.redis.redis import Redis
from emailgency.store.redis.small_memory import hashed, read, take

L = TypeVar("L", bound=Struct)


class MailedLinks(Generic[L]):
    """`kind` has a field `until`, seconds since the epoch. Raises Temporary while Redis is away."""

    def __init__(self, redis: Redis, clock: Callable[[], float], name: str, kind: type[L]) -> None:
        self._redis = redis
        self._clock = clock
        self._name = name
        self._kind: Any = kind

    async def put(self, link: L, lifetime: int) -> str:
        """The token of a new one."""
        token = secrets.token_urlsafe(32)
        await self._redis.execute("SET", self._key(token), msgspec.json.encode(link), "EX", lifetime)
        return token

    async def find(self, token: str) -> L | None:
        """Looked at only: it is worth as much afterwards."""
        return self._read(await self._redis.execute("GET", self._key(token)))

    async def take(self, token: str) -> L | None:
        """For one of all who ask, however many do at once; for the others, and from now on, there is none."""
        return self._read(await take(self._redis, self._key(token)))

    async def forget(self, token: str) -> None:
        """It did not reach anybody."""
        await self._redis.execute("DEL", self._key(token))

    def _read(self, found: bytes | None) -> L | None:
        link: L | None = read(found, self._kind)
        if link is None:
            return None
        until: float = getattr(link, "until")  # noqa: B009 -- every kind has it
        return link if self._clock() < until else None

    def _key(self, token: str) -> str:
        return f"{self._name}:{hashed(token)}"
