"""Replies as octets (RFC 5321 section 4.2, RFC 2034): the only place where a reply line is put together.

Whatever a text contains, what goes out is printable ASCII on lines of at most 512 octets; a remote's words
in it can neither end the line nor start another (attack rows 17, 36).
"""

import re
from functools import lru_cache

from emailgency.model.verdict import Verdict

_UNPRINTABLE = re.compile(r"[^\x20-\x7e]")
_TEXT = 490  # 512 less code, enhanced code, CRLF


class ProtocolError(Exception):
    """The client is wrong. `close`: what follows on this connection cannot be trusted."""

    def __init__(self, code: int, enhanced: str, text: str, close: bool = False) -> None:
        super().__init__(text)
        self.verdict = Verdict(code, enhanced, text)
        self.close = close


def printable(text: str) -> str:
    """`text` with everything but printable ASCII replaced by `?`, cut to a reply line."""
    return _UNPRINTABLE.sub("?", text[:_TEXT])


@lru_cache(maxsize=512)
def encode(verdict: Verdict) -> bytes:
    """One line, e.g. ``b"550 5.7.1 relaying denied\\r\\n"``; 354 has no enhanced code (RFC 2034 section 4)."""
    status = f"{verdict.code} {verdict.enhanced} " if verdict.enhanced else f"{verdict.code} "
    return f"{status}{printable(verdict.text)}\r\n".encode("ascii")


def encode_lines(code: int, lines: list[str]) -> bytes:
    """A reply of several lines without enhanced codes, as EHLO and HELP give."""
    marks = ["-"] * (len(lines) - 1) + [" "]
    return "".join(f"{code}{mark}{printable(line)}\r\n" for mark, line in zip(marks, lines, strict=True)).encode(
        "ascii"
    )
