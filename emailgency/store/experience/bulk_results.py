"""What bulk deeds did, for who looks at it afterwards and perhaps turns it back; may be lost without harm.

The last ones of each customer for a day: a page of a thousand rows takes about half a megabyte.
"""

import msgspec

from emailgency.model.bulk import Results
from emailgency.store.redis.redis import Redis, Script
from emailgency.store.redis.small_memory import read

_LIFETIME = 86_400  # seconds
_KEPT = 10  # a customer

_KEEP = Script(
    """
    redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
    redis.call('LREM', KEYS[2], 0, KEYS[1])
    redis.call('RPUSH', KEYS[2], KEYS[1])
    redis.call('EXPIRE', KEYS[2], ARGV[2])
    while redis.call('LLEN', KEYS[2]) > tonumber(ARGV[3]) do
        redis.call('DEL', redis.call('LPOP', KEYS[2]))
    end
    """
)


class BulkResults:
    """Raises Temporary while Redis is away."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def keep(self, results: Results, id: str) -> None:
        """They take the place of what is kept under `id`."""
        keys: list[str | bytes] = [_key(results.customer, id), f"bulk results of:{results.customer}"]
        await self._redis.run(_KEEP, keys, [msgspec.json.encode(results), _LIFETIME, _KEPT])

    async def find(self, customer: str, id: str) -> Results | None:
        """None: there is none of that customer (any more)."""
        return read(await self._redis.execute("GET", _key(customer, id[:64])), Results)


def _key(customer: str, id: str) -> str:
    return f"bulk results:{customer}:{id}"
