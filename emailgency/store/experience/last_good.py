"""Where mail for a next hop was last taken and by whom, for the day its DNS has nothing to offer (product rows D1, G7).

Only in Redis, and so it outlives a restart: it is no truth but an experience, and when Redis is lost the next message
makes it again.
"""

import contextlib

import msgspec

from emailgency.model.errors import Temporary
from emailgency.rules.guard import Identity
from emailgency.rules.next_hop import Destination
from emailgency.store.redis.redis import Redis
from emailgency.store.spool.pending import Hop

_KEY = "last_good"  # a hash by hop: an address list of some hundred octets each
_IDENTITY = "last_identities"  # a hash by hop: who answered there

_decoder = msgspec.json.Decoder(list[Destination])


class LastGood:
    """What mail needs never fails: without Redis nothing is remembered, and mail goes on."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def remember(self, hop: Hop, destinations: list[Destination]) -> None:
        """The first of them has taken a message, the others were offered beside it."""
        with contextlib.suppress(Temporary):
            await self._redis.execute("HSET", _KEY, str(hop), msgspec.json.encode(destinations))

    async def recall(self, hop: Hop) -> list[Destination]:
        """Empty when nothing is known."""
        try:
            found = await self._redis.execute("HGET", _KEY, str(hop))
            return [] if found is None else _decoder.decode(found)
        except (Temporary, msgspec.MsgspecError):
            return []

    async def remember_identities(self, hop: Hop, identities: list[Identity]) -> None:
        """Whoever answers by another name one day may be another server. A domain may have several; the last first."""
        with contextlib.suppress(Temporary):
            await self._redis.execute("HSET", _IDENTITY, str(hop), msgspec.json.encode(identities))

    async def recall_identities(self, hop: Hop) -> list[Identity]:
        """Empty when nothing is known."""
        try:
            found = await self._redis.execute("HGET", _IDENTITY, str(hop))
            return [] if found is None else msgspec.json.decode(found, type=list[Identity])
        except (Temporary, msgspec.MsgspecError):
            return []

    async def forget_identities(self, hop: Hop) -> None:
        """Whoever answers is welcome. Raises Temporary, since somebody waits for it."""
        await self._redis.execute("HDEL", _IDENTITY, str(hop))
