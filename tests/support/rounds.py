"""Many independent rounds of a durability test, on as many fork servers as there are processors.

Where tests run side by side (pytest -n), each has its share of the processors.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Any, TypeVar

from tests.support.fork_server import ForkServer

Case = TypeVar("Case")


@contextmanager
def folder(memory: bool = True) -> Iterator[str]:
    """A scratch folder; in memory, where a kill is as final as on a disk and syncs cost nothing."""
    place = "/dev/shm" if memory and os.path.isdir("/dev/shm") else None
    path = tempfile.mkdtemp(prefix="emailgency-", dir=place)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def rounds(cases: Iterable[Case], one: Callable[[ForkServer, Case], list[str]], *modules: str) -> dict[Case, list[str]]:
    """What went wrong in which case; {} is what a test wants to see."""
    servers: SimpleQueue[ForkServer] = SimpleQueue()
    side_by_side = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    workers = max(1, (os.cpu_count() or 1) // side_by_side)
    for _ in range(workers):
        servers.put(ForkServer(*modules))

    def work(case: Case) -> tuple[Case, list[str]]:
        server = servers.get()
        try:
            return case, one(server, case)
        except Exception as error:
            return case, [repr(error), str(error)]
        finally:
            servers.put(server)

    try:
        with ThreadPoolExecutor(workers) as pool:
            return {case: wrong for case, wrong in pool.map(work, cases) if wrong}
    finally:
        for _ in range(workers):
            servers.get().close()


def plain(result: Any) -> list[str]:
    """The complaints a fork sent."""
    return list(result)
