"""Attack rows 26, 27, 28 and 30 on what the server keeps for clients: mod-sequences, resynchronisation, NOTIFY."""

import os
import time

from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from emailgency.servers.imap.watch import OWED
from tests.support.imap import MESSAGE, Client, Office

ALL = b"1:4294967295"


class AttacksOnState(TestCase):
    async def setUp(self) -> None:
        self.office = await Office(bad_commands=1000, folder_limit=20_000).start()

    async def tearDown(self) -> None:
        await self.office.stop()

    async def hostile(self, client: Client, command: bytes, slowest: float = 0.5) -> bytes:
        """Another client is answered meanwhile; `slowest` seconds of this thread are the most at a time."""
        other = await self.office.member("mary")
        answered = False

        async def attack() -> bytes:
            nonlocal answered
            _, tagged = await client.command(command)
            answered = True
            return tagged

        done = Deferred.fromCoroutine(attack())
        while not answered:
            begun = time.thread_time()
            await other.ok(b"NOOP")
            spent = time.thread_time() - begun
            self.assertLess(spent, slowest, command[:60])
        await other.ok(b"LOGOUT")
        return await done

    async def enabled(self) -> tuple[Client, bytes]:
        """A client of QRESYNC and the UIDVALIDITY of INBOX."""
        client = await self.office.member()
        await client.ok(b"ENABLE QRESYNC")
        (status,) = await client.ok(b"STATUS INBOX (UIDVALIDITY)")
        return client, status.rpartition(b" ")[2].rstrip(b")")

    async def test_attack_27_resynchronisation_with_huge_sets_holds_up_nobody(self) -> None:
        await self.office.many(3000)
        client, validity = await self.enabled()
        odd = b",".join(b"%d" % number for number in range(1, 12000, 2))
        pairs = b",".join(b"%d" % number for number in range(1, 6000))
        for known in (
            b"",
            b" " + ALL,
            b" " + odd,
            b" (%b %b)" % (ALL, ALL),
            b" 1:10 (%b %b)" % (pairs, pairs),
            b" (%b %b)" % (odd, pairs),
            b" (%b %b)" % (b",".join([ALL] * 2000), b",".join([ALL] * 2000)),
            b" %b (1:2 4294967294:4294967295)" % b",".join([b"1:4294967295,7"] * 2000),
        ):
            tagged = await self.hostile(client, b"SELECT INBOX (QRESYNC (%b 1%b))" % (validity, known))
            self.assertTrue(tagged.startswith(b"OK"), tagged)
        for command in (
            b"UID FETCH 1:* (FLAGS) (CHANGEDSINCE 1 VANISHED)",
            b"UID FETCH %b (FLAGS) (CHANGEDSINCE 9223372036854775807 VANISHED)" % odd,
            b"SEARCH " + b"MODSEQ 1 " * 900 + b"MODSEQ 2",
            b"SEARCH " + b"NOT " * 30 + b'MODSEQ "/flags/' + b"a" * 30000 + b'" all 1',
            b"SEARCH " + b"EMAILID a " * 900 + b"ALL",
        ):
            await self.hostile(client, command)

    async def test_attack_27_a_storm_of_conditional_stores_holds_up_nobody_and_changes_nothing(self) -> None:
        await self.office.many(2000)
        client = await self.office.member(folder="INBOX")
        await client.ok(b"ENABLE CONDSTORE")
        for _ in range(5):
            tagged = await self.hostile(client, b"STORE 1:* (UNCHANGEDSINCE 1) +FLAGS.SILENT (\\Flagged)")
            self.assertTrue(tagged.startswith(b"OK [MODIFIED 1:2000]"), tagged[:60])
        self.assertEqual(await client.ok(b"SEARCH FLAGGED"), [b"* SEARCH"])

    async def test_attack_27_expunges_by_the_thousand_cost_the_next_client_one_line(self) -> None:
        await self.office.many(2500)
        client, validity = await self.enabled()
        await client.ok(b"SELECT INBOX")
        (status,) = await client.ok(b"STATUS INBOX (HIGHESTMODSEQ)")
        since = status.rpartition(b" ")[2].rstrip(b")")
        await client.ok(b"UID STORE 1:2400 +FLAGS.SILENT (\\Deleted)")
        tagged = await self.hostile(client, b"EXPUNGE", slowest=0.5)
        self.assertTrue(tagged.startswith(b"OK [HIGHESTMODSEQ "), tagged)
        told = await client.ok(b"SELECT INBOX (QRESYNC (%b %b))" % (validity, since))
        self.assertIn(b"* VANISHED (EARLIER) 1:2400", told)

    async def test_attack_27_notify_over_ten_thousand_names_costs_nothing_until_something_happens(self) -> None:
        client = await self.office.member()
        names = b" ".join(b"folder%d" % number for number in range(1000))
        tagged = await self.hostile(client, b"NOTIFY SET (MAILBOXES (%b) (MessageNew MessageExpunge))" % names)
        self.assertTrue(tagged.startswith(b"OK"), tagged)
        for command in (
            b"NOTIFY SET (MAILBOXES (%b) (MessageNew MessageExpunge))" % (names + b" one-more"),
            b"NOTIFY SET" + b" (PERSONAL (MessageNew MessageExpunge))" * 65,
        ):
            self.assertIn(b"NOTIFICATIONOVERFLOW", await self.hostile(client, command))
        await self.hostile(client, b"NOTIFY SET" + b" (SUBTREE (%b) (MailboxName))" % names)

    async def test_attack_28_a_watcher_that_does_not_read_is_told_that_it_missed_too_much(self) -> None:
        client = await self.office.member()
        await client.ok(b"NOTIFY SET (PERSONAL (MessageNew MessageExpunge MailboxName))")
        [session] = self.office.server.sessions
        session.line.pauseProducing()
        for number in range(OWED + 20):
            self.office.folders.happened(f"{self.office.path()}/.f{number}", "MESSAGENEW")
        self.assertEqual(client.buffer, b"")
        session.line.resumeProducing()
        self.assertTrue((await client.line()).startswith(b"* OK [NOTIFICATIONOVERFLOW] "))
        self.assertIsNone(session.watch)
        await client.ok(b"NOOP")

    async def test_a_watcher_that_uses_condstore_hears_the_mod_sequence_of_new_mail(self) -> None:
        client = await self.office.member(folder="INBOX")
        await client.ok(b"ENABLE CONDSTORE")
        await client.ok(b"NOTIFY SET (SELECTED (MessageNew (UID) MessageExpunge))")
        await self.office.fill(MESSAGE)
        while not (told := await client.line()).startswith(b"* 1 FETCH"):
            pass
        self.assertRegex(told, rb"^\* 1 FETCH \(UID 1 MODSEQ \(\d+\)\)$")

    async def test_what_cannot_be_decoded_keeps_a_watcher_from_no_other_news(self) -> None:
        client = await self.office.member(folder="INBOX")
        await client.ok(
            b"NOTIFY SET (SELECTED (MessageNew (BINARY.PEEK[1]) MessageExpunge)) (PERSONAL (MessageNew MessageExpunge))"
        )
        strange = MESSAGE.replace(b"Subject:", b"Content-Transfer-Encoding: x-strange\r\nSubject:")
        other = await self.office.member()
        other.send(b"a APPEND INBOX {%d+}\r\n%b\r\n" % (len(strange), strange))
        other.send(b"b APPEND Archive {%d+}\r\n%b\r\n" % (len(MESSAGE), MESSAGE))
        while not (told := await client.line()).startswith(b"* STATUS"):
            pass
        assert told.startswith(b"* STATUS Archive (MESSAGES 1 ")
        self.assertEqual(self.flushLoggedErrors(), [])

    async def test_attack_28_news_never_break_into_a_literal(self) -> None:
        """A watcher reads a large message slowly while mail arrives elsewhere and flags change."""
        await self.office.fill(b"Subject: large\r\n\r\n" + b"x" * (4 << 20) + b"\r\n")
        client = await self.office.member(folder="INBOX")
        await client.ok(
            b"NOTIFY SET (SELECTED (MessageNew (BODY.PEEK[]) MessageExpunge)) (PERSONAL (MessageNew MessageExpunge))"
        )
        client.transport.pauseProducing()
        client.send(b"a FETCH 1 BODY.PEEK[]\r\n")
        [session] = self.office.server.sessions
        await self.office.until(lambda: session.line.blocked)
        for _ in range(3):
            await self.office.fill(MESSAGE, folder=self.office.path("Archive"))
            await self.office.fill(MESSAGE)
        client.transport.resumeProducing()
        told, _ = await client.answer(b"a")
        self.assertTrue(told[0].startswith(b"* 1 FETCH (BODY[] {4194324}\r\n"), told[0][:60])
        self.assertTrue(told[0].endswith(b"x\r\n)"))
        found = told[1:]
        while sum(b"BODY[]" in line for line in found) < 3 or not any(b"STATUS" in line for line in found):
            found.append(await client.line())

    async def test_attack_28_an_expelled_watcher_leaves_nothing_behind(self) -> None:
        client = await self.office.member()
        await client.ok(b"NOTIFY SET (PERSONAL (MessageNew MessageExpunge))")
        client.transport.abortConnection()
        await self.office.until(lambda: not self.office.server.sessions)
        await self.office.fill(MESSAGE)
        self.assertEqual(self.office.server.watches._by_mailbox, {})

    async def test_attack_30_ids_and_names_lead_nowhere(self) -> None:
        client = await self.office.member(folder="INBOX")
        before = sorted(os.listdir(self.office.root))
        for command in (
            b"NOTIFY SET (MAILBOXES (../../etc ../mary/INBOX a/../b) (MessageNew MessageExpunge))",
            b'NOTIFY SET STATUS (SUBTREE "../mary" (MessageNew MessageExpunge))',
            b"NOTIFY SET STATUS (MAILBOXES Undelivered (MessageNew MessageExpunge))",
            b"SEARCH EMAILID ../../passwd",
            b"SEARCH EMAILID %b" % (b"a" * 256),
        ):
            told, tagged = await client.command(command)
            self.assertFalse(any(b"STATUS" in line for line in told), told)
            self.assertTrue(tagged.startswith((b"OK", b"NO", b"BAD")), tagged)
        self.assertEqual(sorted(os.listdir(self.office.root)), before)

    async def test_attack_26_a_guest_knows_none_of_it(self) -> None:
        client = await self.office.client()
        await client.line()
        for command in (b"ENABLE QRESYNC", b"NOTIFY NONE", b"SELECT INBOX (QRESYNC (1 1))"):
            await client.bad(command)
        self.assertNotIn(b"NOTIFY", b" ".join(await client.ok(b"CAPABILITY")))

    async def test_an_idle_watcher_hears_within_a_blink(self) -> None:
        client = await self.office.member()
        await client.ok(b"NOTIFY SET (PERSONAL (MessageNew MessageExpunge))")
        client.send(b"i IDLE\r\n")
        await client.line()
        await self.office.fill(MESSAGE, folder=self.office.path("Archive"))
        self.assertTrue((await client.line()).startswith(b"* STATUS Archive (MESSAGES 1 "))
        client.send(b"DONE\r\n")
        await client.answer(b"i")
