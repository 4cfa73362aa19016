"""A message on its way from a peer into the spool."""

from zlib import crc32

from emailgency.store.storing.line import Storer
from emailgency.store.storing.messages import Abort, Write

CHUNK = 256 << 10  # octets; smaller messages travel inside their Commit


class Arrival:
    """Takes the octets as they come; what it holds back is at most one chunk."""

    __slots__ = ("_held", "_sent", "_storer", "checksum", "id", "size")

    def __init__(self, id: str, storer: Storer) -> None:
        self.id = id
        self.size = 0
        self.checksum = 0
        self._storer = storer
        self._held: list[bytes] = []
        self._sent = 0

    def write(self, chunk: bytes) -> None:
        """Append octets."""
        self.size += len(chunk)
        self.checksum = crc32(chunk, self.checksum)
        self._held.append(chunk)
        if self.size - self._sent >= CHUNK:
            self.send()

    def send(self) -> None:
        """What is held back goes to the storer: others will come before this one is stored."""
        if self._held:
            self._storer.tell(Write(self.id, self.rest()))
            self._sent = self.size

    def abort(self) -> None:
        """The transaction died: nothing stays."""
        self._held.clear()
        if self._sent:
            self._storer.tell(Abort(self.id))

    def rest(self) -> bytes:
        """What has not been sent yet; afterwards it is nobody's but the caller's."""
        rest = self._held[0] if len(self._held) == 1 else b"".join(self._held)
        self._held.clear()
        return rest
