"""A client's DEFLATE stream (RFC 1951), unpacked no faster than it is asked for: few octets may stand for many."""

import zlib

STEP = 65536  # octets unpacked at a time: 0.2 ms
_WAITING = 65536  # packed octets above which no more should be taken from the transport


class Broken(Exception):
    """It is no DEFLATE stream, or it has ended."""


class Inflating:
    """`feed` packed octets, `step` for plain ones while `pending`. The client's window may be the largest, 32 KiB."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(-15)
        self._packed = b""
        self._more = False  # the last step was full: zlib may hold the rest of it

    def feed(self, data: bytes) -> None:
        self._packed = self._packed + data if self._packed else data

    @property
    def full(self) -> bool:
        """So much waits that the transport should pause."""
        return len(self._packed) > _WAITING

    @property
    def pending(self) -> bool:
        """Whether another step may give octets."""
        return bool(self._packed) or self._more

    def step(self) -> bytes:
        """At most STEP plain octets. Raises Broken."""
        try:
            octets = self._stream.decompress(self._packed, STEP)
        except zlib.error as error:
            raise Broken from error
        if self._stream.eof:
            raise Broken  # RFC 4978 section 3 knows no way back
        self._packed = self._stream.unconsumed_tail
        self._more = len(octets) == STEP
        return octets
