"""Frames of a stream socket between our own processes: 4 octets of big-endian length, then the payload."""

from struct import Struct

_LENGTH = Struct(">I")
LIMIT = 1 << 30  # a listing of a folder with some ten million messages; more is a broken peer


class Oversized(Exception):
    """The peer announces a frame nobody sends: the two sides no longer agree where frames begin."""


def encode(payload: bytes) -> bytes:
    """The payload with its length in front."""
    return _LENGTH.pack(len(payload)) + payload


class Frames:
    """Takes octets split anywhere, gives whole payloads. Each octet is moved at most once."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._pieces: list[bytes] = []
        self._held = 0  # octets in pieces
        self._wanted = _LENGTH.size  # octets needed before anything can come out

    def feed(self, octets: bytes) -> list[memoryview]:
        """The payloads completed by `octets`, in order; they are views and keep what they lie in alive."""
        self._pieces.append(octets)
        self._held += len(octets)
        if self._held < self._wanted:
            return []
        whole = memoryview(b"".join(self._pieces))
        payloads, start = [], 0
        self._wanted = _LENGTH.size
        while len(whole) - start >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(whole, start)
            if length > self._limit:
                raise Oversized(length)
            end = start + _LENGTH.size + length
            if end > len(whole):
                self._wanted = end - start
                break
            payloads.append(whole[start + _LENGTH.size : end])
            start = end
        self._held = len(whole) - start
        self._pieces = [bytes(whole[start:])] if self._held else []
        return payloads
