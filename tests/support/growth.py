"""Does the cost of something grow faster than its input?"""

import gc
import time
from collections.abc import Callable
from typing import TypeVar

from tests.support.untraced import untraced

T = TypeVar("T")

TRIES = 6  # other programs run on the same machine; what grows as a square fails all of them


def grows_linearly(work: Callable[[T], object], small: T, fourfold: T) -> bool:
    """Four times the input takes at most eight times the CPU time; a square would take sixteen."""
    least, most = float("inf"), float("inf")
    for _ in range(TRIES):
        least = min(least, _cost(work, small))
        most = min(most, _cost(work, fourfold))
        if most <= 8 * least + 0.002:
            return True
    return False


def _cost(work: Callable[[T], object], given: T) -> float:
    with untraced():
        gc.disable()  # its cost depends on all that other tests have left behind
        try:
            started = time.process_time()
            work(given)
            return time.process_time() - started
        finally:
            gc.enable()
