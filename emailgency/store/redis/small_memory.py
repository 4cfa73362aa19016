"""What the small memories in Redis have in common: a row of JSON, a row for one taker, a count that ends by itself.

A memory is a class in another room that has a Redis, names its keys and says how long they last. Whatever stands in one
may be lost without harm; so a row that another version of us has written counts as lost.
"""

from hashlib import sha256
from typing import TypeVar

import msgspec

from emailgency.store.redis.redis import Redis, Script

R = TypeVar("R")
_LONGEST = 200  # characters of what somebody says is a token

_TAKE = Script("local found = redis.call('GET', KEYS[1]) redis.call('DEL', unpack(KEYS)) return found")
_COUNT = Script("""
local count = redis.call('INCR', KEYS[1])
if count == 1 then redis.call('EXPIRE', KEYS[1], ARGV[1]) end
return count
""")


def read(octets: bytes | None, kind: type[R]) -> R | None:
    """The row; None: there is none."""
    try:
        return None if octets is None else msgspec.json.decode(octets, type=kind)
    except msgspec.MsgspecError:  # of another version
        return None


async def take(redis: Redis, *keys: str) -> bytes | None:
    """What stands at the first key, for one of all who ask, however many do at once. Afterwards all keys are gone."""
    found: bytes | None = await redis.run(_TAKE, [*keys], [])
    return found


async def count(redis: Redis, key: str, seconds: int) -> int:
    """One more: how many there have been since the first of them, which is forgotten after so many `seconds`."""
    return int(await redis.run(_COUNT, [key], [str(seconds)]))


def hashed(token: str) -> str:
    """What stands in a key in place of a token: whoever reads Redis, or a dump of it, gets in nowhere."""
    return sha256(token[:_LONGEST].encode("utf-8", "surrogateescape")).hexdigest()
