"""Whole campaigns against a server, each to be run in a process of its own (`tests.support.rounds`).

All return the complaints, which name the seed; an empty list is what a test wants to see.
"""

import contextlib
import os
import signal
import time

from tests.support.disk_image import DiskImage
from tests.support.nursery import ForkedServer, Nursery
from tests.support.server import NotReady, Server
from tests.support.siege import LAZY, PATIENCE, Siege, left_overs_end

TORN = ("something arrived", "is not what it was", "cannot start", "relaying denied")
LOST = ("is gone from", "has not come to an end", "was never relayed", "is kept 0 times")
DOUBLED = ("arrived 2 times", "is kept 2 times")


def tells(complaints: list[str], *words: str) -> bool:
    """Whether one of the complaints is of this kind: a control must fail for the right reason."""
    return any(word in complaint for complaint in complaints for word in words)


def killed(folder: str, seed: int, times: int, longest: float) -> list[str]:
    """The real `twistd -n emailgency`, killed so many times."""
    return _killed(Siege(Server(folder), seed), times, longest)


def forks_killed(folder: str, seed: int, times: int, longest: float, flaw: str = "none") -> list[str]:
    """`flaw` is one of `tests.support.nursery`."""
    with Nursery(flaw) as nursery:
        patience = PATIENCE if flaw == "none" else 10.0  # what was lost is not worth waiting for
        return _killed(Siege(ForkedServer(folder, nursery), seed, patience=patience), times, longest)


def stopped(folder: str, seed: int, times: int, longest: float) -> list[str]:
    """Ended by SIGTERM under load; its clients would complain of any answer they did not get."""
    with Nursery() as nursery:
        siege = Siege(ForkedServer(folder, nursery), seed, patient=True)
        try:
            siege.begin()
            for _ in range(times):
                if not siege.promises.failed.is_set():
                    siege.stop(longest)
        except NotReady as error:
            siege.promises.complain(str(error))
        return _told(siege)


def without_power(kind: str, folder: str, seed: int, times: int, flaw: str = "none") -> list[str]:
    """On a file system of this kind that loses its power."""
    with DiskImage(kind, folder, size=2 << 30) as disk, Nursery(flaw) as nursery:
        server = ForkedServer(folder, nursery)
        server.data = os.path.join(disk.mount_point, "data")
        siege = Siege(server, seed)
        try:
            siege.begin()
            for _ in range(times):
                if not siege.promises.failed.is_set():
                    _lose_power(siege, disk)
        except NotReady as error:
            siege.promises.complain(str(error))
        try:
            return _told(siege)
        finally:
            left_overs_end(server)


def _lose_power(siege: Siege, disk: DiskImage) -> None:
    """All at once: a process that outlives its disk may be told of a sync that never was (ext4 does that when it is
    shut down under an fdatasync), so everything stands still first.
    """
    siege.work(0.8)
    processes = [siege.server.pid, *siege.children().values()]
    for pid in processes:
        os.kill(pid, signal.SIGSTOP)
    while not all(map(_still, processes)):
        time.sleep(0.001)
    disk.lose_power()
    lost_at = time.monotonic()
    siege.fell(list(siege.children()))
    left_overs_end(siege.server)
    for user in siege.users:
        user.forgiven = lost_at - LAZY
    disk.restart()
    siege.rise()


def _still(pid: int) -> bool:
    """Whether no thread of it will run another instruction: stopped, or in a system call that ends so."""
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/stat", encoding="utf-8", errors="replace") as file:
            if file.read().rpartition(")")[2].split()[0] not in "TtDZX":
                return False
    return True


def _killed(siege: Siege, times: int, longest: float) -> list[str]:
    try:
        siege.begin()
        siege.kill(times, longest)
    except NotReady as error:
        siege.promises.complain(str(error))
    return _told(siege)


def _told(siege: Siege) -> list[str]:
    with contextlib.suppress(NotReady):
        siege.end()
    complaints = siege.promises.complaints[:20]
    print(siege.figures(), *complaints, sep="\n", flush=True)
    return complaints
