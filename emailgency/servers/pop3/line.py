"""A POP3 client's connection: what `servers.line` does, with POP3's codec and -ERR."""

from twisted.internet.interfaces import IReactorTime

from emailgency.codec.pop3 import responses
from emailgency.codec.pop3.connection import Connection, Event
from emailgency.servers import line
from emailgency.servers.line import Transport


class Line(line.Line[Event]):
    """See there."""

    __slots__ = ()

    connection: Connection

    def __init__(self, transport: Transport, reactor: IReactorTime, *, login_by: float, stalled: float) -> None:
        super().__init__(transport, reactor, Connection(), login_by=login_by, stalled=stalled)

    def farewell(self, words: str) -> bytes:
        return responses.err(words, "SYS/TEMP")

    def silent(self) -> None:
        """RFC 1939 section 3: without a word, which could be taken for the answer to a command on its way."""
        self.hang_up()
