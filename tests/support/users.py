"""Other users than the one who runs the tests."""

import os
import sys
from collections.abc import Callable

import pytest


def readable_by_others(path: str) -> bool:
    if os.stat(path).st_mode & 0o005 != 0o005:
        return False
    return path == "/" or readable_by_others(os.path.dirname(path))


def another_user(test: Callable[..., None]) -> Callable[..., None]:
    """For a test that starts this Python as somebody else."""
    readable = all(readable_by_others(os.path.realpath(path)) for path in (sys.base_prefix, sys.prefix))
    root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
    return root(pytest.mark.skipif(not readable, reason="nobody but its owner can read this Python")(test))
