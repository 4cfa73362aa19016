"""FETCH of BINARY (RFC 3516): a part's content without its Content-Transfer-Encoding, decoded as it is sent.

The length stands in front of the octets, so a part is decoded twice: once to count, once to send, 64 KiB at a time with
pauses for others. A small one is decoded once. Multiparts and messages have no encoding of their own (RFC 2045
section 6.4) and go as they are, and so does `BINARY[]`, the whole message.
"""

from collections.abc import AsyncIterator

from emailgency.codec.imap import responses
from emailgency.codec.imap.commands import Binary
from emailgency.codec.mime import content, sections, transfer
from emailgency.codec.mime.headers import LIMIT as HEADER_LIMIT
from emailgency.codec.mime.sections import Places
from emailgency.codec.mime.transfer import Decoder
from emailgency.servers.imap.gathering import Gathering
from emailgency.servers.imap.line import Line
from emailgency.servers.message_file import READ, MessageFile

_SMALL = 4 * READ  # encoded octets


class UnknownEncoding(Exception):
    """Nobody knows how to decode the part."""


class Decoding:
    """What one item asks of one message. Raises UnknownEncoding before anything is said."""

    def __init__(self, line: Line, message: MessageFile, places: Places, item: Binary) -> None:
        self._line = line
        self._message = message
        self._item = item
        self._kept: list[bytes] | None = None
        part = sections.find(places, item.part) if item.part else places
        self._there = part is not None
        self._start, self._end, self._encoding = 0, 0, b""
        if part is not None:
            self._start = part.body if item.part else part.header
            self._end = part.end
            if item.part and not part.parts:
                self._encoding = content.encoding(message.read(part.header, min(part.body, part.header + HEADER_LIMIT)))
        self._decoder()

    async def tell(self, out: Gathering) -> None:
        """The whole attribute."""
        if self._item.size:
            out.hold(responses.binary_size(self._item.label, (await self._measure())[0]))
            return
        if not self._there:
            out.hold(responses.section_attribute(self._item.label, None))
            return
        size, nul = await self._measure()
        out.hold(responses.section_start(self._item.label, size, binary=nul))
        async for piece in self._wanted():
            out.hold(piece)
            await out.let_out_much()

    async def _measure(self) -> tuple[int, bool]:
        """How many octets there are to send, and whether NUL is among them."""
        keep = self._end - self._start <= _SMALL
        kept: list[bytes] = []
        size, nul = 0, False
        async for piece in self._wanted():
            size += len(piece)
            nul = nul or b"\0" in piece
            if keep:
                kept.append(piece)
        self._kept = kept if keep else None
        return size, nul

    async def _wanted(self) -> AsyncIterator[bytes]:
        """The decoded octets within the partial."""
        if self._kept is not None:
            for piece in self._kept:
                yield piece
            return
        first, most = self._item.partial or (0, None)
        at = 0
        async for piece in self._decoded():
            begin, at = at, at + len(piece)
            if at > first:
                yield piece[max(0, first - begin) : None if most is None else max(0, first + most - begin)]
            if most is not None and at >= first + most:
                return

    async def _decoded(self) -> AsyncIterator[bytes]:
        decoder = self._decoder()
        at = self._start
        while at < self._end:
            octets = self._message.read(at, min(self._end, at + READ))
            if not octets:
                raise OSError("a message became shorter while it was read")
            at += len(octets)
            yield decoder.feed(octets)
            await self._line.breathe()
        yield decoder.end()

    def _decoder(self) -> Decoder:
        decoder = transfer.decoder(self._encoding)
        if decoder is None:
            raise UnknownEncoding
        return decoder
