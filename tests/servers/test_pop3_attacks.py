"""Attack rows 7, 25, 26, 27 and 28 against the running POP3 server."""

import random
import time

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from emailgency.servers.connections import ConnectionLimits
from tests.support.imap import MESSAGE
from tests.support.pop3 import PostOffice
from tests.support.resident import resident


class Attacks(TestCase):
    async def setUp(self) -> None:
        self.office = await PostOffice(stalled_seconds=10, bad_commands=1000).start()

    async def tearDown(self) -> None:
        await self.office.stop()

    async def test_attack_07_failed_logins_end_the_connection(self) -> None:
        client = await self.office.guest()
        client.send(b"USER paul\r\nPASS x\r\n" * 50)
        await client.end()
        assert client.buffer.count(b"[AUTH]") == 3

    async def test_attack_25_a_bomb_of_parts_and_headers_is_sent_as_it_is(self) -> None:
        bomb = b"X: y\r\n" * 100_000 + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\n" * 100_000
        await self.office.fill(bomb)
        client = await self.office.reader()
        assert len(await client.many(b"TOP 1 0")) == 100_002
        assert await client.message(b"RETR 1") == bomb

    async def test_attack_26_a_line_without_end_fills_no_memory(self) -> None:
        before = resident()
        client = await self.office.guest()
        for _ in range(200):
            client.send(b"x" * 65536)
        await client.end()
        assert client.buffer.startswith(b"-ERR")
        assert resident() - before < 32 << 20

    async def test_attack_27_no_command_holds_up_other_clients(self) -> None:
        await self.office.many(3000)
        other = await self.office.reader("mary")
        client = await self.office.reader()
        for command in (b"LIST", b"UIDL"):
            done = Deferred.fromCoroutine(client.many(command))
            times = []
            while not done.called or len(times) < 3:
                begun = time.thread_time()
                await other.ok(b"NOOP")
                times.append(time.thread_time() - begun)
            assert len(await done) == 3000
            assert sorted(times)[len(times) // 2] < 0.2

    async def test_attack_28_a_client_that_does_not_read_costs_no_memory_and_is_cut_off(self) -> None:
        office = self.office
        await office.fill(random.Random(1).randbytes(1 << 20).hex(" ", 60).encode().replace(b" ", b"\r\n") * 4)
        client = await office.reader()
        client.transport.pauseProducing()
        before = resident()
        client.send(b"RETR 1\r\n" * 1000)
        [session] = office.pop3.sessions
        await office.until(lambda: session.line.blocked)
        other = await office.reader("mary")
        for _ in range(50):
            await other.ok(b"NOOP")
        assert resident() - before < 16 << 20

        def cut_off() -> bool:
            if session.line.blocked:
                session.line.deadline = reactor.seconds()  # `stalled_seconds` have passed
            return session not in office.pop3.sessions

        await office.until(cut_off)
        await other.ok(b"NOOP")
        await office.reader()  # and the maildrop is free again

    async def test_attack_28_commands_wait_unread_while_one_runs(self) -> None:
        await self.office.fill(MESSAGE * 20_000)
        client = await self.office.reader()
        before = resident()
        client.transport.pauseProducing()
        client.send(b"RETR 1\r\n" + b"NOOP\r\n" * 200_000)
        [session] = self.office.pop3.sessions
        await self.office.until(lambda: session.line.blocked)
        assert session.line.connection.unread < 300_000
        assert resident() - before < 32 << 20
        client.transport.abortConnection()

    async def test_attack_28_slow_guests_leave_room_and_go(self) -> None:
        office = self.office
        guests = [await office.caller() for _ in range(300)]
        for guest in guests:
            guest.send(b"US")
        begun = time.perf_counter()
        client = await office.reader()
        assert time.perf_counter() - begun < 30
        for session in office.pop3.sessions:
            if session.principal is None:
                session.line.deadline = reactor.seconds()
        await office.until(lambda: all(guest.closed for guest in guests))
        await client.ok(b"NOOP")

    async def test_attack_28_when_all_places_are_taken_the_oldest_guest_goes(self) -> None:
        office = self.office
        office.pop3.connections.limits = ConnectionLimits(total=10, reserved=0, per_network=1000)
        members = [await office.reader(f"u{number}") for number in range(5)]
        guests = [await office.guest() for _ in range(5)]
        newcomer = await office.reader("mary")
        await guests[0].end()
        for client in (*members, newcomer):
            await client.ok(b"NOOP")
        assert not guests[1].closed
        office.pop3.connections.limits = ConnectionLimits(total=10, reserved=0, per_network=5)
        turned_away = await office.caller()
        assert (await turned_away.raw_line()).startswith(b"-ERR [SYS/TEMP] too many connections")
        await turned_away.end()

    async def test_attack_28_nonsense_ends_the_connection(self) -> None:
        client = await self.office.guest()
        client.send(b"GET / HTTP/1.1\r\nHost: x\r\n" + b"x y z\r\n" * 3000)
        await client.end()
        assert client.buffer.count(b"-ERR") < 1010
