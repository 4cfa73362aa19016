"""A process that has imported the whole server and forks one for each start: some 100 ms instead of a second.

    with Nursery() as nursery:
        server = ForkedServer(folder, nursery)

The server is the real one, put together by `emailgency.service` as twistd does it; its storer is a fork as well.
"""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType
from typing import Any

import emailgency.assembly
from tests.support.fork_server import ROOT
from tests.support.server import Server


class Nursery:
    """`flaw` names what is wrong with its servers, for controls: what must be found out is found out.

    "unsynced": every sync does nothing. "hasty": 250 before the message is stored. "forgetful": a repetition is taken
    for another message.
    """

    def __init__(self, flaw: str = "none") -> None:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([path for path in sys.path if path] + [ROOT])}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.nursery", flaw],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            text=True,
        )

    def born(self, settings: str, data: str, folder: str, log: str) -> "Child":
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([settings, data, folder, log]) + "\n")
        self._process.stdin.flush()
        return Child(int(self._process.stdout.readline()))

    def __enter__(self) -> "Nursery":
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()


class Child:
    """A process that is not our own child, with the manners of `subprocess.Popen`. The exit status is not known."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._descriptor = os.pidfd_open(pid)

    def poll(self) -> int | None:
        return self._wait(0)

    def wait(self, timeout: float | None = None) -> int:
        status = self._wait(timeout)
        if status is None:
            raise subprocess.TimeoutExpired("forked server", timeout or 0.0)
        return status

    def kill(self) -> None:
        self._signal(signal.SIGKILL)

    def terminate(self) -> None:
        self._signal(signal.SIGTERM)

    def _wait(self, timeout: float | None) -> int | None:
        if self._descriptor >= 0 and select.select([self._descriptor], [], [], timeout)[0]:
            os.close(self._descriptor)
            self._descriptor = -1
        return None if self._descriptor >= 0 else 0

    def _signal(self, number: signal.Signals) -> None:
        if self._descriptor >= 0:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._descriptor, number)


class ForkedServer(Server):
    """Without its website: no mail goes through that, and to make all its pages known is most of a start."""

    def __init__(self, folder: str, nursery: Nursery) -> None:
        super().__init__(folder)
        self._nursery = nursery

    def configure(self, settings: Mapping[str, Any]) -> None:
        super().configure({**settings, "listen": {"http": [], "https": []}})

    def _process(self, prefix: tuple[str, ...], options: tuple[str, ...]) -> Any:
        return self._nursery.born(self.settings_path, self.data, self.folder, self.log_path)


# ---- in the nursery and its children -----------------------------------------------------------------------

PATIENCE = 20.0  # seconds
LATE = (  # what is imported at its first use
    "hiredis",
    "nacl.pwhash",
    "twisted.application.internet",
)


def serve(settings_path: str, data: str) -> None:
    """What twistd does for `twistd -n emailgency`."""
    from twisted.logger import globalLogBeginner

    from emailgency import app, settings
    from emailgency.observer import Observer, line
    from emailgency.service import EmailgencyService, tuned_reactor
    from emailgency.settings_file import Wrong
    from tests.support.recovery import ForkedStorer

    def load() -> settings.Settings:
        return settings.load(settings_path, data)

    app.Storer = ForkedStorer
    globalLogBeginner.beginLoggingTo([Observer(sys.stdout, None, line)], redirectStandardIO=False)
    service = None
    until = time.monotonic() + PATIENCE
    while service is None:
        try:
            service = EmailgencyService(load(), load, None, None)
        except Wrong:  # a fork of one just killed may not have come to closing the lock that it inherited
            if time.monotonic() > until:
                raise
            time.sleep(0.01)
    reactor = tuned_reactor()
    service.startService()
    reactor.addSystemEventTrigger("before", "shutdown", service.stopService)
    reactor.run()


def child(settings: str, data: str, folder: str, log: str) -> None:
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.closerange(3, 100)
    os.chdir(folder)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    serve(settings, data)


def spoil(flaw: str) -> None:
    from emailgency.background import background
    from emailgency.store.spool.spool import Spool
    from emailgency.store.storing.syncing import Syncing

    commit = Spool.commit

    async def hasty(spool: Spool, arrival: Any, envelope: Any) -> None:
        background("storing, in our own good time", commit(spool, arrival, envelope))

    match flaw:
        case "unsynced":
            os.fsync = os.fdatasync = lambda descriptor: None
            Syncing.all_at_once = lambda syncing, count: True
        case "hasty":
            Spool.commit = hasty
        case "forgetful":
            Spool.repeated = lambda spool, fingerprint: None


def warm() -> None:
    """Import all that a server imports while it starts, so that its children need not: three quarters of their time.

    Klein wants the reactor when it is imported, for a `run` that nobody calls. One made here would share its epoll
    descriptor with all children, so it gets an empty module, and each child makes its own.
    """
    reactor = "twisted.internet.reactor"
    sys.modules[reactor] = ModuleType(reactor)
    for module in iter_modules(emailgency.assembly.__path__, "emailgency.assembly."):
        import_module(module.name)
    for name in ("emailgency.service", "emailgency.servers.web.local", "tests.support.recovery", *LATE):
        import_module(name)
    del sys.modules[reactor]


def main() -> None:
    from emailgency.store.redis.server import find_program

    warm()
    find_program("")
    spoil(sys.argv[1])
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                child(*json.loads(line))
                status = 0
            except BaseException:
                import traceback

                traceback.print_exc()
            finally:
                sys.stdout.flush()
                os._exit(status)
        print(pid, flush=True)


if __name__ == "__main__":
    main()
