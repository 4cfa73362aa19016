"""Tickets, worth something once: links in mails, half a login. Redis has them and may lose them (attack row 19).

Whoever has one has 256 random bits; only their SHA-256 is kept here, with what the ticket stands for, until it is too
old.
"""

import secrets
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

import msgspec

from emailgency.store.redis.redis import Redis
from emailgency.store.redis.small_memory import hashed, read, take


class Ticket(Protocol):
    """A Struct. `until`: seconds since the epoch."""

    @property
    def until(self) -> float: ...


T = TypeVar("T", bound=Ticket)


class Tickets(Generic[T]):
    """Raises Temporary while Redis is away."""

    def __init__(self, redis: Redis, clock: Callable[[], float], name: str, kind: type[T]) -> None:
        self._redis = redis
        self._clock = clock
        self._name = name
        self._kind = kind

    async def put(self, ticket: T, lifetime: int) -> str:
        """The token of a new one."""
        token = secrets.token_urlsafe(32)
        await self._redis.execute("SET", self._key(token), msgspec.json.encode(ticket), "EX", lifetime)
        return token

    async def find(self, token: str) -> T | None:
        """Looked at only: it is worth as much afterwards."""
        return self._read(await self._redis.execute("GET", self._key(token)))

    async def take(self, token: str) -> T | None:
        """For one of all who ask, however many do at once; for the others, and from now on, there is none."""
        return self._read(await take(self._redis, self._key(token)))

    async def forget(self, token: str) -> None:
        """It did not reach anybody."""
        await self._redis.execute("DEL", self._key(token))

    def _read(self, found: bytes | None) -> T | None:
        ticket = read(found, self._kind)
        return ticket if ticket is not None and self._clock() < ticket.until else None

    def _key(self, token: str) -> str:
        return f"{self._name}:{hashed(token)}"
