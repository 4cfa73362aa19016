"""Octets a server sent -> replies (RFC 5321 section 4.2), bounded in every direction.

The client feeds what arrives and gets whole replies; a line, a reply and the number of its lines have limits, so
a server that never ends its banner costs a fixed amount of memory. A line may end in a bare LF: it can
do no harm in this direction and some servers send it.
"""

import re

from msgspec import Struct

LINE_LIMIT = 4096  # RFC 5321 section 4.5.3.1.5 asks for 512; some banners and rejects carry long links
LINES_LIMIT = 128  # of one reply; the longest EHLO answers seen have about 25

# RFC 5321 section 4.2: Reply-code = %x32-35 %x30-35 %x30-39, then "-", or SP and text, or nothing
_LINE = re.compile(rb"([2-5][0-5][0-9])(?:([ -])([^\r\n]*))?\r?\Z")
# RFC 3463 section 2: class "." subject "." detail
_ENHANCED = re.compile(r"([245]\.[0-9]{1,3}\.[0-9]{1,3})(?:\s|\Z)")
_UNPRINTABLE = re.compile(r"[^ -~]")


class Malformed(ValueError):
    """What came is no reply, or too much of one."""


class Reply(Struct, frozen=True):
    """One reply; `lines` are printable ASCII, anything else in them was replaced by "?"."""

    code: int
    lines: tuple[str, ...]

    @property
    def enhanced(self) -> str:
        """The status code of RFC 2034, "" when there is none or it contradicts the reply code."""
        found = _ENHANCED.match(self.lines[-1])
        return found[1] if found and found[1][0] == str(self.code)[0] else ""

    @property
    def text(self) -> str:
        """All lines as one, without the enhanced code."""
        return " ".join(line[len(self.enhanced) :].strip() if self.enhanced else line for line in self.lines)


class ReplyReader:
    """Feed octets, take replies. Linear: each octet is looked at a bounded number of times."""

    def __init__(self) -> None:
        self._rest = b""
        self._lines: list[str] = []
        self._code = 0

    @property
    def between_replies(self) -> bool:
        """True when nothing of a next reply has arrived."""
        return not self._rest and not self._lines

    def feed(self, data: bytes) -> list[Reply]:
        """Raises Malformed; afterwards the reader is of no use."""
        *complete, rest = (self._rest + data if self._rest else data).split(b"\n")
        if len(rest) > LINE_LIMIT:
            raise Malformed("reply line too long")
        self._rest = rest
        replies = []
        for line in complete:
            found = _LINE.match(line) if len(line) <= LINE_LIMIT else None
            if not found:
                raise Malformed(f"not a reply: {line[:80]!r}")
            code = int(found[1])
            if self._lines and code != self._code:
                raise Malformed("reply code changes between the lines of one reply")
            self._code = code
            self._lines.append(_UNPRINTABLE.sub("?", (found[3] or b"").decode("latin-1")))
            if found[2] != b"-":
                replies.append(Reply(code, tuple(self._lines)))
                self._lines = []
            elif len(self._lines) >= LINES_LIMIT:
                raise Malformed("too many lines in one reply")
        return replies
