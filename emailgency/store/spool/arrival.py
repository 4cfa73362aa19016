"""A message on its way from a peer into the spool."""

from zlib import crc32

from emailgency.store.storing.line import Storer
from emailgency.store.storing.messages import Abort, Amend, Write

CHUNK = 256 << 10  # octets; smaller messages travel inside their Commit
_ZEROS = bytes(1 << 20)
_ALL = 0xFFFFFFFF


class Arrival:
    """Takes the octets as they come; what it holds back is at most one chunk."""

    __slots__ = ("_held", "_reserved", "_sent", "_storer", "checksum", "id", "size")

    def __init__(self, id: str, storer: Storer) -> None:
        self.id = id
        self.size = 0
        self.checksum = 0
        self._storer = storer
        self._held: list[bytes] = []
        self._sent = 0
        self._reserved: tuple[int, int, int] | None = None  # place, octets, index in `_held`

    def write(self, chunk: bytes) -> None:
        """Append octets."""
        self.size += len(chunk)
        self.checksum = crc32(chunk, self.checksum)
        self._held.append(chunk)
        if self.size - self._sent >= CHUNK:
            self.send()

    def reserve(self, octets: int) -> None:
        """Leave room for header fields that are known only when the rest has come; `fill` must follow."""
        self._reserved = self.size, octets, len(self._held)
        self.write(b" " * octets)

    def fill(self, fields: bytes) -> None:
        """Put in what the room was for, at most so many octets. In a large message blanks behind it fill the room."""
        assert self._reserved is not None
        place, room, index = self._reserved
        self._reserved = None
        if not self._sent:
            self._held[index] = fields
            self.size += len(fields) - room
            self.checksum = crc32(b"".join(self._held))
            return
        fields = fields[:-2] + b" " * (room - len(fields)) + fields[-2:]
        self._storer.tell(Amend(self.id, place, fields))
        difference = crc32(fields) ^ crc32(b" " * room)
        self.checksum ^= _moved_on(difference, self.size - place - room)

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


def _moved_on(difference: int, octets: int) -> int:
    """What a difference of two checksums becomes when so many equal octets follow: a CRC is linear."""
    register = difference ^ _ALL  # zlib inverts before and after
    for start in range(0, octets, len(_ZEROS)):
        register = crc32(_ZEROS[: octets - start], register)
    return register ^ _ALL
