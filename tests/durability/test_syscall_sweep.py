"""The storer is killed, or its disk says no, at every single system call of everything it does.

SIGKILL by strace at the entry of the k-th call of each kind, for all k; then a start on what is left. Nothing promised
may be missing, nothing may be there twice, and what nobody promised is there once or not at all. What belongs together
(COPY, MULTIAPPEND, annotations of one command) is there or not, REPLACE loses neither message, and every mail program
learns from its mod-sequence what it has missed.
"""

import os

import pytest

from tests.support import strace
from tests.support.fork_server import ForkServer
from tests.support.rounds import folder, plain, rounds

pytestmark = [pytest.mark.durability, pytest.mark.peer("strace"), pytest.mark.timeout(900)]

MODULES = ("tests.support.mailbox_work", "tests.support.scenario", "tests.support.recovery")
MAIL, MAILBOX = "tests.support.scenario:once", "tests.support.mailbox_work:once"  # what is played
Point = tuple[str, int]
both = pytest.mark.parametrize("played", [MAIL, MAILBOX], ids=["mail", "mailbox"])

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


def points(played: str) -> list[Point]:
    """Every call of an undisturbed run that changes something."""
    with ForkServer(*MODULES) as server, folder() as scratch:
        output = os.path.join(scratch, "trace")
        result = server.call(played, os.path.join(scratch, "data"), [], output)
        assert result["wrong"] == []
        assert not result["died"]
        assert result["remembered"] > 0
        found = strace.calls(output)
    assert len(found) > 100
    return found


def sweep(played: str, options: list[str], tries: int = 1) -> int:
    """Play with each strace option, up to so many times until the storer dies; returns how often it died."""
    died = 0

    def one(server: ForkServer, option: str) -> list[str]:
        nonlocal died
        for _ in range(tries):
            with folder() as scratch:
                result = server.call(played, os.path.join(scratch, "data"), ["-e", option])
            if result["wrong"] or result["died"]:
                died += result["died"]
                return plain(result["wrong"])
        return []

    assert rounds(options, one, *MODULES) == {}
    return died


@both
def test_a_kill_at_every_system_call_loses_and_doubles_nothing(played: str) -> None:
    options = [f"inject={call}:signal=SIGKILL:when={k}" for call, k in points(played)]
    died = sweep(played, options, tries=4)
    assert died > 0.9 * len(options)  # batches differ a little from run to run, so that a last call may not come


@both
def test_an_error_at_every_system_call_loses_and_doubles_nothing(played: str) -> None:
    cases = [
        f"inject={call}:error={errors[k % len(errors)]}:when={k}"
        for call, k in points(played)
        if (errors := ERRORS.get(call))
    ]
    sweep(played, cases)


@pytest.mark.long
@both
def test_every_error_at_every_system_call_loses_and_doubles_nothing(played: str) -> None:
    found = points(played)
    sweep(played, [f"inject={call}:error={error}:when={k}" for call, k in found for error in ERRORS.get(call, ())])


@both
@pytest.mark.parametrize("error", ["ENOSPC", "EIO", "EROFS"])
def test_a_disk_that_stays_broken_from_some_call_on_loses_and_doubles_nothing(error: str, played: str) -> None:
    """Full, dying or turned read-only for good, until the next start."""
    broken = "write,fdatasync,fsync,syncfs,mkdirat,renameat,linkat,unlinkat"
    sweep(played, [f"inject={broken}:error={error}:when={k}+" for k in (1, 2, 3, 5, 8, 13)])
