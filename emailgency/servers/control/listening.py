"""Where the control socket lies and who may open it: `control` in the data folder, mode 0600."""

import contextlib
import os
import socket

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IListeningPort, IReactorUNIX
from twisted.internet.protocol import Factory

from emailgency.model.errors import Invalid
from emailgency.servers.control.command import Commands
from emailgency.servers.control.line import ControlLine

MOST_LINES = 20  # persons at work at once
NAME = "control"


class Control(Factory):
    """`start` refuses with Invalid when another server answers on the same data folder."""

    noisy = False

    def __init__(self, data: str, commands: Commands) -> None:
        self._data = data
        self.commands = commands  # the demo adds its own
        self._folder = -1
        self._port: IListeningPort | None = None
        self._lines: set[ControlLine] = set()

    def start(self, reactor: IReactorUNIX) -> None:
        self._folder = os.open(self._data, os.O_PATH | os.O_DIRECTORY)
        # A socket's name may be 107 octets long (unix(7)), a data folder's may be longer: go through the open folder.
        path = f"/proc/self/fd/{self._folder}/{NAME}"
        if answers(path):
            raise Invalid(f"another server is running on {self._data}")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)  # left by a server that was killed
        self._port = reactor.listenUNIX(path, self, mode=0o600)

    async def stop(self) -> None:
        if self._port is not None:
            port, self._port = self._port, None
            stopped = port.stopListening()
            if isinstance(stopped, Deferred):
                await stopped
            os.close(self._folder)
        for line in list(self._lines):
            line.close()

    def buildProtocol(self, addr: IAddress | None) -> ControlLine | None:
        if len(self._lines) >= MOST_LINES:
            return None
        line = ControlLine(self.commands, self._lines.discard)
        self._lines.add(line)
        return line


def answers(path: str) -> bool:
    """Is somebody listening on this Unix socket? Never waits: connecting succeeds or fails at once."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.setblocking(False)
        try:
            line.connect(path)
        except BlockingIOError:  # alive, with a full backlog
            return True
        except OSError:
            return False
        return True
