"""Digits that a picture shows and a voice reads, so that programs cannot try passwords by the thousand (attack row 35).

What the browser holds is 256 random bits in a cookie, so another browser's answer is worth nothing. The digits stay
here, in Redis, which may be lost without harm: for five minutes, for one kind of deed, and for one answer.
"""

import hmac
import secrets
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from emailgency.rules.networks import network
from emailgency.store.redis.redis import Redis
from emailgency.store.redis.small_memory import count, hashed, read, take

LENGTH = 6  # digits: one guess in a million
LIFETIME = 300  # seconds
_HOUR = 3600
_LOOKS = 6  # times the digits of one are drawn or read out
_LONGEST = 200  # characters of what somebody says are the digits


class CaptchaSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Digits to type, at the console's login and where a password link is asked for."""

    after: Annotated[
        int,
        Meta(ge=0, description="Failed logins of an account or a network in an hour that are not asked for digits."),
    ] = 3
    per_network: Annotated[int, Meta(ge=1, description="Pictures for one network (/24 or /64) in an hour.")] = 200


class Captcha(Struct, frozen=True):
    """What one stands for."""

    action: str
    digits: str


class Captchas:
    """Raises Temporary while Redis is away."""

    def __init__(self, redis: Redis, settings: CaptchaSettings) -> None:
        self.settings = settings
        self._redis = redis

    async def pose(self, action: str, ip: str) -> str:
        """The token of a new one; "": this network has had too many."""
        if await count(self._redis, f"captchas:{network(ip)}", _HOUR) > self.settings.per_network:
            return ""
        token = secrets.token_urlsafe(32)
        captcha = Captcha(action, "".join(secrets.choice("0123456789") for _ in range(LENGTH)))
        await self._redis.execute("SET", _key(token), msgspec.json.encode(captcha), "EX", LIFETIME)
        return token

    async def look(self, token: str) -> str | None:
        """The digits, to be drawn or read out; None when there are none, or they have been looked at too often."""
        captcha = read(await self._redis.execute("GET", _key(token)), Captcha)
        if captcha is None or await count(self._redis, f"{_key(token)}:looks", LIFETIME) > _LOOKS:
            return None
        return captcha.digits

    async def solved(self, token: str, action: str, answer: str) -> bool:
        """Whether these are its digits; it is worth nothing afterwards, whatever was answered."""
        captcha = read(await take(self._redis, _key(token), f"{_key(token)}:looks"), Captcha)
        if captcha is None or captcha.action != action:
            return False
        typed = "".join(answer.split())[:_LONGEST]
        return hmac.compare_digest(typed.encode("utf-8", "surrogateescape"), captcha.digits.encode())

    # ---- when one is asked for -----------------------------------------------------------------------------

    async def failed(self, name: str, ip: str) -> None:
        """A login has failed."""
        for key in _troubles(name, ip):
            await count(self._redis, key, _HOUR)

    async def wanted(self, name: str, ip: str) -> bool:
        """Whether the next login has to type digits: so many have failed, from there or for that name."""
        if not self.settings.after:
            return True
        counts = [await self._redis.execute("GET", key) for key in _troubles(name, ip)]
        return any(failed is not None and int(failed) >= self.settings.after for failed in counts)


def _troubles(name: str, ip: str) -> tuple[str, ...]:
    """A login without a name is counted for its network only."""
    there = f"login trouble:{network(ip)}"
    return (there, f"login trouble:{hashed(name.casefold())}") if name else (there,)


def _key(token: str) -> str:
    return f"captcha:{hashed(token)}"
