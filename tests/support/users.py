"""Other users than the one who runs the tests."""

import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.support.server import ROOT


def readable_by_others(path: str) -> bool:
    return first_closed(path) is None


def first_closed(path: str) -> str | None:
    """The uppermost folder on the way to `path`, or itself, that others may not enter and read."""
    above = None if path == "/" else first_closed(os.path.dirname(path))
    return above or (None if os.stat(path).st_mode & 0o005 == 0o005 else path)


@contextmanager
def open_to_others() -> Iterator[tuple[str, ...]]:
    """What to put in front of a command so that somebody else it becomes can read this Python.

    The command then has mounts of its own, where folders that are closed to others show the way to this Python and
    nothing else.
    """
    needed = {os.path.realpath(path) for path in (sys.base_prefix, sys.prefix, ROOT)}
    behind = {path: closed for path in sorted(needed) if (closed := first_closed(path))}
    with tempfile.TemporaryDirectory() as aside:
        spare = {path: os.path.join(aside, str(number)) for number, path in enumerate(behind)}
        steps = [f"mkdir {spare[path]} && mount --bind {shlex.quote(path)} {spare[path]}" for path in behind]
        steps += [f"mount -t tmpfs -o mode=755 tmpfs {shlex.quote(closed)}" for closed in sorted({*behind.values()})]
        steps += [f"mkdir -p {shlex.quote(path)} && mount --bind {spare[path]} {shlex.quote(path)}" for path in behind]
        yield ("unshare", "--mount", "sh", "-c", "\n".join(["set -e", "umask 022", *steps, 'exec "$@"']), "sh")


def another_user(test: Callable[..., None]) -> Callable[..., None]:
    """For a test that starts this Python as somebody else, by `open_to_others`."""
    mounts = os.geteuid() == 0 and subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode == 0
    return pytest.mark.skipif(not mounts, reason="only root can become somebody else")(test)
