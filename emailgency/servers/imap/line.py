"""An IMAP client's connection: what `servers.line` does, with IMAP's codec and BYE."""

from twisted.internet.interfaces import IReactorTime

from emailgency.codec.imap import responses
from emailgency.codec.imap.connection import Connection, Event
from emailgency.servers import line
from emailgency.servers.deflating import Deflating
from emailgency.servers.line import Transport


class Line(line.Line[Event]):
    """See there."""

    __slots__ = ()

    connection: Connection

    def __init__(self, transport: Transport, reactor: IReactorTime, *, login_by: float, stalled: float) -> None:
        super().__init__(transport, reactor, Connection(), login_by=login_by, stalled=stalled)

    def compress(self) -> None:
        """Both directions, from the next octet on (RFC 4978)."""
        self.connection.inflate()
        self.transport = Deflating(self.transport, self._reactor)

    def farewell(self, words: str) -> bytes:
        return responses.untagged("BYE", words)
