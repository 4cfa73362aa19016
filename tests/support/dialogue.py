"""Dialogues written down as a postmaster would: `tests/transcripts/<protocol>/*.txt`, played against a real server.

    # why                                    a comment
    C: A1 NOOP                               a line the client sends
    S: A1 OK …                               the line it must get; … stands for anything
    C2: / S2:                                the same on a second connection, opened when first used
    C- abc                                   sent as it stands, without a line end; \\r, \\n and \\x00 are understood
    S| closed                                the server must have closed the connection
    @ words                                  something the test does in between, by the function it gives

Lines are CRLF lines: a literal's octets are lines of their own.
"""

import re
from collections.abc import Awaitable, Callable
from typing import Protocol

_LINE = re.compile(r"(?:([CS])([0-9]?)([:|-])|(@)) ?(.*)")


class Peer(Protocol):
    """One connection. `raw_line` is without CRLF; `end` returns when the server has closed."""

    def send(self, octets: bytes) -> None: ...
    async def raw_line(self) -> bytes: ...
    async def end(self) -> None: ...


class Dialogue:
    """One file. `connect` opens a connection; `act` does what `@` lines say."""

    def __init__(
        self, text: str, connect: Callable[[], Awaitable[Peer]], act: Callable[[str], Awaitable[None]]
    ) -> None:
        self._text = text
        self._connect = connect
        self._act = act
        self._peers: dict[str, Peer] = {}

    async def play(self) -> None:
        """Raises AssertionError with the number of the line that was not so."""
        for number, line in enumerate(self._text.splitlines(), 1):
            if not line.strip() or line.startswith("#"):
                continue
            match = _LINE.fullmatch(line)
            assert match, f"line {number} of the transcript is none: {line}"
            side, which, mark, act, words = match.groups()
            if act:
                await self._act(words)
            elif side == "C":
                (await self._peer(which)).send(_octets(words) + (b"" if mark == "-" else b"\r\n"))
            elif mark == "|":
                await (await self._peer(which)).end()
            else:
                try:
                    got = await (await self._peer(which)).raw_line()
                except Exception as error:
                    raise AssertionError(f"line {number}: expected {words!r}, got {error!r}") from error
                assert _fits(words, got), f"line {number}: expected {words!r}, got {got!r}"

    async def _peer(self, which: str) -> Peer:
        if which not in self._peers:
            self._peers[which] = await self._connect()
        return self._peers[which]


def _octets(words: str) -> bytes:
    """Escapes are understood; everything else is UTF-8."""
    return re.sub(
        rb"\\(r|n|t|x[0-9a-f]{2})",
        lambda match: {b"r": b"\r", b"n": b"\n", b"t": b"\t"}.get(match[1]) or bytes.fromhex(match[1][1:].decode()),
        words.encode(),
    )


def _fits(pattern: str, got: bytes) -> bool:
    return (
        re.fullmatch(b".*".join(re.escape(piece.encode()) for piece in pattern.split("…")), got, re.DOTALL) is not None
    )
