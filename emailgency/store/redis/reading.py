"""Redis as a program without a reactor asks it: one command, one answer. For `emailgency verify`."""

import contextlib
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote, urlsplit

import hiredis

from emailgency.store.redis.server import SOCKET, find_program

PATIENCE = 20.0  # seconds for a server to load its file; 100 MiB take two
CONFIGURATION = """\
port 0
unixsocket {socket}
unixsocketperm 600
daemonize no
appendonly yes
aof-load-truncated yes
save ""
logfile ""
loglevel warning
"""


class RedisReading:
    """A connection; `ask` raises OSError, or hiredis' HiredisError for an answer that is an error."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._reader = hiredis.Reader()

    def ask(self, *command: str | bytes) -> Any:
        self._line.sendall(hiredis.pack_command(command))  # type: ignore[arg-type]  # says a tuple of one
        while (answer := self._reader.gets()) is False:
            octets = self._line.recv(1 << 16)
            if not octets:
                raise ConnectionError("Redis went away")
            self._reader.feed(octets)
        if isinstance(answer, hiredis.HiredisError):
            raise answer
        return answer

    def close(self) -> None:
        self._line.close()


@contextlib.contextmanager
def reading_url(url: str) -> Iterator[RedisReading]:
    """The server the settings name: redis://, rediss:// or unix://."""
    place = urlsplit(url)
    if place.scheme == "unix":
        line = socket.socket(socket.AF_UNIX)
        line.connect(unquote(place.path))
    else:
        host = place.hostname or "127.0.0.1"
        line = socket.create_connection((host, place.port or 6379), timeout=PATIENCE)
        if place.scheme == "rediss":
            line = ssl.create_default_context().wrap_socket(line, server_hostname=host)
    with line:
        reading = RedisReading(line)
        if place.password:
            reading.ask("AUTH", *filter(None, (unquote(place.username or ""), unquote(place.password))))
        number = place.path.strip("/") if place.scheme != "unix" else ""
        if number:
            reading.ask("SELECT", number)
        yield reading


@contextlib.contextmanager
def reading_files(folder: str, program: str) -> Iterator[RedisReading | None]:
    """Our own server's files in `folder`, loaded by a server of the moment from a copy. None: there are none."""
    if not os.path.isdir(os.path.join(folder, "appendonlydir")):
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="emailgency-verify-") as place:
        shutil.copytree(os.path.join(folder, "appendonlydir"), os.path.join(place, "appendonlydir"))
        with open(os.path.join(place, "redis.conf"), "w") as file:
            file.write(CONFIGURATION.format(socket=SOCKET))
        child = subprocess.Popen(  # noqa: S603 -- the program is the operator's choice
            [find_program(program), "redis.conf"], cwd=place, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            reading = _loaded(child, os.path.join(place, SOCKET))
            yield reading
            reading.close()
        finally:
            child.kill()
            child.wait()


def _loaded(child: "subprocess.Popen[bytes]", path: str) -> RedisReading:
    """Raises OSError when the server ends, or is not ready in time."""
    end = time.monotonic() + PATIENCE
    while child.poll() is None and time.monotonic() < end:
        line = socket.socket(socket.AF_UNIX)
        try:
            line.connect(path)
            reading = RedisReading(line)
            reading.ask("PING")
            return reading
        except (OSError, hiredis.HiredisError):  # not listening yet, or LOADING
            line.close()
        time.sleep(0.02)
    raise OSError("the files of Redis cannot be loaded")
