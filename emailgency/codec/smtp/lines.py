"""Command lines out of a stream of octets; the buffer never holds more than what was given in at once and a line."""

from emailgency.codec.smtp.reply import ProtocolError


class LineBuffer:
    """Lines end in CRLF. A lone CR or LF closes the connection: who knows what it means to whom (attack row 1)."""

    def __init__(self) -> None:
        self._octets = b""
        self._at = 0
        self._void = 0  # octets to come that nobody wants
        self._overlong = False  # inside a line that is too long

    def __len__(self) -> int:
        return len(self._octets) - self._at

    def put(self, octets: bytes) -> None:
        self._octets = self._octets[self._at :] + octets if self._at < len(self._octets) else octets
        self._at = 0

    def take_all(self) -> bytes:
        octets = self._octets[self._at :] if self._at else self._octets
        self._octets, self._at = b"", 0
        return octets

    def skip(self, octets: int) -> None:
        """Throw away what comes next."""
        self._void = octets

    def line(self, limit: int) -> bytes | None:
        """The next line without CRLF, None when it is not whole yet.

        Of a line of more than `limit` octets nothing is kept; its end raises 500 5.5.6.
        """
        if self._void:
            skipped = min(self._void, len(self))
            self._void -= skipped
            self._at += skipped
        octets, start = self._octets, self._at
        end = octets.find(b"\n", start, None if self._overlong else start + limit)
        if end < 0 and not self._overlong and len(octets) - start >= limit:
            self._overlong = True
            end = octets.find(b"\n", start + limit)
        if end < 0:
            if self._overlong:
                self._at = len(octets) - octets.endswith(b"\r", start)
            return None
        self._at = end + 1
        line = octets[start : end - 1]
        if end == start or octets[end - 1] != 13 or b"\r" in line:
            raise ProtocolError(500, "5.5.2", "bare CR or LF in a command", close=True)
        if self._overlong:
            self._overlong = False
            raise ProtocolError(500, "5.5.6", "line too long")
        return line
