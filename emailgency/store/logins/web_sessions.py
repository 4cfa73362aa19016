"""Who is logged in to the console: sessions in Redis, which may be lost without harm (attack row 39).

What the browser holds is 256 random bits; only their hash is kept here. A session ends after `idle` seconds without a
request, after `lifetime` in any case, and at once when it is ended here.
"""

import secrets
from collections.abc import Callable
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from emailgency.model.address import Address
from emailgency.model.words import Words
from emailgency.store.redis.redis import Redis
from emailgency.store.redis.small_memory import hashed, read

_LATE = 60.0  # seconds in which not every request renews the session


class WebSessionSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long somebody stays logged in to the console."""

    idle: Annotated[int, Meta(ge=60, le=86_400, description="Seconds without a request until a session ends.")] = 1800
    lifetime: Annotated[int, Meta(ge=600, le=604_800, description="Seconds until a session ends anyway.")] = 43_200


class WebSession(Struct, kw_only=True, omit_defaults=True):
    """`told` are lines for the next page: what became of a deed.

    `operator` is the name of one who runs the server, else "". He is nobody's user; while he looks after a customer he
    has that customer's id and the administrator right, else the id OPERATOR and no right but his own.

    `strong`: more than a password was given, a second factor or a passkey. `proposed`: the sealed secret that he is
    putting into his phone, "" when he is not.
    """

    customer: str
    mailbox: str
    address: Address
    administrator: bool
    generation: int
    csrf: str
    begun_at: float
    seen_at: float
    language: str = ""
    operator: str = ""
    strong: bool = False
    proposed: str = ""
    told: list[tuple[str, str | Words]] = []  # kind ("success", "warning", "danger") and words


class WebSessions:
    """Raises Temporary while Redis is away."""

    def __init__(self, redis: Redis, clock: Callable[[], float], settings: WebSessionSettings) -> None:
        self.settings = settings
        self._redis = redis
        self._clock = clock

    async def begin(
        self,
        *,
        customer: str,
        mailbox: str,
        address: Address,
        administrator: bool,
        generation: int,
        language: str,
        operator: str = "",
        strong: bool = False,
        begun_at: float | None = None,
    ) -> str:
        """A new one for who has just logged in, or did `begun_at`; returns what the browser keeps."""
        token, now = secrets.token_urlsafe(32), self._clock()
        session = WebSession(
            customer=customer,
            mailbox=mailbox,
            address=address,
            administrator=administrator,
            generation=generation,
            csrf=secrets.token_urlsafe(32),
            begun_at=now if begun_at is None else begun_at,
            seen_at=now,
            language=language,
            operator=operator,
            strong=strong,
        )
        await self._put(token, session)
        return token

    async def find(self, token: str) -> WebSession | None:
        """None: there is none, or it has ended."""
        if not token:
            return None
        session = read(await self._redis.execute("GET", _key(token)), WebSession)
        if session is None:
            return None
        now = self._clock()
        if now - session.begun_at > self.settings.lifetime:
            await self.end(token)
            return None
        if now - session.seen_at > _LATE:
            session.seen_at = now
            await self.keep(token, session)
        return session

    async def keep(self, token: str, session: WebSession) -> None:
        """What was changed in it. One that has ended meanwhile stays so: whoever logs out may have another request of
        this session under way, or a thief has.
        """
        await self._put(token, session, "XX")

    async def rename(self, token: str, session: WebSession) -> str:
        """What was changed in it, under another token, with another CSRF token: whose rights are others now has
        nothing of before (attack row 39). What the browser keeps from now on; "": it has ended meanwhile.
        """
        if not await self.end(token):
            return ""
        token, session.csrf = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        await self._put(token, session)
        return token

    async def end(self, token: str) -> bool:
        """False: it had ended before."""
        return bool(await self._redis.execute("DEL", _key(token)))

    async def _put(self, token: str, session: WebSession, *how: str) -> None:
        await self._redis.execute("SET", _key(token), msgspec.json.encode(session), "EX", self.settings.idle, *how)


def _key(token: str) -> str:
    return f"session:{hashed(token)}"
