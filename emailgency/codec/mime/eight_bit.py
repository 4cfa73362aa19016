"""Whether a message's header is ASCII, told while its octets come."""


class HeaderLook:
    """Feed it the octets; when the header has ended it costs nothing more."""

    __slots__ = ("_before", "_ended", "found")

    def __init__(self) -> None:
        self.found = False  # an octet of eight bits
        self._before = b"\n"  # the last octets: an empty line may come in pieces, and may be the first
        self._ended = False

    def feed(self, octets: bytes) -> None:
        if self._ended:
            return
        octets = self._before + octets
        ends = [end for end in (octets.find(b"\n\r\n"), octets.find(b"\n\n")) if end >= 0]
        self._ended = bool(ends)
        self.found = self.found or not octets[: min(ends, default=None)].isascii()
        self._before = octets[-2:]
