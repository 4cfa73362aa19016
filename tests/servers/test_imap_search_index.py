"""What the search index answers is what reading the messages answers, at any time, only sooner."""

import contextlib
import os
import random
import sqlite3

from twisted.trial.unittest import TestCase

from emailgency.store.mailboxes import summary_rows
from emailgency.store.searching import backlog, database, memory
from emailgency.store.storing.replies import Delivered, Placed
from tests.support.imap import MESSAGE, Client, Office
from tests.support.mime_corpus import MESSAGES

NEEDLES = (
    "a", "an", "bob", "Example.NET", "hello", "zzz-nowhere", "müller", "grüße", "ß", "=", "--", "text/plain", "body",
    '"', "%", "subject: hello", "innermost", "\u20ac", "b\r\nb", "Thu, 1 Jan 2026 12:00:00 +0000 ", "",
)  # fmt: skip
FIELDS = (
    "SUBJECT", "FROM", "TO", "CC", "BCC", "HEADER Message-ID", "HEADER Content-Type", "HEADER x-none", "HEADER Date",
    "TEXT", "BODY",
)  # fmt: skip


def quoted(needle: str) -> bytes:
    octets = needle.encode()
    return b"{%d+}\r\n" % len(octets) + octets


class SearchIndexes(TestCase):
    async def setUp(self) -> None:
        self.patch(memory, "FEW", 100)
        self.office = await Office().start()
        await self.office.folders.create(self.office.path(), quiet=True)

    async def tearDown(self) -> None:
        await self.office.stop()

    def put(self, name: str, message: bytes) -> None:
        """As another program does."""
        with open(f"{self.office.disk()}/cur/1700000000.{name}.x,S={len(message)}:2,", "wb") as file:
            file.write(message)

    def known(self) -> list[object]:
        return list(self.office.server.search_index.memory.known.values())

    async def filled(self, client: Client, count: int) -> None:
        """Until all of so many messages are known."""
        await client.ok(b"NOOP")
        await self.office.server.look()
        index = self.office.server.search_index

        def whole() -> bool:
            """What came while the index was being filled is asked for by the next look."""
            for session in self.office.server.sessions:
                if session.selected is not None:
                    index.want(session.selected.folder)
            return any(len(known.uids) >= count and not known.filling for known in index.memory.known.values())

        await self.office.until(whole, 60)

    async def answers(self, client: Client, fields: tuple[str, ...] = FIELDS) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        for field in fields:
            for needle in NEEDLES:
                line = b"SEARCH CHARSET UTF-8 " + field.encode() + b" " + quoted(needle)
                found[f"{field} {needle}"] = (await client.ok(line))[0]
        for more in ("SENTBEFORE 1-Jan-2026", "SENTON 1-Jan-2026", "NOT OR SUBJECT hello BODY body"):
            found[more] = (await client.ok(b"SEARCH " + more.encode()))[0]
        for order in ("SORT (SUBJECT REVERSE FROM)", "SORT (DATE TO CC)", "SORT (DISPLAYTO)", "THREAD REFERENCES"):
            found[order] = (await client.ok(f"{order} UTF-8 ALL".encode()))[0]
        return found

    async def test_the_index_finds_what_reading_finds_in_mail_of_any_shape(self) -> None:
        for number, message in enumerate(MESSAGES.values()):
            self.put(f"m{number:04}", message)
        while len(os.listdir(f"{self.office.disk()}/cur")) < 110:
            number = len(os.listdir(f"{self.office.disk()}/cur"))
            self.put(f"m{number:04}", MESSAGE + b"%d\r\n" % number)
        count = len(os.listdir(f"{self.office.disk()}/cur"))
        client = await self.office.member(folder="INBOX")
        self.office.server.search_index.want = lambda folder: None
        read = await self.answers(client)
        del self.office.server.search_index.want
        await self.filled(client, count)
        self.assertEqual(await self.answers(client), read)
        await self.office.restart()  # from the file
        client = await self.office.member(folder="INBOX")
        self.assertEqual(await self.answers(client), read)

    async def test_what_is_indexed_is_summarised_too_as_fetch_would_have_done_it(self) -> None:
        for number, message in enumerate([*MESSAGES.values(), *[MESSAGE] * 110]):
            self.put(f"m{number:04}", message)
        count = len(os.listdir(f"{self.office.disk()}/cur"))
        client = await self.office.member(folder="INBOX")
        await self.filled(client, count)
        with contextlib.closing(sqlite3.connect(f"{self.office.disk()}/{summary_rows.FILE}")) as cache:
            self.assertEqual(cache.execute("SELECT count(*) FROM summary").fetchone()[0], count)
        asked = b"FETCH 1:* (ENVELOPE BODYSTRUCTURE BODY)"
        self.office.server.summaries.keep = lambda *_: self.fail("parsed again")
        kept = await client.ok(asked)
        del self.office.server.summaries.keep
        (folder,) = (session.selected.folder for session in self.office.server.sessions if session.selected)
        folder.summaries.clear()
        folder.summarised = 0  # as if nothing were in the cache
        self.assertEqual(await client.ok(asked), kept)

    async def test_mail_that_comes_and_goes_while_it_is_searched(self) -> None:
        generator = random.Random(7)
        client = await self.office.member(folder="INBOX")
        words: dict[int, set[str]] = {}
        uid = 0
        for _ in range(6):
            batch = []
            for _ in range(40):
                uid += 1
                words[uid] = {generator.choice(("alpha", "beta", "gamma")), generator.choice(("red", "blue"))}
                batch.append(b"Subject: %b\r\n\r\nx%bx\r\n" % tuple(word.encode() for word in sorted(words[uid])))
            await self.office.fill(*batch)
            gone = generator.sample(sorted(words), 5)
            await client.ok(b"NOOP")
            await client.ok(b"UID STORE " + ",".join(map(str, gone)).encode() + b" +FLAGS.SILENT (\\Deleted)")
            await client.ok(b"EXPUNGE")
            for one in gone:
                del words[one]
            for word in ("alpha", "beta", "blue", "red"):
                found = await client.ok(f"UID SEARCH TEXT {word}".encode())
                expected = sorted(one for one, its in words.items() if word in its)
                self.assertEqual(found[0].split()[2:], [b"%d" % one for one in expected], word)
                found = await client.ok(f"UID SEARCH NOT OR SUBJECT {word} BODY {word}".encode())
                expected = sorted(one for one, its in words.items() if word not in its)
                self.assertEqual(found[0].split()[2:], [b"%d" % one for one in expected], word)
        await self.filled(client, 240 - 60)

    async def test_a_damaged_index_is_thrown_away(self) -> None:
        for number in range(150):
            self.put(f"m{number:04}", MESSAGE + b"number%dend\r\n" % number)
        client = await self.office.member(folder="INBOX")
        await self.filled(client, 150)
        await self.office.restart()
        path = os.path.join(self.office.disk(), database.FILE)
        for suffix in ("-wal", "-shm"):
            if os.path.exists(path + suffix):
                os.unlink(path + suffix)
        with open(path, "r+b") as file:
            file.seek(0)
            file.write(os.urandom(os.path.getsize(path)))
        client = await self.office.member(folder="INBOX")
        self.assertEqual(await client.ok(b"SEARCH BODY number77end"), [b"* SEARCH 78"])
        self.assertEqual(await client.ok(b"SEARCH SUBJECT invoice NOT 2:*"), [b"* SEARCH 1"])
        await self.filled(client, 150)
        self.assertEqual(await client.ok(b"SEARCH BODY number77end"), [b"* SEARCH 78"])

    async def test_trigrams_are_made_and_narrow_what_is_read(self) -> None:
        body = b"".join(b"line %d of a message that is long enough\r\n" % line for line in range(40))
        for number in range(200):
            self.put(f"m{number:04}", b"Subject: s\r\n\r\nnumber%dend\r\n" % number + body)
        client = await self.office.member(folder="INBOX")
        await self.filled(client, 200)
        path = os.path.join(self.office.disk(), database.FILE)

        def behind() -> int:
            with sqlite3.connect(path) as cache:
                return cache.execute("SELECT count(*) FROM block WHERE full = 1 AND indexed = 0").fetchone()[0]

        await self.office.until(lambda: behind() == 0, 30)
        with sqlite3.connect(path) as cache:
            grams = database.grams_of("number123end")
            rows = cache.execute("SELECT count(*) FROM grams WHERE grams MATCH ?", (grams,)).fetchone()
            blocks = cache.execute("SELECT count(*) FROM block").fetchone()
        self.assertLess(rows[0], blocks[0] / 2)
        self.assertEqual(await client.ok(b"SEARCH BODY number123end"), [b"* SEARCH 124"])
        self.assertEqual(await client.ok(b"SEARCH BODY nUmber123EN"), [b"* SEARCH 124"])
        self.assertEqual(await client.ok(b"SEARCH BODY number123ends"), [b"* SEARCH"])

    async def test_a_dead_indexer_harms_nobody_and_is_started_again(self) -> None:
        for number in range(150):
            self.put(f"m{number:04}", MESSAGE + b"number%dend\r\n" % number)
        client = await self.office.member(folder="INBOX")
        await self.filled(client, 150)
        line = self.office.server.search_index.filling.line
        line._process.signalProcess("KILL")
        await self.office.until(lambda: line._process is None)
        self.assertEqual(await client.ok(b"SEARCH BODY number77end"), [b"* SEARCH 78"])
        await self.office.fill(MESSAGE + b"number555end\r\n")
        await client.ok(b"NOOP")
        self.assertEqual(await client.ok(b"SEARCH BODY number555end"), [b"* SEARCH 151"])
        await self.filled(client, 151)
        self.assertEqual(await client.ok(b"SEARCH BODY number555end"), [b"* SEARCH 151"])

    async def test_what_is_too_long_to_keep_is_read(self) -> None:
        for number in range(120):
            self.put(f"m{number:04}", MESSAGE)
        long = b"filler " * 60_000
        self.put("n1", b"Subject: big\r\n\r\n" + long + b"at the very end\r\n")
        self.put("n2", b"Subject: head\r\nX-Long: " + long[:70_000] + b"end of head\r\n\r\nx\r\n")
        client = await self.office.member(folder="INBOX")
        await self.filled(client, 122)
        self.assertEqual(await client.ok(b'SEARCH BODY "the very end"'), [b"* SEARCH 121"])
        self.assertEqual(await client.ok(b'SEARCH HEADER X-Long "end of head"'), [b"* SEARCH 122"])
        self.assertEqual(await client.ok(b"SEARCH SUBJECT head"), [b"* SEARCH 122"])

    async def test_large_folders_are_indexed_before_anybody_reads_them(self) -> None:
        for number in range(backlog.LARGE):
            self.put(f"m{number:04}", MESSAGE)
        watch = backlog.Backlog(self.office.folders, self.office.server.search_index)
        placed = Placed(self.office.path(), 1, "new", "x")
        for number in range(backlog.EVERY - 1):
            watch.delivered(Delivered(number, "id", (placed,)))
        await self.office.fill(MESSAGE, folder=self.office.path("Small"))
        for _ in range(backlog.EVERY):
            watch.delivered(Delivered(0, "id", (Placed(self.office.path("Small"), 1, "new", "x"),)))
        self.assertEqual(self.known(), [])
        watch.delivered(Delivered(0, "id", (placed,)))
        known = self.office.server.search_index.memory.known
        await self.office.until(lambda: any(len(one.uids) == backlog.LARGE for one in known.values()), 60)
        self.assertEqual(len(self.known()), 1)

    async def test_a_cache_that_cannot_be_written_or_read_fails_no_search(self) -> None:
        for number in range(120):
            self.put(f"m{number:04}", MESSAGE + b"number%dend\r\n" % number)
        os.mkdir(os.path.join(self.office.disk(), database.FILE))
        client = await self.office.member(folder="INBOX")
        for _ in range(2):
            self.assertEqual(await client.ok(b"SEARCH BODY number77end"), [b"* SEARCH 78"])
            self.assertEqual(await client.ok(b"SEARCH SUBJECT invoice NOT 2:*"), [b"* SEARCH 1"])
            self.assertEqual((await client.ok(b"SORT (SUBJECT) UTF-8 1:3")), [b"* SORT 1 2 3"])
            await self.office.until(lambda: not any(one.filling for one in self.known()), 60)
