"""Attack rows 25 to 28 and 30 on searching, sorting and threading."""

import os
import socket

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from emailgency.store.searching import memory
from tests.support.imap import MESSAGE, Client, Office
from tests.support.resident import resident


class FindingAttacks(TestCase):
    async def setUp(self) -> None:
        self.patch(memory, "FEW", 100)
        self.office = await Office(stalled_seconds=10, bad_commands=1000).start()
        await self.office.folders.create(self.office.path(), quiet=True)

    async def tearDown(self) -> None:
        await self.office.stop()

    def put(self, number: int, message: bytes) -> None:
        """As another program does."""
        name = f"{1700000000 + number}.m{number:06}.x,S={len(message)}:2,"
        with open(f"{self.office.disk()}/cur/{name}", "wb") as file:
            file.write(message)

    async def filled(self, count: int) -> None:
        index = self.office.server.search_index
        await self.office.until(
            lambda: any(len(known.uids) >= count and not known.filling for known in index.memory.known.values()), 120
        )

    async def turns(self, client: Client, command: bytes) -> int:
        """How often the reactor came round while a command was worked on."""
        count = 0

        def turn() -> None:
            nonlocal count, call
            count += 1
            call = reactor.callLater(0, turn)

        call = reactor.callLater(0, turn)
        client.send(b"h " + command + b"\r\n")
        _, tagged = await Deferred.fromCoroutine(client.answer(b"h"))
        call.cancel()
        assert tagged.startswith((b"OK", b"NO", b"BAD")), tagged
        return count

    # ---- 25 ------------------------------------------------------------------------------------------------

    async def test_attack_25_bombs_are_indexed_or_read_but_harm_nobody(self) -> None:
        bombs = (
            b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * 100_000,
            b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (at, at) for at in range(5000)),
            b"Subject: long\r\nX: " + b"a" * 10_000_000 + b"\r\n\r\nx\r\n",
            b"Subject: many\r\n" + b"X-A: b\r\n" * 200_000 + b"\r\nx\r\n",
            b"References: " + b"<a@b> " * 50_000 + b"\r\nSubject: " + b"[a]" * 50_000 + b"\r\n\r\nx\r\n",
            b"From: " + b"a@b.zz, " * 30_000 + b"\r\n\r\nx\r\n",
            b"Subject: " + b"=?utf-8?q?=C3=84?= " * 12_000 + b"\r\n\r\nx\r\n",
            b"Content-Type: text/html; charset=utf-7\r\nContent-Transfer-Encoding: base64\r\n\r\n" + b"=" * 500_000,
            b"",
            b"\0" * 100_000,
        )
        for number in range(110):
            self.put(number, MESSAGE)
        for number, bomb in enumerate(bombs, 110):
            self.put(number, bomb)
        client = await self.office.member(folder="INBOX")
        await self.filled(120)
        assert not any(known.refused for known in self.office.server.search_index.memory.known.values())
        assert await client.ok(b"SEARCH SUBJECT long") == [b"* SEARCH 113"]
        assert await client.ok(b"SEARCH HEADER X-A b SUBJECT many") == [b"* SEARCH 114"]
        assert len((await client.ok(b"SORT (SUBJECT FROM DATE) UTF-8 ALL"))[0].split()) == 122
        assert (await client.ok(b"THREAD REFERENCES UTF-8 ALL"))[0].startswith(b"* THREAD (")

    # ---- 26 ------------------------------------------------------------------------------------------------

    async def test_attack_26_numbers_and_literals_of_every_extension(self) -> None:
        self.put(1, MESSAGE)
        client = await self.office.member(folder="INBOX")
        before = resident()
        for command in (
            b"SEARCH RETURN (PARTIAL 1:99999999999) ALL",
            b"SEARCH RETURN (PARTIAL 4294967296:1) ALL",
            b"SEARCH RETURN (PARTIAL -0:-1) ALL",
            b"SEARCH RETURN (" + b"MIN " * 5000 + b") ALL",
            b"SORT (" + b"REVERSE DATE " * 4000 + b"DATE) UTF-8 ALL",
            b"SEARCH OLDER 99999999999",
            b"SEARCH YOUNGER 4294967296",
            b"UID FETCH 1 (UID) (PARTIAL 1:4294967296)",
            b"SEARCH SUBJECT {-1}",
            b"SEARCH SUBJECT {1e9}",
            b"SORT (SUBJECT) UTF-8 TEXT {99999999999+}",
        ):
            client.send(b"x " + command + b"\r\n")
            line = await client.line()
            assert line.startswith((b"x BAD", b"* BAD", b"* BYE")), (command[:60], line)
            if line.startswith(b"* BYE"):
                client = await self.office.member(folder="INBOX")
        assert resident() - before < 32 << 20
        client = await self.office.member(folder="INBOX")
        assert await client.ok(b"UID SEARCH RETURN (PARTIAL 4294967295:1) 1:4294967295") == [
            b'* ESEARCH (TAG "T3") UID PARTIAL (4294967295:1 1)'
        ]
        assert await client.ok(b"SEARCH YOUNGER 4294967295") == [b"* SEARCH 1"]

    # ---- 27 ------------------------------------------------------------------------------------------------

    async def test_attack_27_long_commands_come_back_to_the_reactor_often(self) -> None:
        """Each of these takes 50 ms at least, a slice 6 ms."""
        for number in range(3000):
            references = b" ".join(b"<%d@x>" % (number * 7 % 3001 + at) for at in range(30))
            self.put(
                number,
                b"Subject: Re: %d\r\nMessage-ID: <%d@x>\r\nReferences: %b\r\n\r\nx\r\n"
                % (number % 50, number, references),
            )
        client = await self.office.member(folder="INBOX")
        self.office.server.search_index.want = lambda folder: None
        for command in (
            b"SEARCH TEXT zebra",
            b"SORT (SUBJECT REVERSE FROM DATE) UTF-8 ALL",
            b"THREAD REFERENCES UTF-8 ALL",
            b"THREAD ORDEREDSUBJECT UTF-8 ALL",
        ):
            assert await self.turns(client, command) > 4, command
        del self.office.server.search_index.want
        await self.office.server.look()
        await self.filled(3000)
        assert await self.turns(client, b"THREAD REFERENCES UTF-8 ALL") > 2  # from the index

    async def test_attack_27_a_search_by_many_keys_waits_its_turn(self) -> None:
        for number in range(1000):
            self.put(number, MESSAGE)
        client = await self.office.member(folder="INBOX")
        await self.filled(1000)
        assert await self.turns(client, b"SEARCH " + b"OR TEXT zq " * 30 + b"TEXT zb") > 4  # in no text: none is spared
        assert await self.turns(client, b"SEARCH " + b"HEADER Subject v " * 900 + b"ALL") > 4

    # ---- 28 ------------------------------------------------------------------------------------------------

    async def test_attack_28_answers_wait_for_who_reads_them(self) -> None:
        for number in range(2000):
            self.put(number, b"Subject: %d\r\nMessage-ID: <%d@x>\r\n\r\nx\r\n" % (number % 500, number))
        client = await self.office.member(folder="INBOX")
        await self.filled(2000)
        await client.ok(b"SORT (SUBJECT) UTF-8 ALL")
        [session] = self.office.server.sessions
        session.line.transport.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        client.transport.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.transport.pauseProducing()
        before = resident()
        for command in (b"THREAD REFERENCES UTF-8 ALL", b"SORT (SUBJECT) UTF-8 ALL", b"SEARCH RETURN (ALL) NOT 2"):
            client.send(b"".join(b"a%d %b\r\n" % (number, command) for number in range(300)))
        await self.office.until(lambda: session.line.blocked, 60)
        other = await self.office.member("mary")
        for _ in range(20):
            await other.ok(b"NOOP")
        assert resident() - before < 32 << 20
        client.transport.abortConnection()

    # ---- 30 ------------------------------------------------------------------------------------------------

    async def test_attack_30_a_link_in_the_folder_is_not_followed(self) -> None:
        outside = os.path.join(self.office.root, "secret")
        with open(outside, "wb") as file:
            file.write(b"Subject: secret\r\n\r\nthe secret word\r\n")
        for number in range(120):
            self.put(number, MESSAGE)
        os.symlink(outside, f"{self.office.disk()}/cur/1700001000.link.x,S=30:2,")
        client = await self.office.member(folder="INBOX")
        await self.filled(120)
        for command in (b"SEARCH BODY secret", b"SEARCH SUBJECT secret", b"SEARCH TEXT secret"):
            client.send(b"q " + command + b"\r\n")
            assert b"121" not in b"".join((await client.answer(b"q"))[0]), command
