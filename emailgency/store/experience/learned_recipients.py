"""Which addresses of a customer his server has and has not, as learned while it was well (product row G5).

Only in Redis, two sorted sets a customer by time, and bounded: all of it can be learned again. It outlives a restart,
and goes by itself when nothing was learned for long.
"""

from collections.abc import Iterable

from msgspec import Struct

from emailgency.rules.learning import DAY, Known
from emailgency.store.redis.redis import Redis

_KEPT = int(60 * DAY)  # seconds after the last lesson
_EXISTING, _MISSING, _SERVER, _READIED = "existing", "missing", "server", "readied"


class Taught(Struct, frozen=True):
    """Of a customer's server. `selective`: it refuses addresses that nobody has; None: not known."""

    selective: bool | None = None
    at: float = 0.0  # when that was seen, seconds since the epoch
    existing: int = 0
    missing: int = 0


class LearnedRecipients:
    """`local` is a local part as in an Address. All methods raise Temporary; all writes may be repeated."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def known(self, customer: str, locals_: list[str]) -> list[Known]:
        """What is known of each of them; some are given."""
        existing = await self._redis.execute("ZMSCORE", _key(customer, _EXISTING), *locals_)
        missing = await self._redis.execute("ZMSCORE", _key(customer, _MISSING), *locals_)
        return [Known(_time(one), _time(other)) for one, other in zip(existing, missing, strict=True)]

    async def keep(self, customer: str, facts: dict[str, Known], most: int) -> None:
        """These are known now instead of what was; beyond `most` of a kind the oldest go."""
        for kind in (_EXISTING, _MISSING):
            key = _key(customer, kind)
            times = {
                local: known.existed_at if kind == _EXISTING else known.refused_at for local, known in facts.items()
            }
            if there := [word for local, at in times.items() if at is not None for word in (f"{at:.3f}", local)]:
                await self._redis.execute("ZADD", key, *there)
                await self._redis.execute("ZREMRANGEBYRANK", key, 0, -most - 1)
                await self._redis.execute("EXPIRE", key, _KEPT)
            if gone := [local for local, at in times.items() if at is None]:
                await self._redis.execute("ZREM", key, *gone)

    async def existing(self, customer: str, after: float, most: int) -> list[str]:
        """Those seen to exist after that time, the last seen first."""
        found = await self._redis.execute(
            "ZRANGE", _key(customer, _EXISTING), "+inf", f"({after:.3f}", "BYSCORE", "REV", "LIMIT", 0, most
        )
        return [local.decode() for local in found]

    async def stale(self, customer: str, before: float, most: int) -> list[str]:
        """Those not seen to exist since that time, the longest ago first."""
        found = await self._redis.execute(
            "ZRANGE", _key(customer, _EXISTING), "-inf", f"({before:.3f}", "BYSCORE", "LIMIT", 0, most
        )
        return [local.decode() for local in found]

    async def tidy(self, customer: str, existed_before: float, refused_before: float) -> None:
        """Forget what is too old to count."""
        await self._redis.execute("ZREMRANGEBYSCORE", _key(customer, _EXISTING), "-inf", f"({existed_before:.3f}")
        await self._redis.execute("ZREMRANGEBYSCORE", _key(customer, _MISSING), "-inf", f"({refused_before:.3f}")

    async def taught(self, customer: str) -> Taught:
        """What the server itself has shown, and how many addresses are known."""
        found = await self._redis.execute("GET", _key(customer, _SERVER))
        counts = [await self._redis.execute("ZCARD", _key(customer, kind)) for kind in (_EXISTING, _MISSING)]
        if found is None:
            return Taught(None, 0.0, *counts)
        word, _, at = found.partition(b" ")
        return Taught(word == b"selective", float(at), *counts)

    async def shown(self, customer: str, selective: bool, now: float) -> None:
        """Whether the server tells addresses apart."""
        words = f"{'selective' if selective else 'everybody'} {now:.3f}"
        await self._redis.execute("SET", _key(customer, _SERVER), words, "EX", _KEPT)

    async def readied(self, customer: str) -> str:
        """The last incident for which mailboxes were made; "" when none is known."""
        found = await self._redis.execute("GET", _key(customer, _READIED))
        return "" if found is None else found.decode()

    async def ready(self, customer: str, incident: str) -> None:
        """For this one they are."""
        await self._redis.execute("SET", _key(customer, _READIED), incident, "EX", _KEPT)

    async def forget(self, customer: str, kinds: Iterable[str] = (_EXISTING, _MISSING, _SERVER, _READIED)) -> None:
        """All that was learned."""
        await self._redis.execute("DEL", *(_key(customer, kind) for kind in kinds))


def _key(customer: str, kind: str) -> str:
    return f"learned:{customer}:{kind}"


def _time(score: bytes | None) -> float | None:
    return None if score is None else float(score)
