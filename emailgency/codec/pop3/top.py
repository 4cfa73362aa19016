"""What TOP shows of a message: its header, the empty line, and so many lines of the body (RFC 1939 section 7)."""

import re

_HEADER_END = re.compile(rb"\n\r?\n")


class Top:
    """Feed the chunks of one message in order until `done`, or until there are no more."""

    def __init__(self, lines: int) -> None:
        self.done = False
        self._lines = lines  # still wanted of the body
        self._header = True
        self._seen = b"\n"  # the last octets, as far as the end of the header may begin in them

    def take(self, chunk: bytes) -> bytes:
        """The part of `chunk` that is shown."""
        start = 0
        if self._header:
            octets = self._seen + chunk
            end = _HEADER_END.search(octets)
            if end is None:
                self._seen = octets[-2:]
                return chunk
            start = end.end() - len(self._seen)
            self._header = False
        present = chunk.count(b"\n", start)
        if present < self._lines:
            self._lines -= present
            return chunk
        for _ in range(self._lines):
            start = chunk.index(b"\n", start) + 1
        self.done = True
        return chunk[:start]
