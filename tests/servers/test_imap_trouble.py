"""The storer dies under IMAP's hands: clients get NO, nothing that was answered OK is lost or doubled."""

import os
import re
import signal

from twisted.trial.unittest import TestCase

from tests.support.imap import MESSAGE, Client, Office, all_of

_APPENDED = re.compile(rb"OK \[APPENDUID \d+ (\d+)\]")


class Trouble(TestCase):
    async def setUp(self) -> None:
        self.office = await Office().start()

    async def tearDown(self) -> None:
        await self.office.stop()

    def kill(self) -> None:
        process = self.office.storer._process
        if process is not None:
            os.kill(process.pid, signal.SIGKILL)

    async def answered(self, client: Client, command: bytes) -> list[bytes]:
        """As soon as there is a storer again."""
        while True:
            untagged, tagged = await client.command(command)
            if tagged.startswith(b"OK"):
                return untagged
            assert b"[UNAVAILABLE]" in tagged, tagged

    async def test_an_ok_of_append_is_kept_and_a_no_brings_nothing_twice(self) -> None:
        clients = [await self.office.member() for _ in range(4)]
        promised: dict[int, bytes] = {}

        async def work(client: Client, who: int, round: int) -> None:
            for number in range(8):
                message = MESSAGE + b"%d-%d-%d\r\n" % (round, who, number)
                match = _APPENDED.match(await client.append(b"INBOX", message))
                if match:
                    assert int(match[1]) not in promised
                    promised[int(match[1])] = message
                if who == 0 and number == 3:
                    self.kill()

        for round in range(3):
            await all_of(*(work(client, who, round) for who, client in enumerate(clients)))
            await self.answered(clients[0], b"SELECT INBOX")
        assert len(promised) > 30
        bodies = await self.answered(clients[0], b"UID FETCH 1:* (UID BODY.PEEK[])")
        found: dict[int, bytes] = {}
        for line in bodies:
            uid = re.search(rb"UID (\d+) ", line)
            assert uid
            found[int(uid[1])] = line.partition(b"}\r\n")[2][:-1]
        assert {uid: found.get(uid) for uid in promised} == promised
        assert len(set(found.values())) == len(found)

    async def test_moves_are_whole_or_not_at_all(self) -> None:
        messages = [MESSAGE + b"%d\r\n" % number for number in range(60)]
        await self.office.fill(*messages)
        client = await self.office.member(folder="INBOX")
        for low in range(1, 60, 10):
            client.send(b"m UID MOVE %d:%d Archive\r\n" % (low, low + 9))
            self.kill()
            await client.answer(b"m")
            await self.answered(client, b"NOOP")
            await self.answered(client, b"CHECK")
        everything = []
        for folder in (b"INBOX", b"Archive"):
            await self.answered(client, b"SELECT " + folder)
            bodies = await self.answered(client, b"UID FETCH 1:* (BODY.PEEK[])")
            everything += [line.partition(b"}\r\n")[2][:-1] for line in bodies]
        assert sorted(everything) == sorted(messages)

    async def test_a_command_meanwhile_is_answered_no(self) -> None:
        await self.office.fill(MESSAGE)
        client = await self.office.member(folder="INBOX")
        await self.office.storer.stop()
        assert b"[UNAVAILABLE]" in await client.no(b"COPY 1 Archive")
        assert b"[UNAVAILABLE]" in await client.no(b"STORE 1 +FLAGS (\\Flagged)")
        assert b"[UNAVAILABLE]" in await client.append(b"INBOX", MESSAGE)
        await client.ok(b"NOOP")
        [_, *_] = await client.ok(b"FETCH 1 (FLAGS BODY[])")
        await self.office.storer.start()
        await client.ok(b"STORE 1 +FLAGS (\\Flagged)")
