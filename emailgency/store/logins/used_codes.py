"""Which code of a phone was used last, so that each is good once, over restarts too (RFC 6238 section 5.2).

Redis has it and may lose it. Then every code of the moment counts as used: who logs in waits for the next one, and
nobody ever repeats one that was overheard.
"""

from emailgency.rules.one_time_codes import WINDOW
from emailgency.store.redis.redis import Redis, Script

_KEPT = 400 * 86_400  # seconds

_TAKE = Script("""
local used = redis.call('GET', KEYS[1])
local step = tonumber(ARGV[1])
if not used then
  redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
  return 0
end
if step <= tonumber(used) then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[3])
return 1
""")


class UsedCodes:
    """Raises Temporary while Redis is away: then no code is good."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def begin(self, whose: str, step: int) -> None:
        """A new secret, whose code of this step was shown already."""
        await self._redis.execute("SET", _key(whose), str(step), "EX", _KEPT)

    async def take(self, whose: str, step: int, now: int) -> bool:
        """For one of all who ask: whether the code of `step` is still good. `now`: the present step."""
        return bool(await self._redis.run(_TAKE, [_key(whose)], [str(step), str(now + WINDOW), str(_KEPT)]))


def _key(whose: str) -> str:
    return f"code used:{whose}"
