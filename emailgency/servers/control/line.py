"""One connection of the control socket: requests in order, one at a time, each answered before the next is read.

In: ``{"command": "customer add", "arguments": {…}}`` LF. Out: ``{"progress": {"what", "done", "of"}}`` LF any number
of times, then ``{"result": …}`` LF or ``{"error": {"kind": "refused"|"usage"|"temporary", "text", "details"}}`` LF.
A person who goes away does not stop his command: a change half made is worse than an answer nobody reads.
"""

import os
import pwd
import socket
import struct
from collections.abc import Callable
from typing import cast

import msgspec
from msgspec import Struct
from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.unix import Server
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from emailgency.background import background
from emailgency.model.errors import Invalid, Temporary
from emailgency.servers.control.command import Asker, Command, Commands

LONGEST_LINE = 10 << 20  # octets: a file of 4 MiB for import, its quotation marks and line ends escaped


class Request(Struct, frozen=True, forbid_unknown_fields=True):
    command: str
    arguments: msgspec.Raw = msgspec.Raw(b"{}")


class Error(Struct, frozen=True):
    kind: str
    text: str
    details: tuple[str, ...] = ()


@implementer(IPushProducer)
class ControlLine(Protocol):
    _log = Logger()

    def __init__(self, commands: Commands, gone: Callable[["ControlLine"], None]) -> None:
        """`gone` is told when the connection has ended."""
        self._commands = commands
        self._gone = gone
        self._open = False
        self._received = bytearray()
        self._busy = False
        self._choked = False
        self._user = ""

    def connectionMade(self) -> None:
        self._wire = cast(Server, self.transport)
        uid = peer_uid(self._wire.getHandle())
        if uid not in (0, os.geteuid()):  # the socket's mode says so too; file modes are easily loosened
            self._log.warn("control: user {uid} refused", uid=uid)
            self._wire.abortConnection()
            return
        self._user = user_name(uid)
        self._open = True
        self._wire.registerProducer(self, True)

    def dataReceived(self, data: bytes) -> None:
        if len(self._received) + len(data) > LONGEST_LINE:
            self._answer({"error": Error("usage", f"a request has at most {LONGEST_LINE} octets")})
            self.close()
            return
        self._received += data
        self._next(len(data))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._open = False
        self._received.clear()
        self._gone(self)

    def _next(self, fresh: int) -> None:
        """Start the first complete request; only the `fresh` octets can hold a line end not seen before."""
        if self._busy:
            return
        end = self._received.find(b"\n", max(0, len(self._received) - fresh))
        if end < 0:
            return
        request = bytes(self._received[:end])
        del self._received[: end + 1]
        self._busy = True
        self._wire.pauseProducing()
        background("control command", self._serve(request))

    async def _serve(self, line: bytes) -> None:
        try:
            self._answer(await self._done(line))
        finally:
            self._busy = False
            if self._open:
                self._wire.resumeProducing()
                self._next(len(self._received))

    async def _done(self, line: bytes) -> dict[str, object]:
        """The answer to one request; every failure becomes an `error`."""
        command = "?"
        try:
            request = msgspec.json.decode(line, type=Request)
            command = request.command
            known = self._commands.get(command)
            if known is None:
                return {"error": Error("usage", f"this server does not know the command {command!r}")}
            return {"result": await self._run(command, known, request.arguments)}
        except Invalid as error:
            return {"error": Error("refused", str(error), getattr(error, "lines", ()))}
        except msgspec.MsgspecError as error:
            return {"error": Error("usage", str(error))}
        except Temporary as error:
            return {"error": Error("temporary", str(error))}
        except Exception as error:
            self._log.failure("control: {command} failed", command=command)
            return {"error": Error("temporary", f"{type(error).__name__}, see the server's log; try again later")}

    async def _run(self, name: str, command: Command, raw: msgspec.Raw) -> object:
        arguments = msgspec.json.decode(raw, type=command.arguments)
        self._log.info("control: {command} by {user}", command=name, user=self._user)
        return await command.deed(arguments, Asker(self._user, self._progress))

    def _progress(self, what: str, done: int, of: int) -> None:
        if not self._choked:  # somebody who does not read gets the answer only
            self._answer({"progress": {"what": what, "done": done, "of": of}})

    def _answer(self, message: dict[str, object]) -> None:
        if self._open:
            self._wire.write(msgspec.json.encode(message) + b"\n")

    def close(self) -> None:
        self._wire.unregisterProducer()
        self._wire.loseConnection()

    # ---- IPushProducer: the transport tells whether what we write is read

    def pauseProducing(self) -> None:
        self._choked = True

    def resumeProducing(self) -> None:
        self._choked = False

    def stopProducing(self) -> None:
        self._choked = True


def peer_uid(line: socket.socket) -> int:
    """Who connected, from the kernel: struct ucred of unix(7)."""
    size = struct.calcsize("3i")
    return int(struct.unpack("3i", line.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))[1])


def user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
