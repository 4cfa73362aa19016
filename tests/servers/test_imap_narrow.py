"""The main path of IMAP over a real storer: log in, list, select, fetch, store, expunge, idle."""

from twisted.trial.unittest import TestCase

from tests.support.imap import MESSAGE, PASSWORD, Office


class MainPath(TestCase):
    async def setUp(self) -> None:
        self.office = await Office().start()

    async def tearDown(self) -> None:
        await self.office.stop()

    async def test_greeting_offers_what_works_before_login(self) -> None:
        client = await self.office.client()
        greeting = await client.line()
        assert greeting.startswith(b"* OK [CAPABILITY IMAP4rev1 IMAP4rev2 LITERAL+ SASL-IR ID ENABLE IDLE AUTH=PLAIN] ")
        [capability] = await client.ok(b"CAPABILITY")
        assert b"UIDPLUS" not in capability
        await client.ok(b"LOGIN paul " + PASSWORD.encode())
        [capability] = await client.ok(b"CAPABILITY")
        assert b"UIDPLUS" in capability

    async def test_a_new_mailbox_has_the_folders_of_the_settings(self) -> None:
        client = await self.office.member()
        listed = await client.ok(b'LIST "" *')
        assert listed == [
            b'* LIST (\\HasNoChildren) "/" INBOX',
            b'* LIST (\\HasNoChildren \\Archive) "/" Archive',
            b'* LIST (\\HasNoChildren \\Drafts) "/" Drafts',
            b'* LIST (\\HasNoChildren \\Junk) "/" Junk',
            b'* LIST (\\HasNoChildren \\Sent) "/" Sent',
            b'* LIST (\\HasNoChildren \\Trash) "/" Trash',
        ]

    async def test_mail_is_read_flagged_and_expunged(self) -> None:
        await self.office.fill(MESSAGE, MESSAGE + b"2\r\n", MESSAGE + b"3\r\n")
        client = await self.office.member()
        selected = await client.ok(b"SELECT INBOX")
        assert b"* 3 EXISTS" in selected
        assert b"* 3 RECENT" in selected
        fetched = await client.ok(b"FETCH 1:* (FLAGS UID RFC822.SIZE)")
        assert fetched[1] == b"* 2 FETCH (FLAGS (\\Recent) UID 2 RFC822.SIZE %d)" % (len(MESSAGE) + 3)
        [body] = await client.ok(b"FETCH 2 BODY.PEEK[]")
        assert body == b"* 2 FETCH (BODY[] {%d}\r\n%b)" % (len(MESSAGE) + 3, MESSAGE + b"2\r\n")
        [envelope] = await client.ok(b"FETCH 1 (ENVELOPE)")
        assert b'"Invoice"' in envelope
        stored = await client.ok(b"STORE 2 +FLAGS (\\Deleted $Important)")
        assert stored[-1] == b"* 2 FETCH (FLAGS (\\Deleted $Important \\Recent))", stored
        assert await client.ok(b"EXPUNGE") == [b"* 2 EXPUNGE"]
        assert [line[:10] for line in await client.ok(b"UID FETCH 1:* (FLAGS)")] == [b"* 1 FETCH ", b"* 2 FETCH "]

    async def test_idle_is_told_at_once(self) -> None:
        client = await self.office.member(folder="INBOX")
        client.send(b"I IDLE\r\n")
        assert (await client.line()).startswith(b"+ ")
        await self.office.fill(MESSAGE)
        assert await client.line() == b"* 1 EXISTS"
        assert await client.line() == b"* 1 RECENT"
        client.send(b"DONE\r\n")
        assert (await client.answer(b"I"))[1].startswith(b"OK")
