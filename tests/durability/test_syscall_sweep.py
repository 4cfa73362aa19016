"""The storer is killed, or its disk says no, at every single system call of everything it does.

SIGKILL by strace at the entry of the k-th call of each kind, for all k; then a start on what is left. Nothing promised
may be missing, nothing may be there twice, and what nobody promised is there once or not at all.
"""

import os

import pytest

from tests.support import strace
from tests.support.fork_server import ForkServer
from tests.support.rounds import folder, plain, rounds

pytestmark = [pytest.mark.durability, pytest.mark.peer("strace"), pytest.mark.timeout(900)]

MODULES = ("tests.support.scenario", "tests.support.recovery")
Point = tuple[str, int]

# what a disk or file system really answers to each call
ERRORS = {
    "write": ("ENOSPC", "EIO"),
    "fdatasync": ("EIO",),
    "fsync": ("EIO",),
    "syncfs": ("EIO",),
    "openat": ("ENOSPC", "EROFS"),
    "mkdirat": ("ENOSPC",),
    "renameat": ("EIO", "EROFS"),
    "linkat": ("ENOSPC", "EMLINK"),
    "unlinkat": ("EROFS",),
    "utimensat": ("EROFS",),
}


def points() -> list[Point]:
    """Every call of an undisturbed run that changes something."""
    with ForkServer(*MODULES) as server, folder() as scratch:
        output = os.path.join(scratch, "trace")
        result = server.call("tests.support.scenario:once", os.path.join(scratch, "data"), [], output)
        assert result == {"wrong": [], "died": False}
        found = strace.calls(output)
    assert len(found) > 150
    return found


def sweep(options: list[str]) -> int:
    """Play once with each strace option; returns how often the storer died."""
    died = 0

    def one(server: ForkServer, option: str) -> list[str]:
        nonlocal died
        with folder() as scratch:
            data = os.path.join(scratch, "data")
            result = server.call("tests.support.scenario:once", data, ["-e", option])
        died += result["died"]
        return plain(result["wrong"])

    assert rounds(options, one, *MODULES) == {}
    return died


def test_a_kill_at_every_system_call_loses_and_doubles_nothing() -> None:
    options = [f"inject={call}:signal=SIGKILL:when={k}" for call, k in points()]
    died = sweep(options)
    assert died > 0.9 * len(options)  # batches differ a little from run to run, so that a last call may not come


def test_an_error_at_every_system_call_loses_and_doubles_nothing() -> None:
    cases = [
        f"inject={call}:error={errors[k % len(errors)]}:when={k}"
        for call, k in points()
        if (errors := ERRORS.get(call))
    ]
    sweep(cases)


@pytest.mark.long
def test_every_error_at_every_system_call_loses_and_doubles_nothing() -> None:
    sweep([f"inject={call}:error={error}:when={k}" for call, k in points() for error in ERRORS.get(call, ())])


@pytest.mark.parametrize("error", ["ENOSPC", "EIO", "EROFS"])
def test_a_disk_that_stays_broken_from_some_call_on_loses_and_doubles_nothing(error: str) -> None:
    """Full, dying or turned read-only for good, until the next start."""
    broken = "write,fdatasync,fsync,syncfs,mkdirat,renameat,linkat,unlinkat"
    sweep([f"inject={broken}:error={error}:when={k}+" for k in (1, 2, 3, 5, 8, 13)])
