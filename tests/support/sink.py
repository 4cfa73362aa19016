"""The customer's own server, as far as a sender can tell: down until it is told to come up, then it takes everything.

Not ours in any part: plain sockets and threads. Down, its port is bound but nobody listens, so senders are refused.
"""

import contextlib
import itertools
import socket
import threading
from collections.abc import Iterable
from typing import NamedTuple


class Taken(NamedTuple):
    sender: str
    recipients: tuple[str, ...]
    octets: bytes
    line: int = 0  # the connection it came by


class Sink:
    """`messages` in the order they were taken; `farewells` are the connections that ended with QUIT.

    As a context it is closed at the end.
    """

    def __init__(self) -> None:
        self.messages: list[Taken] = []
        self.farewells: set[int] = set()
        self._numbers = itertools.count(1)
        self._bound = self._bind(0)
        self.port: int = self._bound.getsockname()[1]
        self._lines: list[socket.socket] = []

    def up(self) -> None:
        self._bound.listen(100)
        threading.Thread(target=self._accept, args=(self._bound,), daemon=True).start()

    def down(self) -> None:
        """Cuts the connections too."""
        self.close()
        self._bound = self._bind(self.port)

    def close(self) -> None:
        for line in (self._bound, *self._lines):
            with contextlib.suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)
            line.close()
        self._lines.clear()

    def __enter__(self) -> "Sink":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _bind(self, port: int) -> socket.socket:
        bound = socket.socket()
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(("127.0.0.1", port))
        return bound

    def _accept(self, bound: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                line, _ = bound.accept()
                self._lines.append(line)
                threading.Thread(target=self._talk, args=(line,), daemon=True).start()

    def _talk(self, line: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError), line, line.makefile("rwb") as stream:

            def say(words: str) -> None:
                stream.write(words.encode() + b"\r\n")
                stream.flush()

            number = next(self._numbers)
            sender, recipients = "", list[str]()
            say("220 sink ESMTP")
            while command := stream.readline():
                verb, _, rest = command.decode().strip().partition(" ")
                match verb.upper():
                    case "EHLO":
                        say("250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 50000000")
                    case "MAIL":
                        sender = rest.partition("<")[2].partition(">")[0]
                        say("250 ok")
                    case "RCPT":
                        recipients.append(rest.partition("<")[2].partition(">")[0])
                        say("250 ok")
                    case "DATA":
                        say("354 go ahead")
                        octets = body(stream)
                        self.messages.append(Taken(sender, tuple(recipients), octets, number))
                        recipients = []
                        say("250 taken")
                    case "QUIT":
                        self.farewells.add(number)
                        say("221 bye")
                        return
                    case "RSET":
                        recipients = []
                        say("250 ok")
                    case _:
                        say("250 ok")


def body(stream: Iterable[bytes]) -> bytes:
    """A message, dot-stuffing taken off (RFC 5321 section 4.5.2). Raises ValueError when it breaks off."""
    lines = []
    for line in stream:
        if line == b".\r\n":
            return b"".join(lines)
        lines.append(line.removeprefix(b"."))
    raise ValueError("broken off before the final dot")
