"""What passkeys are asked to sign: 256 random bits for one answer, of one browser, for one deed, at one host.

They stay here, in Redis, which may be lost without harm, for five minutes. They are found by a token that only that
browser holds, of which the hash is kept: of a cookie, or of its session.
"""

import secrets
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from emailgency.rules.networks import network
from emailgency.store.redis.redis import Redis
from emailgency.store.redis.small_memory import count, hashed, read, take

LIFETIME = 300  # seconds
_HOUR = 3600


class PasskeySettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Logging in to the console by passkey."""

    per_network: Annotated[
        int, Meta(ge=1, description="Logins by passkey that one network (/24 or /64) may begin in an hour.")
    ] = 2000


class Challenge(Struct, frozen=True):
    """`whose`: the account that a passkey is made for; "" for a login, of nobody yet."""

    octets: bytes
    host: str
    whose: str = ""


class PasskeyChallenges:
    """Raises Temporary while Redis is away."""

    def __init__(self, redis: Redis, settings: PasskeySettings) -> None:
        self.settings = settings
        self._redis = redis

    async def pose(self, token: str, host: str, whose: str = "") -> Challenge:
        """A new one for this browser; one that it was posed before is worth nothing any more."""
        challenge = Challenge(secrets.token_bytes(32), host, whose)
        await self._redis.execute("SET", _key(token), msgspec.json.encode(challenge), "EX", LIFETIME)
        return challenge

    async def take(self, token: str, host: str, whose: str = "") -> Challenge | None:
        """The one this browser was posed, for this deed and at this host; worth nothing afterwards, whatever comes."""
        challenge = read(await take(self._redis, _key(token)), Challenge)
        return challenge if challenge is not None and (challenge.host, challenge.whose) == (host, whose) else None

    async def too_many(self, ip: str) -> bool:
        """Counts one more for this network."""
        return await count(self._redis, f"passkeys:{network(ip)}", _HOUR) > self.settings.per_network


def _key(token: str) -> str:
    return f"passkey:{hashed(token)}"
