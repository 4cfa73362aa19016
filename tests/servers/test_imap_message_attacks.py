"""Attack rows 25 to 28 and 30 on what takes and gives messages: APPEND of several, REPLACE, BINARY, PREVIEW, UTF8."""

import gc
import os
import time
from base64 import encodebytes
from random import Random

from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from tests.support.imap import MESSAGE, Client, Office, all_of
from tests.support.resident import resident


def attachment(octets: int, encoding: str = "base64") -> bytes:
    """A message whose second part has so many octets, and those octets encoded."""
    body = encodebytes(Random(1).randbytes(octets)).replace(b"\n", b"\r\n")
    if encoding != "base64":
        body = b"=C3=BC=\r\n" * (octets // 2)
    return (
        b"Subject: x\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\ntext\r\n--b\r\n"
        b"Content-Transfer-Encoding: " + encoding.encode() + b"\r\n\r\n" + body + b"\r\n--b--\r\n"
    )


class MessageAttacks(TestCase):
    async def setUp(self) -> None:
        self.office = await Office(stalled_seconds=10, bad_commands=1000, append_messages=200).start()

    async def tearDown(self) -> None:
        await self.office.stop()

    def spool(self) -> list[str]:
        """Message files that nobody has put into a folder yet."""
        return [name for _, _, names in os.walk(f"{self.office.root}/spool") for name in names if ".msg" in name]

    async def longest_step(self, command: bytes, client: Client, seconds: float = 0.2) -> list[bytes]:
        """Run a command; the reactor must not be held for long by its own work."""
        steps: list[float] = []
        going = True

        async def watch() -> None:
            while going:
                begun = time.thread_time()
                await deferLater(reactor, 0, lambda: None)
                steps.append(time.thread_time() - begun)

        async def run() -> list[bytes]:
            nonlocal going
            try:
                return await client.ok(command)
            finally:
                going = False

        answer, _ = await all_of(run(), watch())
        assert max(steps) < seconds, max(steps)
        found: list[bytes] = answer
        return found

    # ---- 25 ------------------------------------------------------------------------------------------------

    async def test_attack_25_a_large_part_is_decoded_in_small_steps_and_little_memory(self) -> None:
        for encoding in ("base64", "quoted-printable"):
            await self.office.fill(attachment(20_000_000, encoding))
        client = await self.office.member(folder="INBOX")
        before = resident()
        [size] = await self.longest_step(b"FETCH 1 BINARY.SIZE[2]", client)
        assert size == b"* 1 FETCH (BINARY.SIZE[2] 20000000)"
        assert (await self.longest_step(b"FETCH 2 BINARY.SIZE[2]", client))[0].endswith(b" 20000000)")
        [line] = await self.longest_step(b"FETCH 1 BINARY.PEEK[2]<19999000.2000>", client)
        assert line.endswith(Random(1).randbytes(20_000_000)[19_999_000:] + b")")
        assert resident() - before < 48 << 20  # 20 MB of them are this test's own

    async def test_attack_25_previews_of_hostile_messages(self) -> None:
        head = b"Subject: x\r\nContent-Type: text/html\r\n\r\n"
        deep = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(5000))
        many = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\n\r\n" * 100_000
        await self.office.fill(
            head + b"<" * 1_000_000,
            head + b"<!--" * 500_000,
            head + b"<style>" * 300_000,
            deep,
            many,
            b"Content-Type: image/png\r\n\r\n" + b"A" * 3_000_000,
            b"X: " + b"y" * 5_000_000,
        )
        client = await self.office.member(folder="INBOX")
        assert len(await self.longest_step(b"FETCH 1:* PREVIEW", client)) == 7

    # ---- 26 ------------------------------------------------------------------------------------------------

    async def test_attack_26_sizes_of_later_messages_are_looked_at_too(self) -> None:
        before = resident()
        for size in (b"-1", b"1e12", b"4294967296", b"99999999999999999999", b"5+x", b"+5", b""):
            client = await self.office.member()
            client.send(b"a APPEND INBOX {6+}\r\na: b\r\n {%b}\r\n" % size)
            assert (await client.line()).startswith((b"a BAD", b"a NO", b"* BYE")), size
            client.send(b"b REPLACE 1 INBOX {%b}\r\n" % size)
            assert (await client.line()).startswith((b"b BAD", b"b NO", b"* BYE")), size
        assert resident() - before < 8 << 20

    async def test_attack_26_thousands_of_messages_in_one_command_take_no_memory(self) -> None:
        client = await self.office.member()
        before = resident()
        client.send(b"a APPEND INBOX")
        for _ in range(199):
            client.send(b" {200000+}\r\n" + b"x" * 200_000)
        client.send(b" {50000000000}\r\n")
        assert (await client.answer(b"a"))[1].startswith(b"NO [TOOBIG]")
        assert resident() - before < 24 << 20
        await client.ok(b"SELECT INBOX")
        assert await client.ok(b"SEARCH ALL") == [b"* SEARCH"]
        await self.office.until(lambda: not self.spool())

    async def test_attack_26_an_endless_line_behind_a_message_is_given_up(self) -> None:
        client = await self.office.member()
        client.send(b"a APPEND INBOX {6+}\r\na: b\r\n " + b"(" * 200_000 + b"\r\n")
        assert (await client.answer(b"a"))[1].startswith(b"BAD")
        await client.ok(b"NOOP")

    # ---- 27 ------------------------------------------------------------------------------------------------

    async def test_attack_27_many_partials_of_one_large_part_leave_others_their_turn(self) -> None:
        await self.office.fill(attachment(4_000_000))
        client, other = await self.office.member(folder="INBOX"), await self.office.member()
        items = b" ".join(b"BINARY.PEEK[2]<%d.1>" % (3_990_000 + number) for number in range(30))
        client.send(b"a FETCH 1 (" + items + b")\r\n")
        worst = 0.0
        gc.freeze()  # what other tests left behind is not searched through during this one
        self.addCleanup(gc.unfreeze)
        while b"\r\na " not in client.buffer:
            begun = time.thread_time()
            await other.ok(b"NOOP")
            worst = max(worst, time.thread_time() - begun)
        assert worst < 0.2
        assert client.buffer.count(b"BINARY[2]<") == 30

    async def test_attack_27_part_numbers_without_end(self) -> None:
        await self.office.fill(MESSAGE)
        client = await self.office.member(folder="INBOX")
        await client.bad(b"FETCH 1 BINARY[" + b"1." * 5000 + b"1]")
        assert (await client.ok(b"FETCH 1 BINARY.PEEK[999999999.1]")) == [b"* 1 FETCH (BINARY[999999999.1] NIL)"]
        await client.bad(b"FETCH 1:4294967295 (BINARY.SIZE[1] PREVIEW)")
        assert len(await client.ok(b"UID FETCH 1:4294967295 (BINARY.SIZE[1] PREVIEW)")) == 1

    # ---- 28 ------------------------------------------------------------------------------------------------

    async def test_a_part_that_cannot_be_decoded_keeps_no_other_message_back(self) -> None:
        strange = MESSAGE.replace(b"Subject:", b"Content-Transfer-Encoding: x-strange\r\nSubject:")
        await self.office.fill(strange, *[MESSAGE] * 120)
        client = await self.office.member(folder="INBOX")
        untagged, tagged = await client.command(b"FETCH 1:* BINARY.PEEK[1]")
        assert tagged.startswith(b"NO [UNKNOWN-CTE]")
        assert len(untagged) == 120

    async def test_attack_28_who_reads_no_binary_is_cut_off(self) -> None:
        await self.office.fill(attachment(3_000_000))
        client = await self.office.member(folder="INBOX")
        client.transport.pauseProducing()
        client.send(b"".join(b"t%d FETCH 1 BINARY.PEEK[2]\r\n" % number for number in range(50)))
        session = next(iter(self.office.server.sessions))
        await self.office.until(lambda: session.line.blocked)
        before = resident()
        await self.office.until(lambda: session not in self.office.server.sessions, seconds=40)
        assert resident() - before < 16 << 20

    async def test_attack_28_who_stops_in_the_middle_of_several_messages_leaves_none(self) -> None:
        client = await self.office.member()
        client.send(b"a APPEND INBOX {300000+}\r\n" + b"x" * 300_000 + b" {300000+}\r\n" + b"x" * 1000)
        session = next(iter(self.office.server.sessions))
        await self.office.until(lambda: session not in self.office.server.sessions, seconds=40)
        other = await self.office.member(folder="INBOX")
        assert await other.ok(b"SEARCH ALL") == [b"* SEARCH"]
        await self.office.until(lambda: not self.spool())

    # ---- 30 ------------------------------------------------------------------------------------------------

    async def test_attack_30_names_in_utf8_lead_nowhere_else(self) -> None:
        client = await self.office.member()
        await client.ok(b"ENABLE UTF8=ACCEPT")
        outside = sorted(os.listdir(os.path.dirname(self.office.disk())))
        names = (
            "../x",
            "..",
            ".",
            "a/../../b",
            "\u2024\u2024/x",
            "\uff0e\uff0e/\uff0fetc",
            "a\u202eb",
            "ä" * 300,
            "~root",
            "&AC8-",
            "a\\b",
        )
        for name in names:
            quoted = '"' + name.replace("\\", "\\\\") + '"'
            await client.command(b"CREATE " + quoted.encode())
            await client.command(f"APPEND {quoted} {{6+}}\r\na: b\r\n".encode())
            await client.command(b"STATUS " + quoted.encode() + b" (MESSAGES)")
        assert sorted(os.listdir(os.path.dirname(self.office.disk()))) == outside
        assert all(line.startswith(b"* LIST") for line in await client.ok(b'LIST "" *'))


class EveryOctet(TestCase):
    """What is stored is what was sent, and what is given is what is stored."""

    async def test_hostile_octets_are_stored_and_given_as_they_are(self) -> None:
        office = await Office(eight_bit_headers=True).start()
        try:
            client = await office.member(folder="INBOX")
            messages = [
                b"\r\n\r\n\r\n",
                b"\n\n\r\r\n\r",
                b"Subject: a\nbare\rboth\r\n\r\nx\r",
                b"\0",
                b"a: \0\r\n\r\n\0\0\xff\xfe\x80",
                bytes(range(256)),
                b".\r\n..\r\n.",
                b"From x\r\n>From y",
                b"Subject: gr\xc3\xbc\xc3\x9fe \xfc\r\n\r\n\xe4",
                b"x" * 100_000,
                b"{5}\r\nabcde) (",
                b"\xef\xbb\xbfSubject: bom\r\n\r\n",
            ]
            for message in messages:
                client.send(b"s APPEND INBOX {%d}\r\n" % len(message))
                while not (await client.line()).startswith(b"+ "):
                    pass
                client.send(message + b"\r\n")
                assert (await client.answer(b"s"))[1].startswith(b"OK")
            client.send(b"m APPEND INBOX" + b"".join(b" ~{%d+}\r\n%b" % (len(one), one) for one in messages) + b"\r\n")
            assert (await client.answer(b"m"))[1].startswith(b"OK")
            await client.ok(b"COPY 1:* INBOX")
            for number, message in enumerate(messages * 4, 1):
                [line] = await client.ok(b"FETCH %d (RFC822.SIZE BODY.PEEK[])" % number)
                assert line.endswith(b"RFC822.SIZE %d BODY[] {%d}\r\n%b)" % (len(message), len(message), message))
                [line] = await client.ok(b"FETCH %d BINARY.PEEK[]" % number)
                tilde = b"~" if b"\0" in message else b""
                assert line.endswith(b"BINARY[] %b{%d}\r\n%b)" % (tilde, len(message), message))
        finally:
            await office.stop()
