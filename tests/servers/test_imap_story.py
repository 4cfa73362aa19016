"""Several clients at once on one folder, and mail arriving: each of them is told one consistent story.

Every client keeps what it must believe by RFC 3501 alone: a list of messages that EXPUNGE shortens and EXISTS
lengthens, with the UIDs it was told. Nothing it hears later may contradict that.
"""

import random
import re

from twisted.trial.unittest import TestCase

from tests.support.imap import MESSAGE, Client, Office, all_of

_EXPUNGE = re.compile(rb"\* (\d+) EXPUNGE")
_EXISTS = re.compile(rb"\* (\d+) EXISTS")
_FETCH = re.compile(rb"\* (\d+) FETCH \((?:UID (\d+) )?FLAGS \(([^)]*)\)\)")
_NO_EXPUNGE = (b"FETCH", b"STORE", b"SEARCH")


class Believer:
    """One client and its list: UID or None where it has not asked yet."""

    def __init__(self, client: Client, chance: random.Random) -> None:
        self.client = client
        self.chance = chance
        self.believed: list[int | None] = []
        self.flags: dict[int, set[bytes]] = {}

    async def begin(self) -> None:
        self.hear(b"SELECT", await self.client.ok(b"SELECT INBOX"))

    def hear(self, command: bytes, told: list[bytes]) -> None:
        for line in told:
            if match := _EXPUNGE.fullmatch(line):
                assert not command.startswith(_NO_EXPUNGE), (command, line)
                number = int(match[1])
                assert 1 <= number <= len(self.believed), (command, line, len(self.believed))
                self.flags.pop(self.believed.pop(number - 1) or 0, None)
            elif match := _EXISTS.fullmatch(line):
                count = int(match[1])
                assert count >= len(self.believed), (command, line, len(self.believed))
                self.believed += [None] * (count - len(self.believed))
            elif match := _FETCH.fullmatch(line):
                self.hear_fetch(int(match[1]), match[2], match[3])
        known = [uid for uid in self.believed if uid is not None]
        assert known == sorted(set(known)), (command, self.believed)

    def hear_fetch(self, number: int, uid: bytes | None, flags: bytes) -> None:
        assert 1 <= number <= len(self.believed)
        believed = self.believed[number - 1]
        if uid is not None:
            assert believed in (None, int(uid)), (number, uid, believed)
            self.believed[number - 1] = believed = int(uid)
        if believed is not None:
            self.flags[believed] = set(flags.split()) - {b"\\Recent"}

    async def do(self, command: bytes) -> bytes:
        if b".SILENT" in command:
            self.flags.clear()  # what they are now is not told to us
        told, tagged = await self.client.command(command)
        self.hear(command, told)
        assert tagged.startswith((b"OK", b"NO [EXPUNGEISSUED]")), (command, tagged)
        return tagged

    def some(self) -> bytes:
        count = len(self.believed)
        low, high = sorted((self.chance.randint(1, count), self.chance.randint(1, count)))
        return b"%d:%d" % (low, min(high, low + 3))

    async def act(self) -> None:
        if not self.believed:
            await self.do(b"NOOP")
            return
        some = self.some()
        await self.do(
            self.chance.choice(
                [
                    b"NOOP",
                    b"CHECK",
                    b"FETCH 1:* (UID FLAGS)",
                    b"UID FETCH 1:* (UID FLAGS)",
                    b"FETCH %b (UID FLAGS)" % some,
                    b"FETCH %b (BODY.PEEK[TEXT])" % some,
                    b"SEARCH NOT DELETED",
                    b"UID SEARCH SEEN",
                    b"STORE %b +FLAGS (\\Seen)" % some,
                    b"STORE %b -FLAGS.SILENT (\\Seen $Work)" % some,
                    b"STORE %b +FLAGS.SILENT (\\Deleted)" % some,
                    b"UID STORE 1:20 +FLAGS ($Work)",
                    b"EXPUNGE",
                    b"UID EXPUNGE 1:30",
                    b"COPY %b INBOX" % some,
                    b"MOVE %b Archive" % some,
                    b"COPY %b Archive" % some,
                ]
            )
        )


class OneStory(TestCase):
    async def setUp(self) -> None:
        self.office = await Office().start()

    async def tearDown(self) -> None:
        await self.office.stop()

    async def tell(self, seed: int, rounds: int) -> None:
        chance = random.Random(seed)
        await self.office.fill(*[MESSAGE] * 15)
        believers = [Believer(await self.office.member(), random.Random(chance.random())) for _ in range(4)]
        for believer in believers:
            await believer.begin()
        for _ in range(rounds):
            work = [believer.act() for believer in believers]
            if chance.random() < 0.4:
                work.append(self.office.fill(MESSAGE))
            await all_of(*work)
        truth = None
        for believer in believers:
            await believer.do(b"NOOP")
            remembered = dict(believer.flags)
            await believer.do(b"FETCH 1:* (UID FLAGS)" if believer.believed else b"NOOP")
            for uid, flags in remembered.items():
                assert believer.flags[uid] == flags or uid not in believer.believed
            truth = truth or believer.believed
            assert believer.believed == truth

    async def test_it_is_consistent_for_all(self) -> None:
        for seed in range(5):
            await self.tell(seed, 40)
            for client in self.office.clients:
                client.transport.abortConnection()
            await self.office.until(lambda: not self.office.server.sessions)
