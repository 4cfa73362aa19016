"""Dialogues written down as a postmaster would: `tests/transcripts/<protocol>/*.txt`, played against a real server.

    # why                                    a comment
    C: A1 NOOP                               a line the client sends
    S: A1 OK …                               the line it must get; … stands for anything
    S* A1 OK …                               a line it must get sooner or later; what comes before is passed over
    C2: / S2:                                the same on a second connection, opened when first used
    C- abc                                   sent as it stands, without a line end; \\r, \\n and \\x00 are understood
    S| closed                                the server must have closed the connection
    <#name>                                  a number: where it comes first in an S: line it may be any, later the same
    @ words                                  something the test does in between, by the function it gives

Lines are CRLF lines: a literal's octets are lines of their own.
"""

import re
from collections.abc import Awaitable, Callable
from typing import Protocol

_NUMBER = re.compile(r"<#([a-z]+)>")
_LINE = re.compile(r"(?:([CS])([0-9]?)([:|*-])|(@)) ?(.*)")


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
        self._numbers: dict[str, str] = {}

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
                (await self._peer(which)).send(_octets(self._filled(words)) + (b"" if mark == "-" else b"\r\n"))
            elif mark == "|":
                await (await self._peer(which)).end()
            else:
                await self._expect(which, words, number, patient=mark == "*")

    async def _expect(self, which: str, words: str, number: int, patient: bool) -> None:
        try:
            got = await (await self._peer(which)).raw_line()
            while patient and not self._fits(words, got):
                got = await (await self._peer(which)).raw_line()
        except Exception as error:
            raise AssertionError(f"line {number}: expected {words!r}, got {error!r}") from error
        assert self._fits(words, got), f"line {number}: expected {words!r}, got {got!r}"

    async def _peer(self, which: str) -> Peer:
        if which not in self._peers:
            self._peers[which] = await self._connect()
        return self._peers[which]

    def _fits(self, words: str, got: bytes) -> bool:
        match = re.fullmatch(self._pattern(words), got, re.DOTALL)
        if match is not None:
            self._numbers.update({name: value.decode() for name, value in match.groupdict().items()})
        return match is not None

    def _filled(self, words: str) -> str:
        return _NUMBER.sub(lambda match: self._numbers[match[1]], words)

    def _pattern(self, words: str) -> bytes:
        """Of a line that must come."""
        known = _NUMBER.sub(lambda match: self._numbers.get(match[1], match[0]), words)
        pieces = re.split("(<#[a-z]+>|…)", known)
        return b"".join(_piece(piece) for piece in pieces)


def _piece(piece: str) -> bytes:
    if piece == "…":
        return b".*"
    number = _NUMBER.fullmatch(piece)
    return b"(?P<%b>[0-9]+)" % number[1].encode() if number else re.escape(piece.encode())


def _octets(words: str) -> bytes:
    """Escapes are understood; everything else is UTF-8."""
    return re.sub(
        rb"\\(r|n|t|x[0-9a-f]{2})",
        lambda match: {b"r": b"\r", b"n": b"\n", b"t": b"\t"}.get(match[1]) or bytes.fromhex(match[1][1:].decode()),
        words.encode(),
    )
