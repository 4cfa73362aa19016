"""What is to be written, gathered until it is worth a write."""

from emailgency.servers.imap.session import Session
from emailgency.servers.message_file import READ


class Gathering:
    """Octets of responses; never holds much more than READ of them."""

    def __init__(self, session: Session) -> None:
        self._line = session.line
        self._held: list[bytes] = []
        self._size = 0

    def hold(self, octets: bytes) -> None:
        self._held.append(octets)
        self._size += len(octets)

    async def let_out_much(self) -> None:
        """If enough is held."""
        if self._size >= READ:
            await self.let_out()

    async def let_out(self) -> None:
        """As fast as the client takes it."""
        octets, self._held, self._size = b"".join(self._held), [], 0
        if octets:
            await self._line.say(octets)
