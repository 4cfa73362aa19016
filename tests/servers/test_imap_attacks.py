"""Attack rows 26, 27, 28 and 30 against the running IMAP server."""

import gc
import os
import random
import time

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from emailgency.codec.imap import mutf7
from emailgency.servers.connections import ConnectionLimits
from tests.support.imap import Client, Office
from tests.support.resident import resident


class Attacks(TestCase):
    async def setUp(self) -> None:
        self.office = await Office(stalled_seconds=10, bad_commands=1000).start()

    async def tearDown(self) -> None:
        await self.office.stop()

    # ---- 26 ------------------------------------------------------------------------------------------------

    async def test_attack_26_literals_before_the_login(self) -> None:
        before = resident()
        for size in (b"-1", b"1e12", b"4294967296", b"99999999999999999999", b"257", b"257+", b"5-", b"+5", b""):
            client = await self.office.client()
            await client.line()
            client.send(b"a LOGIN {%b}\r\n" % size)
            line = await client.line()
            assert line.startswith((b"a BAD", b"* BAD", b"* BYE")), (size, line)
        assert resident() - before < 8 << 20

    async def test_attack_26_a_guest_cannot_fill_the_memory(self) -> None:
        before = resident()
        client = await self.office.client()
        await client.line()
        for _ in range(200):
            client.send(b"x" * 65536)
        while not client.closed:
            await client.more()
        assert b"BAD" in client.buffer or b"BYE" in client.buffer
        assert resident() - before < 32 << 20

    async def test_attack_26_append_is_refused_before_it_is_sent(self) -> None:
        client = await self.office.member()
        for size in (b"53687091200", b"20971521", b"99999999999999999999"):
            line = (await client.command(b"APPEND INBOX {%b}" % size))[1]
            assert line.startswith((b"NO", b"BAD")), (size, line)
        for size in (b"-5", b"1e3", b"0x10"):
            assert (await client.bad(b"APPEND INBOX {%b}" % size)).startswith(b"BAD")
        client.send(b"z APPEND INBOX {53687091200+}\r\n")
        assert (await client.line()).startswith((b"* BYE", b"z NO", b"z BAD"))

    # ---- 27 ------------------------------------------------------------------------------------------------

    async def hostile(self, command: bytes, least: int = 3) -> None:
        """Another client's NOOP stays quick while `command` runs: it waits for little work of the reactor's thread."""
        other = await self.office.member("mary")
        client = await self.office.member(folder="INBOX")
        times: list[float] = []
        gc.freeze()  # what other tests left behind is not searched through during this one
        self.addCleanup(gc.unfreeze)
        client.send(b"h " + command + b"\r\n")
        done = Deferred.fromCoroutine(client.answer(b"h"))
        while not done.called or len(times) < least:
            begun = time.thread_time()
            await other.ok(b"NOOP")
            times.append(time.thread_time() - begun)
        _, tagged = await done
        assert tagged.startswith((b"OK", b"NO", b"BAD")), tagged
        times.sort()
        assert times[int(len(times) * 0.99)] < 0.2, (command[:80], times[-5:])
        client.transport.abortConnection()
        other.transport.abortConnection()

    async def test_attack_27_no_command_holds_up_other_clients(self) -> None:
        await self.office.many(3000)
        depth = 30
        ids = b",".join(b"%d" % number for number in range(1, 6000, 2))
        for command in (
            b"FETCH 1:4294967295 (FLAGS UID)",
            b"UID FETCH 1:4294967295,1:*,*:1,5:4294967294 (FLAGS)",
            b"UID FETCH " + ids + b" (FLAGS)",
            b"FETCH 1:* (ENVELOPE BODYSTRUCTURE INTERNALDATE RFC822.SIZE)",
            b"FETCH 1:* (BODY.PEEK[" + b".".join([b"1"] * 500) + b"])",
            b"FETCH 1:* (BODY.PEEK[])",
            b'LIST "" "' + b"*a" * 2000 + b'"',
            b'LIST "" "' + b"%" * 10000 + b'"',
            b"SEARCH " + b"NOT " * depth + b"TEXT zebra",
            b"SEARCH " + b"OR TEXT a " * depth + b"TEXT b",
            b"SEARCH " + b"(" * 5000 + b"ALL" + b")" * 5000,
            b"SEARCH " + b"NOT FLAGGED " * 4000,
            b"SEARCH " + b" ".join([b"1:*"] * 5000),
            b'SEARCH HEADER Subject "' + b"a" * 20000 + b'"',
            b"STORE 1:* +FLAGS (\\Flagged)",
            b"COPY 1:* Archive",
        ):
            await self.hostile(command)

    # ---- 28 ------------------------------------------------------------------------------------------------

    async def test_attack_28_a_client_that_does_not_read_costs_no_memory_and_is_cut_off(self) -> None:
        office = self.office
        await office.fill(random.Random(1).randbytes(1 << 20).hex(" ", 60).encode().replace(b" ", b"\r\n") * 4)
        client = await office.member(folder="INBOX")
        client.transport.pauseProducing()
        before = resident()
        client.send(b"".join(b"a%d FETCH 1 BODY.PEEK[]\r\n" % number for number in range(1000)))
        [session] = office.server.sessions
        await office.until(lambda: session.line.blocked)
        other = await office.member("mary")
        for _ in range(50):
            await other.ok(b"NOOP")
        assert resident() - before < 16 << 20

        def cut_off() -> bool:
            if session.line.blocked:
                session.line.deadline = reactor.seconds()  # `stalled_seconds` have passed
            return session not in office.server.sessions

        await office.until(cut_off)
        await other.ok(b"NOOP")

    async def test_attack_28_commands_wait_unread_while_one_runs(self) -> None:
        await self.office.many(1000)
        client = await self.office.member(folder="INBOX")
        before = resident()
        client.send(b"a SEARCH TEXT nothing\r\n" + b"b NOOP\r\n" * 200_000)
        await client.answer(b"a")
        [session] = self.office.server.sessions
        assert session.line.connection.unread < 300_000
        assert resident() - before < 32 << 20

    async def test_attack_28_slow_guests_leave_room_and_go(self) -> None:
        office = self.office
        guests = [await office.client() for _ in range(300)]
        for guest in guests:
            guest.send(b"a LO")
        begun = time.thread_time()
        client = await office.member(folder="INBOX")
        assert time.thread_time() - begun < 1
        for session in office.server.sessions:
            if session.principal is None:
                session.line.deadline = reactor.seconds()
        await office.until(lambda: all(guest.closed for guest in guests))
        await client.ok(b"NOOP")

    async def test_attack_28_when_all_places_are_taken_the_oldest_guest_goes(self) -> None:
        office = self.office
        office.server.connections.limits = ConnectionLimits(total=20, reserved=0, per_network=1000)
        members = [await office.member() for _ in range(5)]
        guests = [await office.client() for _ in range(15)]
        newcomer = await office.member("mary")
        await guests[0].end()
        for client in (*members, newcomer):
            await client.ok(b"NOOP")
        assert not guests[1].closed

    async def test_attack_28_nonsense_ends_the_connection(self) -> None:
        client = await self.office.client()
        client.send(b"GET / HTTP/1.1\r\nHost: x\r\n" + b"x y z\r\n" * 3000)
        await client.end()
        assert client.buffer.count(b"BAD") < 1010

    # ---- 30 ------------------------------------------------------------------------------------------------

    async def test_attack_30_hostile_folder_names_never_leave_the_mailbox(self) -> None:
        client = await self.office.member()
        outside = self.outside()
        for name in hostile_names():
            for command in (b"CREATE", b"SUBSCRIBE", b"SELECT", b"DELETE", b"UNSUBSCRIBE"):
                await self.say(client, command + b" ", name)
            await self.say(client, b"CREATE ", name)
            await self.say(client, b"RENAME Archive ", name)
            await self.say(client, b"COPY 1 ", name)
            await self.say(client, b"STATUS ", name, b" (MESSAGES)")
        assert self.outside() == outside
        below = self.office.disk()
        for path, folders, files in os.walk(below):
            assert path.count("/") - below.count("/") <= 2, path
            for one in (*folders, *files):
                assert one.isprintable(), one
        listed = await client.ok(b'LIST "" *')
        assert len(listed) > 5
        for line in listed:
            name = line.rpartition(b'"/" ')[2]
            if b"Noselect" not in line:
                await client.ok(b"STATUS " + name + b" (MESSAGES)")

    def outside(self) -> list[str]:
        """All that is not paul's mailbox, but what the storer always has."""
        found = []
        for path, folders, files in os.walk(self.office.root):
            if path == self.office.disk():
                folders.clear()
                continue
            if not path.startswith(os.path.join(self.office.root, "spool")):
                found += [os.path.join(path, name) for name in (*folders, *files)]
        return sorted(found)

    @staticmethod
    async def say(client: Client, before: bytes, name: bytes, behind: bytes = b"") -> None:
        """The name as a literal, which takes any octet but NUL."""
        if b"\0" in name or len(name) > 60_000:
            return
        _, tagged = await client.command(before + b"{%d+}\r\n%b%b" % (len(name), name, behind))
        assert tagged.startswith((b"OK", b"NO", b"BAD")), tagged


def hostile_names() -> list[bytes]:
    """Two hundred of them."""
    names = [
        b"..", b".", b"/", b"//", b"../../x", b"/etc/passwd", b"a/../../b", b"a/./b", b"./a", b"a//b", b"a/", b".a",
        b"..a", b"cur", b"new", b"tmp", b"uids", b"subscriptions", b"dovecot-keywords", b".Sent", b"INBOX/..",
        b"INBOX.x", b"inbox/../y", b"a\\b", b"a\nb", b"a\rb", b"\x7f", b"\x01", b"&AAA-", b"&AC8-", b"&AC4ALg-",
        b"&AC4ALgAvAC4ALgAv-x", b"&", b"&-", b"&&", b"&Jjo-", b"%", b"*", b"a%b*c", b'"', b"'", b"`id`", b"$(id)",
        b";ls", b"|ls", b"-rf", b"--", b"~", b"~root", b"NIL", b"a" * 255, b"a" * 256, b"a" * 5000,
        b"/".join([b"a"] * 300), b"\xff\xfe",
        "ü".encode(), mutf7.encode("ü" * 100), mutf7.encode("😀"), mutf7.encode("\u202e"), b" ", b"  a ",
        b"", b"summaries.sqlite", b"../catchall", b"../../../spool/x", b"a:2,S", b"a,U=1", b"CON", b"a\tb",
    ]  # fmt: skip
    chance = random.Random(30)
    pieces = [b"..", b"/", b".", b"a", b"&AC8-", b"&", b"-", b"\\", b"INBOX", b"cur", b" ", b"\x80", b"%", b"~"]
    while len(names) < 200:
        names.append(b"".join(chance.choice(pieces) for _ in range(chance.randint(1, 12))))
    return names
