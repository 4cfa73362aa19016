"""The cache of the directory: bounded, both for what is there and for what is not."""

from emailgency.store.directory.cache import UNKNOWN, Cache


def test_it_tells_apart_there_not_there_and_never_heard_of() -> None:
    cache: Cache[int] = Cache(10, 10)
    cache.put("a", 1)
    cache.put("b", None)
    assert (cache.get("a"), cache.get("b"), cache.get("c")) == (1, None, UNKNOWN)
    cache.put("a", None)
    cache.put("b", 2)
    assert (cache.get("a"), cache.get("b")) == (None, 2)
    cache.clear()
    assert cache.get("a") is UNKNOWN


def test_a_flood_of_unknown_names_pushes_out_no_known_one() -> None:
    cache: Cache[int] = Cache(100, 100)
    for number in range(50):
        cache.put(f"known{number}", number)
    for number in range(10_000):
        cache.put(f"unknown{number}", None)
    assert all(cache.get(f"known{number}") == number for number in range(50))
    assert sum(cache.get(f"unknown{number}") is None for number in range(10_000)) <= 100


def test_what_is_asked_for_stays() -> None:
    cache: Cache[int] = Cache(100, 100)
    cache.put("mine", 1)
    for number in range(10_000):
        cache.put(f"other{number}", number)
        if number % 20 == 0:
            assert cache.get("mine") == 1
    assert sum(cache.get(f"other{number}") is not UNKNOWN for number in range(10_000)) <= 100
