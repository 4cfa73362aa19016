"""What was told lately and need not be told again, in Redis: if it is lost, somebody is told once more."""

from emailgency.store.redis.redis import Redis


class Once:
    """Raises Temporary while Redis is away."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def first(self, what: str, seconds: int) -> bool:
        """Whether nobody asked this in the last `seconds`; from now on somebody has."""
        return await self._redis.execute("SET", f"told:{what}", "1", "NX", "EX", seconds) is not None
