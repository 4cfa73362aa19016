"""Failed logins, counted for each network, account and pair of both, and over all (attack rows 7 and 8).

An attempt takes its place in every bucket before the password is tried and gives it back when it was right: however
many attempts run at once, no more than the budget is ever tried. Who has logged in to the account from this network
lately is only held to the pair's own budget, so nobody can lock an owner out from elsewhere. The same guess made again
counts once: a telephone that keeps an old password must not lock out the desk beside it.

The counts live in memory and, as far as Redis is there, in Redis, where they outlive a restart.
"""

import contextlib
import hmac
import secrets
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Annotated

from msgspec import Meta, Struct

from emailgency.model.errors import Temporary
from emailgency.rules.networks import network
from emailgency.store.redis.redis import Redis, Script

_BUCKETS_AT_MOST = 50_000
_KNOWN_AT_MOST = 50_000
_WRONG_AT_MOST = 50_000
_DAY = 86_400.0

# KEYS: the buckets; ARGV: now, window, attempt, then the budget of each. Answers 0, or the bucket that is full.
_TAKE = Script("""
local now, window, attempt = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
for i = 1, #KEYS do
  redis.call('ZREMRANGEBYSCORE', KEYS[i], '-inf', now - window)
  if redis.call('ZCARD', KEYS[i]) >= tonumber(ARGV[3 + i]) and not redis.call('ZSCORE', KEYS[i], attempt) then
    return i
  end
end
for i = 1, #KEYS do
  redis.call('ZADD', KEYS[i], now, attempt)
  redis.call('EXPIRE', KEYS[i], math.ceil(window))
end
return 0
""")

_GIVE_BACK = Script("for i = 1, #KEYS do redis.call('ZREM', KEYS[i], ARGV[1]) end return 0")


class FailureSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many wrong passwords are heard, over all services together."""

    window: Annotated[float, Meta(gt=0, description="Seconds a failed login counts.")] = 3600.0
    pair: Annotated[int, Meta(ge=1, description="For one account from one network (/24 or /64).")] = 20
    account: Annotated[int, Meta(ge=1, description="For one account from networks it never logged in from.")] = 50
    network: Annotated[int, Meta(ge=1, description="From one network (/24 or /64).")] = 100
    total: Annotated[int, Meta(ge=1, description="From all networks new to their accounts.")] = 2000
    known_days: Annotated[
        float, Meta(ge=0, description="Days a network stays known to an account that logged in from it.")
    ] = 30.0


class Attempt(Struct, frozen=True):
    """A place taken in each of these buckets."""

    id: str  # of the guess, a keyed digest that means nothing outside this process
    buckets: tuple[str, ...]
    pair: str  # of account and network
    failures: int  # other guesses of this pair within the window
    repeated: bool  # this very guess was wrong, within the window


class Failures:
    """`clock` is wall time, since Redis keeps the counts over restarts."""

    def __init__(
        self,
        redis: Redis,
        clock: Callable[[], float],
        settings: FailureSettings,
    ) -> None:
        self._redis = redis
        self._clock = clock
        self._settings = settings
        self._key = secrets.token_bytes(32)
        self._buckets: dict[str, dict[str, float]] = {}  # attempt -> when; oldest bucket first
        self._wrong: dict[str, float] = {}  # attempts known to be wrong -> when; oldest first
        self._known: dict[str, float] = {}  # pair -> when it last logged in; oldest first

    async def take(self, account: str, ip: str, guess: str) -> Attempt | None:
        """`guess`: the password, with whatever makes it right or wrong anew. None: it must not be tried."""
        settings, place = self._settings, network(ip)
        pair = _name("pair", account, place)
        budgets = [(pair, settings.pair)]
        if not await self._is_known(pair):
            budgets += [
                (_name("account", account), settings.account),
                (_name("network", place), settings.network),
                (_name("total"), settings.total),
            ]
        id = self._digest(account, guess)
        others = self._buckets.get(pair, {}).keys() - {id}
        repeated = self._wrong.get(id, 0.0) > self._clock() - settings.window
        attempt = Attempt(id, tuple(name for name, _ in budgets), pair, len(others), repeated)
        if not self._take_here(attempt, budgets):
            return None
        if not await self._take_there(attempt, budgets):
            self._give_back_here(attempt)
            return None
        return attempt

    def failed(self, attempt: Attempt) -> None:
        """It was wrong, and stays counted."""
        self._wrong.pop(attempt.id, None)
        if len(self._wrong) >= _WRONG_AT_MOST:
            del self._wrong[next(iter(self._wrong))]
        self._wrong[attempt.id] = self._clock()

    async def succeeded(self, attempt: Attempt) -> None:
        """It was the right password: the attempt does not count, and the network is known from now on."""
        self._give_back_here(attempt)
        now = self._clock()
        self._known.pop(attempt.pair, None)
        if len(self._known) >= _KNOWN_AT_MOST:
            del self._known[next(iter(self._known))]
        self._known[attempt.pair] = now
        with contextlib.suppress(Temporary):  # counted here
            await self._redis.run(_GIVE_BACK, list(attempt.buckets), [attempt.id])
            seconds = int(self._settings.known_days * _DAY)
            if seconds:
                await self._redis.execute("SET", f"{attempt.pair}:known", str(now), "EX", seconds)

    async def _is_known(self, pair: str) -> bool:
        """A network logged in from; asked of Redis once, since only a login changes it."""
        oldest = self._clock() - self._settings.known_days * _DAY
        if pair not in self._known:
            try:
                found = await self._redis.execute("GET", f"{pair}:known")
            except Temporary:
                return False
            if found is not None and len(self._known) < _KNOWN_AT_MOST:
                self._known[pair] = float(found)
        return self._known.get(pair, 0.0) > oldest

    def _take_here(self, attempt: Attempt, budgets: Sequence[tuple[str, int]]) -> bool:
        now = self._clock()
        taken = [(self._current(name, now), budget) for name, budget in budgets]
        if any(len(bucket) >= budget and attempt.id not in bucket for bucket, budget in taken):
            return False
        for bucket, _ in taken:
            bucket[attempt.id] = now
        return True

    def _current(self, name: str, now: float) -> dict[str, float]:
        """The bucket without what is over. A bucket never holds more than its budget."""
        bucket = self._buckets.pop(name, {})
        if len(self._buckets) >= _BUCKETS_AT_MOST:
            del self._buckets[next(iter(self._buckets))]
        since = now - self._settings.window
        self._buckets[name] = bucket = {id: at for id, at in bucket.items() if since < at <= now}
        return bucket

    async def _take_there(self, attempt: Attempt, budgets: Sequence[tuple[str, int]]) -> bool:
        arguments: list[str | bytes | int] = [str(self._clock()), str(self._settings.window), attempt.id]
        try:
            full = await self._redis.run(_TAKE, list(attempt.buckets), arguments + [budget for _, budget in budgets])
        except Temporary:
            return True
        return bool(full == 0)

    def _digest(self, account: str, guess: str) -> str:
        octets = f"{account}\0{guess}".encode("utf-8", "surrogatepass")
        return hmac.digest(self._key, octets, "sha256").hex()[:32]

    def _give_back_here(self, attempt: Attempt) -> None:
        for name in attempt.buckets:
            self._buckets.get(name, {}).pop(attempt.id, None)


def _name(kind: str, *parts: str) -> str:
    """A key of fixed length, whatever a peer called himself."""
    return f"failures:{kind}:{sha256(chr(0).join(parts).encode('utf-8', 'surrogatepass')).hexdigest()[:32]}"
