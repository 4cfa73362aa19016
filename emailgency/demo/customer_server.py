"""The simulated customer's server: a real SMTP server on loopback that is down until it is told to come back.

Down, it keeps its port bound but does not listen: whoever connects is refused, and nobody else gets the port.
"""

import re
import socket
from collections import Counter
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IListeningPort, IReactorSocket
from twisted.internet.protocol import Protocol, ServerFactory

from emailgency.codec.smtp.limits import SmtpLimits
from emailgency.codec.smtp.server import Body, Connection, EndOfMessage, Event, Offer, Reset
from emailgency.model.directory import HARD_MESSAGE_LIMIT
from emailgency.model.verdict import Verdict

HOST = "127.0.0.1"
NAME = "mail.mydomain.zz"

LIMITS = SmtpLimits()
OK = Verdict(250, "2.0.0", "Ok")
TAKEN = Verdict(250, "2.0.0", "Ok, taken home")

# Our own trace field stands on top of what we relay: "Received: from … by … with … id <id> …".
_TRACE_ID = re.compile(rb"^Received:[^\r\n]*(?:\r\n[ \t][^\r\n]*)*?\bid ([0-9a-z]+)", re.MULTILINE)


class CustomerServer(ServerFactory[Any]):
    """`came_home` counts each message by the id that the relaying server's trace field gives it."""

    noisy = False

    def __init__(self, reactor: IReactorSocket, bound: socket.socket) -> None:
        """`bound` is what `reserve` gave."""
        self.came_home: Counter[str] = Counter()
        self.listeners: list[Callable[[str], None]] = []  # told each id that comes home
        self._reactor = reactor
        self._bound: socket.socket | None = bound
        self._listening: IListeningPort | None = None
        self._lines: set[CustomerLine] = set()
        self.port: int = bound.getsockname()[1]

    @property
    def is_up(self) -> bool:
        return self._listening is not None

    def up(self) -> None:
        """Nothing changes when it is up already."""
        if self._bound is not None:
            bound, self._bound = self._bound, None
            bound.listen()
            self._listening = self._reactor.adoptStreamPort(bound.fileno(), socket.AF_INET, self)
            bound.close()  # the reactor has its own descriptor of it

    async def down(self) -> None:
        """Nothing changes when it is down already."""
        if self._listening is not None:
            listening, self._listening = self._listening, None
            stopped = listening.stopListening()
            if isinstance(stopped, Deferred):
                await stopped
            for line in list(self._lines):
                line.cut()
            self._bound = reserve(self.port)

    def close(self) -> None:
        if self._bound is not None:
            self._bound.close()
            self._bound = None

    def take(self, message: bytes) -> None:
        found = _TRACE_ID.search(message)
        id = found[1].decode("ascii") if found else "?"
        self.came_home[id] += 1
        for listener in self.listeners:
            listener(id)

    def buildProtocol(self, addr: IAddress | None) -> "CustomerLine":
        line = CustomerLine(self)
        self._lines.add(line)
        return line

    def gone(self, line: "CustomerLine") -> None:
        self._lines.discard(line)


class CustomerLine(Protocol):
    """One connection: takes every message for every recipient."""

    def __init__(self, server: CustomerServer) -> None:
        self._server = server
        self._connection = Connection(Offer(host_name=NAME, size=HARD_MESSAGE_LIMIT), LIMITS)
        self._message: list[bytes] = []

    def connectionMade(self) -> None:
        self._connection.greet(Verdict(220, "", f"{NAME} ESMTP"))
        self._write()

    def dataReceived(self, data: bytes) -> None:
        self._connection.receive(data)
        while (event := self._connection.next_event()) is not None:
            self._take(event)
        self._write()

    def connectionLost(self, reason: object = None) -> None:
        self._server.gone(self)

    def cut(self) -> None:
        assert self.transport is not None
        self.transport.loseConnection()

    def _take(self, event: Event) -> None:
        if isinstance(event, Body):
            self._message.append(event.octets)
        elif isinstance(event, Reset):
            self._message.clear()
        elif isinstance(event, EndOfMessage):
            message = b"".join(self._message) + event.octets
            self._message.clear()
            if event.fault is None:
                self._server.take(message)
            self._connection.answer(event.fault or TAKEN)
        else:
            self._connection.answer(OK)

    def _write(self) -> None:
        assert self.transport is not None
        self.transport.write(self._connection.take_output())
        if self._connection.closed:
            self.transport.loseConnection()


def reserve(port: int) -> socket.socket:
    """A socket that holds this port of loopback and listens to nobody; another port when this one is taken or 0."""
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    bound.setblocking(False)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((HOST, port))
    except OSError:
        bound.bind((HOST, 0))
    return bound
