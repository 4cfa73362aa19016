"""Logins whose password was right and whose second factor is still to come (attack row 39).

They are no sessions and open nothing. What the browser holds is 256 random bits, as of a session; each ends after ten
minutes or five codes, however many are tried at once.
"""

from collections.abc import Callable

from msgspec import Struct

from emailgency.store.logins.tickets import Tickets
from emailgency.store.redis.redis import Redis, Script

LIFETIME = 600  # seconds
TRIES = 5

_TRY = Script("""
local found = redis.call('GET', KEYS[1])
if not found then return false end
local count = redis.call('INCR', KEYS[2])
redis.call('EXPIRE', KEYS[2], ARGV[2])
if count > tonumber(ARGV[1]) then
  redis.call('DEL', KEYS[1])
  return false
end
return {found, count}
""")


class HalfLogin(Struct, frozen=True):
    """Whose password it was: the id of a mailbox, or the name of an operator, as of this generation."""

    holder: str
    operator: bool
    generation: int
    until: float


class HalfLogins(Tickets[HalfLogin]):
    """`take` is for who has given the second factor. Raises Temporary while Redis is away."""

    def __init__(self, redis: Redis, clock: Callable[[], float]) -> None:
        super().__init__(redis, clock, "half login", HalfLogin)

    async def begin(self, holder: str, *, operator: bool, generation: int) -> str:
        """What the browser keeps."""
        return await self.put(HalfLogin(holder, operator, generation, self._clock() + LIFETIME), LIFETIME)

    async def attempt(self, token: str) -> tuple[HalfLogin, int] | None:
        """Take one of its tries: the login, and how many are left. None: there is none (any more)."""
        key = self._key(token)
        answer = await self._redis.run(_TRY, [key, f"{key}:tries"], [str(TRIES), str(LIFETIME)])
        found = self._read(answer[0]) if answer else None
        return None if found is None or answer is None else (found, TRIES - int(answer[1]))
