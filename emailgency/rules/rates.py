"""How often something may happen to one key: so many at once, then so many a second. Lost at a restart without harm."""

_KEYS = 10_000  # remembered; the one not asked for the longest time is forgotten first


class Rates:
    """A bucket a key, full at first; `now` in seconds of any clock that does not often go back. Limits may change."""

    def __init__(self, per_second: float, at_once: int) -> None:
        self.per_second = per_second
        self.at_once = at_once
        self._buckets: dict[str, tuple[float, float]] = {}  # what was left, and when

    def take(self, key: str, now: float) -> bool:
        """One more, if the key has it left."""
        left, at = self._buckets.pop(key, (float(self.at_once), now))
        left = min(float(self.at_once), left + max(0.0, now - at) * self.per_second)
        if len(self._buckets) >= _KEYS:
            del self._buckets[next(iter(self._buckets))]
        self._buckets[key] = (left - 1 if left >= 1 else left, now)
        return left >= 1
