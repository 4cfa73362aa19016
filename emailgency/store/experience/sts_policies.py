"""MTA-STS policies that were found once: they hold for as long as they say, also when they cannot be asked for again.

In memory, and in Redis over restarts: where that is lost they are found anew with the next message.
"""

import contextlib
from collections import OrderedDict

import msgspec
from msgspec import Struct

from emailgency.model.errors import Temporary
from emailgency.store.redis.redis import Redis

_KEY = "mta_sts:"
_MOST = 1000  # in memory


class Kept(Struct, frozen=True):
    """`id` of the record it was fetched for; `at` and `until` in seconds since the epoch."""

    id: str
    text: bytes
    at: float
    until: float


_decoder = msgspec.msgpack.Decoder(Kept)


class StsPolicies:
    """No method fails: without Redis what is in memory counts."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._kept: OrderedDict[str, Kept] = OrderedDict()

    async def recall(self, domain: str) -> Kept | None:
        """What was kept last, expired or not."""
        if domain not in self._kept:
            with contextlib.suppress(Temporary, msgspec.MsgspecError):
                found = await self._redis.execute("GET", _KEY + domain)
                if found is not None:
                    self._note(domain, _decoder.decode(found))
        return self._kept.get(domain)

    async def keep(self, domain: str, kept: Kept) -> None:
        self._note(domain, kept)
        seconds = max(1, int(kept.until - kept.at))
        with contextlib.suppress(Temporary):
            await self._redis.execute("SET", _KEY + domain, msgspec.msgpack.encode(kept), "EX", seconds)

    def _note(self, domain: str, kept: Kept) -> None:
        self._kept[domain] = kept
        self._kept.move_to_end(domain)
        if len(self._kept) > _MOST:
            self._kept.popitem(last=False)
