"""COMPRESS=DEFLATE (RFC 4978): every command as without it, and no more memory or time for who would abuse it."""

import shutil
import tempfile
import time
import zlib
from base64 import encodebytes
from random import Random

from twisted.internet import ssl as twisted_ssl
from twisted.trial.unittest import TestCase

from emailgency.store.keys.certificates import Certificates, TlsSettings
from tests.support.imap import MESSAGE, PASSWORD, Client, Office
from tests.support.resident import resident


class Packed:
    """A client's line from COMPRESS on."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._out = zlib.compressobj(6, zlib.DEFLATED, -15)
        self._in = zlib.decompressobj(-15)
        assert client.buffer == b""
        client.dataReceived = self._received
        self._write = client.transport.write
        client.send = self.send
        self.packed = 0

    def _received(self, data: bytes) -> None:
        self.packed += len(data)
        self._client.buffer += self._in.decompress(data)
        self._client._wake()

    def send(self, octets: bytes) -> None:
        self._write(self._out.compress(octets) + self._out.flush(zlib.Z_SYNC_FLUSH))


async def compress(client: Client) -> Packed:
    await client.ok(b"COMPRESS DEFLATE")
    return Packed(client)


class Compress(TestCase):
    async def setUp(self) -> None:
        self.office = await Office(stalled_seconds=10, append_limit=80_000_000).start()

    async def tearDown(self) -> None:
        await self.office.stop()

    async def test_commands_and_responses_are_compressed_from_then_on(self) -> None:
        await self.office.fill(*[MESSAGE] * 300)
        client = await self.office.member(folder="INBOX")
        plain = await client.ok(b"FETCH 1:* (UID ENVELOPE BODY.PEEK[])")
        packed = await compress(client)
        assert await client.ok(b"FETCH 1:* (UID ENVELOPE BODY.PEEK[])") == plain
        assert packed.packed < sum(map(len, plain)) / 10
        assert (await client.append(b"INBOX", MESSAGE * 1000)).startswith(b"OK [APPENDUID")
        [line] = await client.ok(b"FETCH 301 BODY.PEEK[]")
        assert line.endswith(MESSAGE * 1000 + b")")

    async def test_idle_wakes_at_once(self) -> None:
        client = await self.office.member(folder="INBOX")
        await compress(client)
        client.send(b"i IDLE\r\n")
        assert (await client.line()).startswith(b"+ ")
        await self.office.fill(MESSAGE)
        assert await client.line() == b"* 1 EXISTS"
        client.send(b"DONE\r\n")
        assert (await client.answer(b"i"))[1].startswith(b"OK")

    async def test_it_is_begun_once_and_by_members_only(self) -> None:
        client = await self.office.client()
        await client.line()
        assert (await client.bad(b"COMPRESS DEFLATE")).startswith(b"BAD")
        client = await self.office.member()
        await client.bad(b"COMPRESS LZMA")
        await client.bad(b"COMPRESS")
        await compress(client)
        assert b"[COMPRESSIONACTIVE]" in await client.bad(b"COMPRESS DEFLATE")
        await client.ok(b"NOOP")

    async def test_who_goes_on_without_waiting_is_told_to_wait(self) -> None:
        client = await self.office.member()
        client.send(b"c COMPRESS DEFLATE\r\nd NOOP\r\n")
        assert (await client.answer(b"c"))[1].startswith(b"BAD")
        assert (await client.answer(b"d"))[1].startswith(b"OK")

    async def test_the_last_words_arrive(self) -> None:
        client = await self.office.member()
        await compress(client)
        client.send(b"x LOGOUT\r\n")
        assert (await client.line()).startswith(b"* BYE")
        assert (await client.line()).startswith(b"x OK")
        await client.end()

    async def test_what_is_no_deflate_stream_ends_the_conversation(self) -> None:
        for octets in (b"a NOOP\r\n" * 3, b"\xff" * 100, zlib.compress(b"a NOOP\r\n")):
            client = await self.office.member()
            packed = await compress(client)
            packed._write(octets)
            assert (await client.line()).startswith(b"* BYE")
            await client.end()
        client = await self.office.member()
        packed = await compress(client)
        packed._write(packed._out.compress(b"a NOOP\r\n") + packed._out.flush(zlib.Z_FINISH))
        await client.end()

    async def test_commands_cut_anywhere_are_the_same_commands(self) -> None:
        client = await self.office.member(folder="INBOX")
        packed = await compress(client)
        stream = packed._out.compress(b"a NOOP\r\nb APPEND INBOX {5+}\r\na: b\n\r\nc STATUS INBOX (MESSAGES)\r\n")
        stream += packed._out.flush(zlib.Z_SYNC_FLUSH)
        for octet in stream:
            packed._write(bytes((octet,)))
        assert (await client.answer(b"a"))[1].startswith(b"OK")
        assert (await client.answer(b"b"))[1].startswith(b"OK [APPENDUID")
        assert (await client.answer(b"c"))[0] == [b"* STATUS INBOX (MESSAGES 1)"]

    # ---- attacks -------------------------------------------------------------------------------------------

    async def test_attack_26_a_command_that_unpacks_to_gigabytes_is_bounded(self) -> None:
        client = await self.office.member()
        packed = await compress(client)
        before = resident()
        bomb = packed._out.compress(b"a SEARCH TEXT ")
        for _ in range(300):
            bomb += packed._out.compress(b"x" * (1 << 20))
        bomb += packed._out.flush(zlib.Z_SYNC_FLUSH)
        assert len(bomb) < 400_000
        packed._write(bomb)
        assert (await client.line()).startswith((b"a BAD", b"* BYE"))
        await client.end()
        assert resident() - before < 32 << 20

    async def test_attack_25_a_message_that_was_a_few_octets_takes_its_turn(self) -> None:
        """60 MB of APPEND out of 60 kB: streamed as if it had come plain, and others go on."""
        client, other = await self.office.member(), await self.office.member()
        packed = await compress(client)
        before = resident()
        size = 60 << 20
        stream = packed._out.compress(b"a APPEND INBOX {%d+}\r\n" % size)
        for _ in range(60):
            stream += packed._out.compress(b"y" * (1 << 20))
        stream += packed._out.compress(b"\r\n") + packed._out.flush(zlib.Z_SYNC_FLUSH)
        packed._write(stream)
        while not client.buffer:
            await other.ok(b"NOOP")
        assert (await client.answer(b"a"))[1].startswith(b"OK")
        assert resident() - before < 48 << 20

    async def test_attack_26_a_refused_literal_out_of_a_bomb_is_thrown_away_within_bounds(self) -> None:
        client = await self.office.member()
        packed = await compress(client)
        before = resident()
        size = 900 << 20
        stream = packed._out.compress(b"a APPEND Nowhere {%d+}\r\n" % size)
        for _ in range(200):
            stream += packed._out.compress(b"y" * (1 << 20))
        packed._write(stream + packed._out.flush(zlib.Z_SYNC_FLUSH))
        await client.end()
        assert b"a NO" in client.buffer
        assert resident() - before < 32 << 20

    async def test_attack_28_who_reads_nothing_is_cut_off(self) -> None:
        await self.office.fill(b"Subject: x\r\n\r\n" + encodebytes(Random(1).randbytes(1 << 20)))
        client = await self.office.member(folder="INBOX")
        packed = await compress(client)
        client.transport.pauseProducing()
        packed.send(b"".join(b"t%d FETCH 1 BODY.PEEK[]\r\n" % number for number in range(100)))
        session = next(iter(self.office.server.sessions))
        await self.office.until(lambda: session.line.blocked)
        held = resident()
        await self.office.until(lambda: session not in self.office.server.sessions, seconds=40)
        assert resident() - held < 16 << 20


class CompressUnderTls(TestCase):
    async def test_compression_is_inside_of_tls(self) -> None:
        folder = tempfile.mkdtemp(prefix="tls-")
        self.addCleanup(shutil.rmtree, folder)
        tls = Certificates(TlsSettings(), folder, ("imap.mydomain.zz",), time.time)
        office = await Office(tls=tls, clear_login=False).start()
        try:
            client = await office.client()
            await client.line()
            await client.ok(b"STARTTLS")
            client.transport.startTLS(twisted_ssl.CertificateOptions(verify=False))
            await client.ok(b"LOGIN paul " + PASSWORD.encode())
            await compress(client)
            await client.ok(b"SELECT INBOX")
            assert (await client.append(b"INBOX", MESSAGE)).startswith(b"OK")
            [line] = await client.ok(b"FETCH 1 BODY.PEEK[]")
            assert line.endswith(MESSAGE + b")")
        finally:
            await office.stop()
