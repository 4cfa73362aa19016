"""How far long work is, for whoever waits for it."""

from collections.abc import Callable

Progress = Callable[[str, int, int], None]  # what is being done, how many are done, of how many (0: nobody knows)


def silent(what: str, done: int, of: int) -> None:
    """For work that nobody watches."""
