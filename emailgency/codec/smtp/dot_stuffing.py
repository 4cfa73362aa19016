"""The body of a DATA command on its way out (RFC 5321 section 4.5.2), exact across chunk borders.

A line that begins with a dot gets a second one wherever the chunks happen to be cut: a stuffer that looks at each
chunk alone lets any sender end the message early at the next hop and speak SMTP there (attack row 2). Only
CRLF leaves us: a bare CR or LF, which our own reception never stores, becomes CRLF, because a next hop that takes
it for a line end would see lines that we did not.
"""

import re

_LINE_END = re.compile(rb"\r\n|\r|\n")


class DotStuffer:
    """Feed the chunks of one message in order, the last one with `last=True`."""

    def __init__(self) -> None:
        self._line_start = True
        self._held = b""  # a CR whose LF may be in the next chunk

    def encode(self, chunk: bytes, last: bool = False) -> bytes:
        """What to write for `chunk`; with `last` the end of data follows, after a CRLF if the body has none."""
        if self._held:
            chunk, self._held = self._held + chunk, b""
        if not last and chunk.endswith(b"\r"):
            chunk, self._held = chunk[:-1], b"\r"
        pairs = chunk.count(b"\r\n")
        if chunk.count(b"\n") != pairs or chunk.count(b"\r") != pairs:
            chunk = _LINE_END.sub(b"\r\n", chunk)
        stuffed = chunk.replace(b"\r\n.", b"\r\n..")
        if self._line_start and chunk.startswith(b"."):
            stuffed = b"." + stuffed
        if chunk:
            self._line_start = chunk.endswith(b"\n")
        if last:
            return stuffed + (b".\r\n" if self._line_start else b"\r\n.\r\n")
        return stuffed
