"""Ids of messages stay while the message is the same (RFC 8474), dates of saving are of the folder (RFC 8514)."""

import os
import re

from twisted.trial.unittest import TestCase

from tests.support.imap import MESSAGE, Office

_ROW = re.compile(rb"\* \d+ FETCH \(UID (\d+) EMAILID \(([A-Za-z0-9_-]+)\) SAVEDATE ([^)]+)\)")


class ObjectIds(TestCase):
    async def setUp(self) -> None:
        self.office = await Office().start()
        self.client = await self.office.member()

    async def tearDown(self) -> None:
        await self.office.stop()

    async def rows(self, folder: bytes) -> list[tuple[bytes, bytes]]:
        """(EMAILID, SAVEDATE) of all messages."""
        await self.client.ok(b"EXAMINE " + folder)
        told = await self.client.ok(b"UID FETCH 1:* (EMAILID SAVEDATE)")
        return [match.group(2, 3) for line in told if (match := _ROW.fullmatch(line))]

    async def test_copies_and_moved_messages_keep_their_id_and_others_never_share_it(self) -> None:
        await self.office.fill(MESSAGE, MESSAGE)
        first, second = await self.rows(b"INBOX")
        self.assertNotEqual(first[0], second[0])
        await self.client.ok(b"SELECT INBOX")
        await self.client.ok(b"COPY 1 Archive")
        await self.client.ok(b"COPY 1 Archive")
        await self.client.ok(b"MOVE 2 Archive")
        self.assertEqual([id for id, _ in await self.rows(b"Archive")], [first[0], first[0], second[0]])
        await self.client.ok(b"SELECT Archive")
        await self.client.ok(b"COPY 1 Drafts")
        await self.client.ok(b"STORE 1 +FLAGS (\\Seen)")
        self.assertEqual([id for id, _ in await self.rows(b"Drafts")], [first[0]])
        await self.client.ok(b"EXAMINE Archive")
        self.assertEqual(await self.client.ok(b"SEARCH EMAILID " + first[0]), [b"* SEARCH 1 2"])

    async def test_a_move_is_a_new_saving_and_flags_are_none(self) -> None:
        await self.office.fill(MESSAGE, folder=self.office.path("Archive"))
        folder = os.path.join(self.office.disk("Archive"), "new")
        (name,) = os.listdir(folder)
        second, _, rest = name.partition(".")
        os.rename(os.path.join(folder, name), os.path.join(folder, f"{int(second) - 86400}.{rest}"))
        (old,) = await self.rows(b"Archive")
        await self.client.ok(b"SELECT Archive")
        await self.client.ok(b"STORE 1 +FLAGS (\\Seen)")
        self.assertEqual(await self.rows(b"Archive"), [old])
        await self.client.ok(b"SELECT Archive")
        await self.client.ok(b"MOVE 1 Drafts")
        ((id, saved),) = await self.rows(b"Drafts")
        self.assertEqual(id, old[0])
        self.assertNotEqual(saved, old[1])
        await self.client.ok(b"SELECT Drafts")
        await self.client.ok(b"MOVE 1 Archive")
        (name,) = os.listdir(os.path.join(self.office.disk("Archive"), "cur"))
        self.assertEqual(name.count(",D="), 1)

    async def test_a_message_that_another_program_put_there_has_an_id_that_stays(self) -> None:
        await self.office.fill(MESSAGE)
        with open(os.path.join(self.office.disk(), "new", "1700000000.M5P7_odd name.elsewhere"), "wb") as file:
            file.write(MESSAGE)
        with open(os.path.join(self.office.disk(), "new", "strange"), "wb") as file:
            file.write(MESSAGE)
        before = await self.rows(b"INBOX")
        self.assertEqual(len({id for id, _ in before}), 3)
        await self.office.restart()
        self.client = await self.office.member()
        self.assertEqual(await self.rows(b"INBOX"), before)
