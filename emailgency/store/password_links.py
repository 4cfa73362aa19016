"""Links that let somebody set the password of his mailbox, in Redis, which may be lost without harm (attack row 19).

A link holds 256 random bits; only their SHA-256 is kept here. It is worth something once, until it is too old, and
while the mailbox still has the password (or none) that it had when the link was made.
"""

import secrets
from collections.abc import Callable
from hashlib import sha256
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from emailgency.store.redis import Redis, Script

_LONGEST = 200  # characters of what somebody says is a link's token

_TAKE = Script("local found = redis.call('GET', KEYS[1]) redis.call('DEL', KEYS[1]) return found")


class PasswordLinkSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Links in mails that let people set their password."""

    invitation: Annotated[
        int, Meta(ge=3600, le=2_592_000, description="Seconds an administrator's invitation is good.")
    ] = 604_800
    reset: Annotated[int, Meta(ge=3600, le=86_400, description="Seconds a link that a user asked for is good.")] = 3600
    per_address: Annotated[int, Meta(ge=1, description="Requests for one address in an hour.")] = 3
    per_network: Annotated[int, Meta(ge=1, description="Requests from one network (/24 or /64) in an hour.")] = 20
    total: Annotated[int, Meta(ge=1, description="Requests from everywhere in an hour.")] = 500


class PasswordLink(Struct, frozen=True):
    """What a token stands for. `generation`: the mailbox's when it was made."""

    mailbox: str
    generation: int
    until: float


class PasswordLinks:
    """Raises Temporary while Redis is away."""

    def __init__(self, redis: Redis, clock: Callable[[], float]) -> None:
        self._redis = redis
        self._clock = clock

    async def make(self, mailbox: str, generation: int, lifetime: int) -> str:
        """The token of a new one, good for `lifetime` seconds."""
        token = secrets.token_urlsafe(32)
        link = PasswordLink(mailbox, generation, self._clock() + lifetime)
        await self._redis.execute("SET", _key(token), msgspec.json.encode(link), "EX", lifetime)
        return token

    async def find(self, token: str) -> PasswordLink | None:
        """Looked at only: it is worth as much afterwards."""
        return self._read(await self._redis.execute("GET", _key(token)))

    async def take(self, token: str) -> PasswordLink | None:
        """For one of all who ask, however many do at once; for the others, and from now on, there is none."""
        return self._read(await self._redis.run(_TAKE, [_key(token)], []))

    async def forget(self, token: str) -> None:
        """It did not reach anybody."""
        await self._redis.execute("DEL", _key(token))

    def _read(self, found: bytes | None) -> PasswordLink | None:
        if found is None:
            return None
        try:
            link = msgspec.json.decode(found, type=PasswordLink)
        except msgspec.MsgspecError:  # of another version
            return None
        return link if self._clock() < link.until else None


def _key(token: str) -> str:
    octets = token[:_LONGEST].encode("utf-8", "surrogateescape")
    return f"password link:{sha256(octets).hexdigest()}"
