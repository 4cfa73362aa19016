"""Which addresses a customer's server has taken mail for (product row G1): its canaries, and its 550 is news.

Only in Redis, a sorted set a next hop by the time of the last acceptance, and bounded: it is an experience that may
be lost, and every accepted message makes some of it again. What is accepted waits in memory for the next `write`, so a
message costs no question to Redis.
"""

import contextlib

from emailgency.model.errors import Temporary
from emailgency.store.redis.redis import Redis
from emailgency.store.spool.pending import Hop

MOST = 10_000  # addresses of one next hop
UNWRITTEN = 10_000  # addresses of one next hop between two writes


class KnownRecipients:
    """Nothing here fails: without Redis nothing is known."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._accepted: dict[Hop, dict[str, float]] = {}

    def accepted(self, hop: Hop, address: str, now: float) -> None:
        fresh = self._accepted.setdefault(hop, {})
        if len(fresh) < UNWRITTEN:
            fresh[address.lower()] = now

    async def write(self) -> None:
        """Hand over what was accepted since the last time."""
        accepted, self._accepted = self._accepted, {}
        with contextlib.suppress(Temporary):
            for hop, fresh in accepted.items():
                scored = [word for address, at in fresh.items() for word in (f"{at:.0f}", address)]
                await self._redis.execute("ZADD", _key(hop), *scored)
                await self._redis.execute("ZREMRANGEBYRANK", _key(hop), 0, -MOST - 1)

    async def among(self, hop: Hop, addresses: list[str]) -> set[str]:
        """Those of the addresses that were accepted before, as they were given."""
        fresh = self._accepted.get(hop, {})
        found = {address for address in addresses if address.lower() in fresh}
        asked = [address for address in addresses if address not in found]
        if asked:
            with contextlib.suppress(Temporary):
                scores = await self._redis.execute("ZMSCORE", _key(hop), *(address.lower() for address in asked))
                found.update(address for address, score in zip(asked, scores, strict=True) if score is not None)
        return found

    async def forget(self, hop: Hop, addresses: list[str]) -> None:
        """The server does not know them any more, and is well."""
        for address in addresses:
            self._accepted.get(hop, {}).pop(address.lower(), None)
        with contextlib.suppress(Temporary):
            await self._redis.execute("ZREM", _key(hop), *(address.lower() for address in addresses))


def _key(hop: Hop) -> str:
    return f"known:{hop}"
