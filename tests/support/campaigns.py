"""Whole campaigns against a server, each to be run in a process of its own (`tests.support.rounds`).

All return the complaints, which name the seed; an empty list is what a test wants to see.
"""

import contextlib
import os
import time

from tests.support.disk_image import DiskImage
from tests.support.nursery import ForkedServer, Nursery
from tests.support.server import NotReady, Server
from tests.support.siege import LAZY, Siege, left_overs_end


def killed(folder: str, seed: int, times: int, longest: float) -> list[str]:
    """The real `twistd -n emailgency`, killed so many times."""
    return _killed(Siege(Server(folder), seed), times, longest)


def forks_killed(folder: str, seed: int, times: int, longest: float) -> list[str]:
    with Nursery() as nursery:
        return _killed(Siege(ForkedServer(folder, nursery), seed), times, longest)


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


def without_power(kind: str, folder: str, seed: int, times: int, syncing: bool) -> list[str]:
    """On a file system of this kind that loses its power; `syncing` False: the control, which must complain."""
    with DiskImage(kind, folder, size=2 << 30) as disk, Nursery(syncing=syncing) as nursery:
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
    """First the disk, a moment later the processes: what they promise in that moment counts too."""
    siege.live(0.8)
    disk.lose_power()
    lost_at = time.monotonic()
    siege.live(0.05)
    siege.fell([])
    left_overs_end(siege.server)
    for user in siege.users:
        user.forgiven = lost_at - LAZY
    disk.restart()
    siege.rise()


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
