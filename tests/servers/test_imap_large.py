"""Large messages: streamed in and out, parts and ranges of them, searching them; octets stay exactly as they are."""

import random
from base64 import encodebytes

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from emailgency.store.storing.line import Storer, StorerSettings
from tests.support.imap import Client, Office


def letter(octets: int) -> tuple[bytes, bytes, bytes]:
    """A message with a text and an attachment of about `octets`; the whole, the text, the attachment as encoded."""
    attachment = encodebytes(random.Random(octets).randbytes(octets * 3 // 4)).replace(b"\n", b"\r\n")
    text = b"See the attachment \xc3\xbc.\r\n.\r\n..\r\nFrom here\r\n"
    whole = (
        b"From: a@other.zz\r\nTo: paul@mydomain.zz\r\nSubject: large\r\nX-Long: "
        + b"x" * 900
        + b"\r\nMIME-Version: 1.0\r\n"
        b'Content-Type: multipart/mixed; boundary="b"\r\n\r\npreamble\r\n'
        b"--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
        + text
        + b"\r\n--b\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        + attachment
        + b"\r\n--b\r\nContent-Type: text/plain\r\n\r\nthe needle is at the end\r\n--b--\r\n"
    )
    return whole, text, attachment


class Large(TestCase):
    async def setUp(self) -> None:
        self.office = await Office().start()

    async def tearDown(self) -> None:
        await self.office.stop()

    async def section(self, client: Client, words: bytes) -> bytes:
        """The octets of the only section of the only message."""
        line, *_ = await client.ok(b"FETCH 1 " + words)
        head, _, rest = line.partition(b"}\r\n")
        size = int(head.rpartition(b"{")[2])
        assert rest[size:] == b")", rest[size:]
        return rest[:size]

    async def test_every_octet_of_append_comes_back(self) -> None:
        for size in (100, 65_000, 70_000, 1_500_000, 12_000_000):
            whole, text, attachment = letter(size)
            client = await self.office.member()
            await client.ok(b"CREATE S%d" % size)
            assert (await client.append(b"S%d" % size, whole)).startswith(b"OK [APPENDUID")
            await client.ok(b"SELECT S%d" % size)
            assert await self.section(client, b"BODY.PEEK[]") == whole
            assert await self.section(client, b"RFC822") == whole
            assert await self.section(client, b"BODY.PEEK[1]") == text
            assert await self.section(client, b"BODY.PEEK[2]") == attachment
            header, body = whole.split(b"\r\n\r\n", 1)
            assert await self.section(client, b"BODY.PEEK[HEADER]") == header + b"\r\n\r\n"
            assert await self.section(client, b"BODY.PEEK[TEXT]") == body
            assert await self.section(client, b"BODY.PEEK[]<50.70000>") == whole[50:70050]
            assert await self.section(client, b"BODY.PEEK[2]<60000.10000>") == attachment[60000:70000]
            assert await self.section(client, b"BODY.PEEK[]<99999999.10>") == b""
            assert (await client.ok(b"SEARCH BODY needle TEXT large")) == [b"* SEARCH 1"]
            assert (await client.ok(b'SEARCH BODY "no such words"')) == [b"* SEARCH"]
            [line] = await client.ok(b"FETCH 1 (RFC822.SIZE BODYSTRUCTURE)")
            assert b"RFC822.SIZE %d " % len(whole) in line
            assert b'"base64" %d ' % len(attachment) in line

    async def test_a_header_larger_than_one_read(self) -> None:
        header = (
            b"Subject: long\r\n"
            + b"".join(b"X-%d: %b\r\n" % (n, b"y" * 70) for n in range(2000))
            + b"To: a@b.zz\r\n\r\n"
        )
        client = await self.office.member()
        await client.append(b"INBOX", header + b"body\r\n")
        await client.ok(b"SELECT INBOX")
        assert await self.section(client, b"BODY.PEEK[HEADER]") == header
        assert await self.section(client, b"BODY.PEEK[TEXT]") == b"body\r\n"
        assert await self.section(client, b"BODY.PEEK[HEADER.FIELDS (To)]") == b"To: a@b.zz\r\n\r\n"
        assert await client.ok(b"SEARCH TO a@b") == [b"* SEARCH 1"]

    async def test_octets_that_are_no_text_are_kept(self) -> None:
        message = b"Subject: x\r\n\r\n" + bytes(range(256)) * 10 + b"\n\r\r\nend without a line end"
        client = await self.office.member()
        await client.append(b"INBOX", message)
        await client.ok(b"SELECT INBOX")
        assert await self.section(client, b"BODY.PEEK[]") == message

    async def test_an_upload_waits_for_a_storer_that_is_behind(self) -> None:
        await self.office.close_port()
        await self.office.storer.stop()
        storer = Storer(reactor, self.office.root, StorerSettings(high_water=65536))
        busy: list[bool] = []
        storer.on_busy.append(busy.append)
        await storer.start()
        self.office.storer = self.office.folders._storer = storer
        self.office.listen()
        whole = letter(8_000_000)[0]
        client = await self.office.member()
        assert (await client.append(b"INBOX", whole)).startswith(b"OK [APPENDUID")
        assert True in busy
        assert busy[-1] is False
        await client.ok(b"SELECT INBOX")
        assert await self.section(client, b"BODY.PEEK[]") == whole
