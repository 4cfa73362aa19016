"""What one process remembers of the directory, so that known addresses outlive Redis (design.md, "Redis")."""

from enum import Enum
from typing import Final, Generic, TypeVar


class Unknown(Enum):
    """Not in the cache, which says nothing about the directory."""

    UNKNOWN = 0


UNKNOWN: Final = Unknown.UNKNOWN
V = TypeVar("V")


class Cache(Generic[V]):
    """Rows by key; None: known not to be there. Both kinds are bounded apart, so that a flood of addresses nobody
    has cannot push out those somebody has."""

    def __init__(self, present: int, absent: int) -> None:
        self._present: _Generations[V] = _Generations(present)
        self._absent: _Generations[None] = _Generations(absent)

    def get(self, key: str) -> V | Unknown | None:
        value = self._present.get(key)
        return value if value is not UNKNOWN else self._absent.get(key)

    def put(self, key: str, value: V | None) -> None:
        self.forget(key)
        if value is None:
            self._absent.put(key, None)
        else:
            self._present.put(key, value)

    def forget(self, key: str) -> None:
        self._present.forget(key)
        self._absent.forget(key)

    def clear(self) -> None:
        self._present.clear()
        self._absent.clear()


class _Generations(Generic[V]):
    """Least recently used, nearly: what was not asked for during one whole generation goes. A hit costs one dict
    lookup, where an ordered dict would move a link at each."""

    def __init__(self, size: int) -> None:
        self._half = max(1, size // 2)
        self._young: dict[str, V] = {}
        self._old: dict[str, V] = {}

    def get(self, key: str) -> V | Unknown:
        value: V | Unknown = self._young.get(key, UNKNOWN)
        if value is UNKNOWN:
            value = self._old.pop(key, UNKNOWN)
            if not isinstance(value, Unknown):
                self.put(key, value)
        return value

    def put(self, key: str, value: V) -> None:
        if len(self._young) >= self._half:
            self._old, self._young = self._young, {}
        self._young[key] = value

    def forget(self, key: str) -> None:
        self._young.pop(key, None)
        self._old.pop(key, None)

    def clear(self) -> None:
        self._young.clear()
        self._old.clear()
