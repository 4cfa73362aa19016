"""Finding beside other clients: what is saved, sorted or paged stays right while others change the folder."""

from twisted.trial.unittest import TestCase

from tests.support.imap import MESSAGE, Office


class Finding(TestCase):
    async def setUp(self) -> None:
        self.office = await Office().start()
        await self.office.fill(*(MESSAGE + b"%d\r\n" % number for number in range(1, 7)))

    async def tearDown(self) -> None:
        await self.office.stop()

    async def test_imap4rev2_answers_every_search_with_esearch(self) -> None:
        client = await self.office.member(folder="INBOX")
        [session] = self.office.server.sessions
        session.enabled.add("IMAP4REV2")
        assert await client.ok(b"SEARCH 2:4") == [b'* ESEARCH (TAG "T3") ALL 2:4']
        assert await client.ok(b"UID SEARCH DRAFT") == [b'* ESEARCH (TAG "T4") UID']
        assert await client.ok(b"SEARCH RETURN (COUNT) ALL") == [b'* ESEARCH (TAG "T5") COUNT 6']
        assert await client.ok(b"SORT (ARRIVAL) UTF-8 5:6") == [b"* SORT 5 6"]

    async def test_what_another_client_expunges_leaves_the_saved_result(self) -> None:
        client, other = await self.office.member(folder="INBOX"), await self.office.member(folder="INBOX")
        await client.ok(b"SEARCH RETURN (SAVE) 2:4")
        await other.ok(b"STORE 3 +FLAGS.SILENT (\\Deleted)")
        await other.ok(b"EXPUNGE")
        assert [line for line in await client.ok(b"FETCH $ (UID)") if b"UID" in line and b"FLAGS" not in line] == [
            b"* 2 FETCH (UID 2)",
            b"* 4 FETCH (UID 4)",
        ]
        assert b"* 3 EXPUNGE" in await client.ok(b"NOOP")
        assert await client.ok(b"UID SEARCH RETURN (ALL COUNT) $") == [b'* ESEARCH (TAG "T6") UID COUNT 2 ALL 2,4']
        assert await client.ok(b"SEARCH $") == [b"* SEARCH 2 3"]

    async def test_messages_that_went_are_neither_sorted_nor_threaded(self) -> None:
        client, other = await self.office.member(folder="INBOX"), await self.office.member(folder="INBOX")
        await other.ok(b"STORE 3 +FLAGS.SILENT (\\Deleted)")
        await other.ok(b"EXPUNGE")
        assert (await client.ok(b"SORT (SUBJECT) UTF-8 ALL"))[0] == b"* SORT 1 2 4 5 6"
        assert await client.ok(b"THREAD ORDEREDSUBJECT UTF-8 ALL") == [b"* THREAD (1 (2)(4)(5)(6))"]
        assert b"* 3 EXPUNGE" in await client.ok(b"NOOP")

    async def test_a_page_of_fetch_counts_messages_that_are_there(self) -> None:
        client = await self.office.member(folder="INBOX")
        await client.ok(b"STORE 2,4 +FLAGS.SILENT (\\Deleted)")
        await client.ok(b"EXPUNGE")
        assert await client.ok(b"UID FETCH 1:100 (UID) (PARTIAL -1:-2)") == [b"* 3 FETCH (UID 5)", b"* 4 FETCH (UID 6)"]
        assert await client.ok(b"UID FETCH 2:100 (UID) (PARTIAL 1:1)") == [b"* 2 FETCH (UID 3)"]

    async def test_a_search_that_is_too_complex_empties_the_saved_result(self) -> None:
        client = await self.office.member(folder="INBOX")
        await client.ok(b"SEARCH RETURN (SAVE) 2:4")
        assert b"[LIMIT]" in await client.no(b"SEARCH RETURN (SAVE) " + b"NOT " * 100 + b"SEEN")
        assert await client.ok(b"SEARCH $") == [b"* SEARCH"]

    async def test_the_saved_result_is_of_its_connection(self) -> None:
        client, other = await self.office.member(folder="INBOX"), await self.office.member(folder="INBOX")
        await client.ok(b"SEARCH RETURN (SAVE) 2:4")
        assert await other.ok(b"SEARCH $") == [b"* SEARCH"]
        await client.ok(b"UNSELECT")
        await client.ok(b"SELECT INBOX")
        assert await client.ok(b"SEARCH $") == [b"* SEARCH"]
