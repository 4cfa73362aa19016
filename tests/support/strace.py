"""strace attached to a process that is already running: what it does from now on is counted, killed or refused."""

import os
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

# every call of the storer that changes something outside of it; sendto is the answer to the reactor
CHANGING = (
    "write,pwrite64,fdatasync,fsync,syncfs,rename,renameat,renameat2,link,linkat,unlink,unlinkat,mkdir,mkdirat,openat,"
    "rmdir,utimensat,fallocate,sendto"
)


@contextmanager
def attached(pid: int, *options: str, output: str = os.devnull) -> Iterator[None]:
    """While in the block the process is traced; it may die inside."""
    strace = subprocess.Popen(
        ["strace", "-p", str(pid), "-o", output, "-e", f"trace={CHANGING}", *options], stderr=subprocess.PIPE
    )
    assert strace.stderr is not None
    try:
        line = strace.stderr.readline()
        assert b"attached" in line, line
        yield
    finally:
        strace.terminate()
        strace.wait(20)
        strace.stderr.close()


def calls(output: str) -> list[tuple[str, int]]:
    """(call, how manyeth of its kind) of everything in the output that changes something; plain opens do not."""
    counts: Counter[str] = Counter()
    found = []
    with open(output, encoding="utf-8", errors="replace") as stream:
        for line in stream:
            call, bracket, arguments = line.partition("(")
            if not bracket or not call.isidentifier():
                continue
            counts[call] += 1
            if call != "openat" or "O_CREAT" in arguments:
                found.append((call, counts[call]))
    return found
