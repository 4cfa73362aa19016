"""Folders as a whole: annotations, quotas, special uses, Undelivered, and trees of many or odd folders."""

import os
import shutil

from msgspec.structs import replace
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from emailgency.codec.imap import mutf7
from emailgency.model.directory import STANDARD
from emailgency.store import layout
from emailgency.store.directory.changes import Change, edit
from tests.support.imap import MESSAGE, Office, all_of

UNDELIVERED = layout.undelivered("c1")


class MailboxTests(TestCase):
    async def setUp(self) -> None:
        plan = replace(STANDARD, mailbox_quota=20_000)
        self.office = await Office(plan=plan, folder_limit=20_000, bad_commands=1000).start()

    async def tearDown(self) -> None:
        await self.office.stop()

    # ---- annotations -------------------------------------------------------------------------------------

    async def test_annotations_outlive_a_restart(self) -> None:
        client = await self.office.member()
        await client.ok(b"CREATE Work (USE (\\Junk))")
        await client.ok(b'SETMETADATA Work (/private/comment "mine" /shared/comment {4+}\r\na\r\nb)')
        await client.ok(b'SETMETADATA "" (/private/vendor/x/y "server")')
        await self.office.restart()
        client = await self.office.member()
        (told,) = await client.ok(b"GETMETADATA Work (/private/comment /shared/comment)")
        assert told == b'* METADATA Work (/private/comment "mine" /shared/comment {4}\r\na\r\nb)'
        assert await client.ok(b'GETMETADATA "" /private/vendor/x/y') == [
            b'* METADATA "" (/private/vendor/x/y "server")'
        ]
        assert await client.ok(b'LIST (SPECIAL-USE) "" W*') == [b'* LIST (\\HasNoChildren \\Junk) "/" Work']

    async def test_all_that_was_noted_is_asked_for_at_once(self) -> None:
        client = await self.office.member()
        await client.ok(b'SETMETADATA INBOX (/private/comment "mine" /private/vendor/x "deep" /shared/comment "ours")')
        told = await client.ok(b"GETMETADATA (DEPTH infinity) INBOX (/private /Shared)")
        assert told == [b'* METADATA INBOX (/private/comment "mine" /private/vendor/x "deep" /shared/comment "ours")']
        assert await client.ok(b"GETMETADATA (DEPTH 1) INBOX /private") == [
            b'* METADATA INBOX (/private/comment "mine")'
        ]
        assert await client.ok(b"GETMETADATA INBOX /private") == [b"* METADATA INBOX (/private NIL)"]

    async def test_another_user_sees_nothing_of_them(self) -> None:
        paul, mary = await self.office.member(), await self.office.member("mary")
        await paul.ok(b'SETMETADATA INBOX (/shared/comment "paul\'s")')
        await paul.ok(b'SETMETADATA "" (/private/comment "paul\'s")')
        assert await mary.ok(b"GETMETADATA INBOX /shared/comment") == [b"* METADATA INBOX (/shared/comment NIL)"]
        assert await mary.ok(b'GETMETADATA "" /private/comment') == [b'* METADATA "" (/private/comment NIL)']

    async def test_the_operator_says_what_the_server_is(self) -> None:
        self.office.server.adopt(
            replace(self.office.server.settings, comment="Ours", contact="mailto:help@mydomain.zz")
        )
        client = await self.office.member()
        (told,) = await client.ok(b'GETMETADATA "" (DEPTH infinity) (/shared/comment /shared/admin)')
        assert told == b'* METADATA "" (/shared/comment "Ours" /shared/admin "mailto:help@mydomain.zz")'

    async def test_a_client_in_idle_hears_of_changes_at_once(self) -> None:
        idle, busy = await self.office.member(folder="INBOX"), await self.office.member()
        await idle.ok(b"ENABLE METADATA")
        idle.send(b"i IDLE\r\n")
        assert (await idle.line()).startswith(b"+")
        await busy.ok(b'SETMETADATA Sent (/shared/comment "new")')
        assert await idle.line() == b"* METADATA Sent /shared/comment"
        idle.send(b"DONE\r\n")
        assert (await idle.answer(b"i"))[1].startswith(b"OK")

    async def test_a_client_that_does_not_know_the_response_never_hears_it(self) -> None:
        old, busy = await self.office.member(folder="INBOX"), await self.office.member()
        await busy.ok(b'SETMETADATA INBOX (/shared/comment "new")')
        assert await old.ok(b"NOOP") == []

    async def test_nobody_hears_of_folders_of_others(self) -> None:
        """Not even when the id of one mailbox begins like that of another."""
        first, tenth = await self.office.member("u1"), await self.office.member("u10")
        await first.ok(b"ENABLE METADATA")
        await tenth.ok(b'SETMETADATA Sent (/shared/comment "x")')
        await tenth.ok(b'SETMETADATA "" (/private/comment "x")')
        assert await first.ok(b"NOOP") == []

    async def test_all_administrators_hear_of_changes_of_undelivered(self) -> None:
        boss, chief, paul = [await self.office.member(name) for name in ("boss", "chief", "paul")]
        for client in (chief, paul):
            await client.ok(b"ENABLE METADATA")
        await boss.ok(b'SETMETADATA Undelivered (/shared/comment "ours")')
        assert await chief.ok(b"NOOP") == [b"* METADATA Undelivered /shared/comment"]
        assert await paul.ok(b"NOOP") == []

    async def test_attack_26_annotations_are_bounded_in_number_and_size(self) -> None:
        client = await self.office.member()
        assert b"[METADATA MAXSIZE 16384]" in await client.no(
            b"SETMETADATA INBOX (/private/a {16385+}\r\n%b)" % (b"x" * 16385)
        )
        value = b"x" * 16000
        for number in range(4):
            await client.ok(b"SETMETADATA INBOX (/private/a%d {16000+}\r\n%b)" % (number, value))
        assert b"[METADATA TOOMANY]" in await client.no(b"SETMETADATA INBOX (/private/b {16000+}\r\n%b)" % value)
        await client.ok(b"SETMETADATA INBOX (/private/a0 NIL)")
        await client.ok(b"SETMETADATA INBOX (/private/b {16000+}\r\n%b)" % value)
        many = b" ".join(b'/private/n%d "x"' % number for number in range(101))
        assert b"[METADATA TOOMANY]" in await client.no(b"SETMETADATA Sent (%b)" % many)
        assert await client.ok(b"GETMETADATA Sent (DEPTH infinity) /private/n0") == []  # all or none
        assert b"LITERAL" in (await client.command(b"CAPABILITY"))[0][0]  # the connection goes on

    async def test_attack_28_who_does_not_read_is_owed_a_bounded_number_of_news(self) -> None:
        sleeper, busy = await self.office.member(), await self.office.member()
        await sleeper.ok(b"ENABLE METADATA")
        (session,) = [one for one in self.office.server.sessions if "METADATA" in one.enabled]
        session.line.pauseProducing()  # as the transport says when its buffer is full
        for number in range(700):
            await busy.ok(b'SETMETADATA "" (/private/e%d "x" /private/e%d NIL)' % (number % 99, number % 99 + 1000))
        assert sum(map(len, session.owed.values())) <= 501
        session.line.resumeProducing()
        assert (await sleeper.ok(b"NOOP"))[0].startswith(b'* METADATA "" /private/e')

    async def test_a_damaged_file_of_annotations_is_told_and_not_overwritten(self) -> None:
        client = await self.office.member()
        await client.ok(b'SETMETADATA Sent (/private/comment "x")')
        path = f"{self.office.disk('Sent')}/annotations"
        with open(path, "r+b") as file:
            file.write(b"deadbeef")
        assert b"[UNAVAILABLE]" in await client.no(b"GETMETADATA Sent /private/comment")
        assert b"[UNAVAILABLE]" in await client.no(b'SETMETADATA Sent (/private/comment "y")')
        assert len(await client.ok(b'LIST "" *')) == 6
        with open(path, "rb") as file:
            assert file.read().startswith(b"deadbeef")

    # ---- quotas ------------------------------------------------------------------------------------------

    async def test_a_full_mailbox_takes_no_append_and_no_copy_but_mail_from_outside(self) -> None:
        client = await self.office.member(folder="INBOX")
        big = b"x" * 9000
        assert (await client.append(b"INBOX", big)).startswith(b"OK")
        assert (await client.append(b"INBOX", big)).startswith(b"OK")
        assert b"NO [OVERQUOTA]" in await client.append(b"INBOX", big)
        assert b"[OVERQUOTA]" in await client.no(b"COPY 1 Sent")
        await client.ok(b"MOVE 1 Sent")  # it takes no more room there
        assert (await client.ok(b"GETQUOTA mailbox"))[0] == b"* QUOTA mailbox (STORAGE 18 19 MAILBOX 6 20000)"
        await self.office.fill(big)  # as the storer delivers: the quota is not asked (row B12)
        assert (await client.ok(b"GETQUOTA mailbox"))[0] == b"* QUOTA mailbox (STORAGE 27 19 MAILBOX 6 20000)"

    async def test_what_is_moved_out_of_undelivered_counts_in_the_mailbox(self) -> None:
        await self.office.fill(b"x" * 15000, b"y" * 15000, folder=UNDELIVERED)
        boss = await self.office.member("boss", "Undelivered")
        await boss.ok(b"MOVE 1 INBOX")
        assert b"[OVERQUOTA]" in await boss.no(b"MOVE 1 INBOX")
        assert b"[OVERQUOTA]" in await boss.no(b"COPY 1 INBOX")

    async def test_attack_29_uploads_at_once_never_share_the_same_room(self) -> None:
        clients = [await self.office.member() for _ in range(20)]
        answers = await all_of(*(client.append(b"INBOX", b"x" * 4000) for client in clients))
        assert sum(answer.startswith(b"OK") for answer in answers) == 5
        assert sum(b"OVERQUOTA" in answer for answer in answers) == 15

    async def test_room_that_an_upload_did_not_fill_is_free_again(self) -> None:
        for _ in range(5):
            broken = await self.office.member()
            broken.send(b"a APPEND INBOX {19000+}\r\nabc")
            await self.office.until(lambda: any(one.granted.octets for one in self.office.server.sessions))
            broken.transport.abortConnection()
            await self.office.until(lambda: not self.office.server.sessions)
        client = await self.office.member()
        assert (await client.append(b"INBOX", b"x" * 19000)).startswith(b"OK")

    # ---- Undelivered -------------------------------------------------------------------------------------

    async def test_who_is_no_administrator_any_more_loses_undelivered(self) -> None:
        await self.office.fill(MESSAGE, folder=UNDELIVERED)
        boss = await self.office.member("boss", "Undelivered")
        mailbox = self.office.people.mailboxes["boss"]
        self.office.people.mailboxes["boss"] = replace(mailbox, administrator=False, generation=mailbox.generation + 1)
        after = self.office.people.mailboxes["boss"]
        changed = Change(1, 0.0, "operator", "console", "set", "c1", (edit("entry", "c1/boss", mailbox, after),))
        self.office.server.changed(changed)  # as the directory tells
        await boss.end()
        assert b"* BYE" in boss.buffer
        boss = await self.office.member("boss")
        assert b"[NONEXISTENT]" in await boss.no(b"SELECT Undelivered")
        assert await boss.ok(b'LIST "" U*') == []

    async def test_two_administrators_see_one_story_of_undelivered(self) -> None:
        await self.office.fill(*(MESSAGE + b"%d" % number for number in range(4)), folder=UNDELIVERED)
        boss, chief = await self.office.member("boss", "Undelivered"), await self.office.member("chief", "Undelivered")
        await all_of(boss.ok(b"STORE 1:4 +FLAGS (\\Seen)"), chief.ok(b"STORE 2 +FLAGS (\\Flagged $Mine)"))
        await boss.ok(b"UID MOVE 3 INBOX")
        for client in (boss, chief):
            await client.ok(b"NOOP")
            shown = await client.ok(b"FETCH 1:* (UID FLAGS)")
            assert [line.split(b"UID ")[1].split()[0] for line in shown] == [b"1", b"2", b"4"]
            assert b"\\Flagged" in shown[1]
            assert b"$Mine" in shown[1]

    async def test_an_administrators_own_folder_of_that_name_hides_nothing_of_others(self) -> None:
        """Another Maildir program has made it; below it everything is reached."""
        boss = await self.office.member("boss")
        for name in (("Undelivered",), ("Undelivered", "Deep")):
            for part in ("cur", "new", "tmp"):
                os.makedirs(f"{self.office.disk(*name, mailbox='boss')}/{part}")
        assert await boss.ok(b'LIST "" Und*') == [
            b'* LIST (\\HasChildren) "/" Undelivered',
            b'* LIST (\\HasNoChildren) "/" Undelivered/Deep',
        ]
        await boss.ok(b"SELECT Undelivered/Deep")
        await boss.ok(b"RENAME Undelivered/Deep Found")

    # ---- trees -------------------------------------------------------------------------------------------

    async def test_a_renamed_folder_tells_its_old_name_to_clients_of_imap4rev2(self) -> None:
        client = await self.office.member()
        await client.ok(b"CREATE Work/Deep")
        assert await client.ok(b"RENAME Work Labour") == []
        (session,) = self.office.server.sessions
        session.enabled.add("IMAP4REV2")
        (told,) = await client.ok(b"RENAME Labour Work")
        assert told == b'* LIST (\\HasChildren) "/" Work ("OLDNAME" (Labour))'

    async def test_a_name_spelled_otherwise_is_told_to_clients_of_imap4rev2(self) -> None:
        client = await self.office.member()
        await client.ok(b"ENABLE IMAP4rev2")
        await client.ok(b"CREATE INBOX/Old")
        assert b'* LIST (\\HasNoChildren) "/" INBOX/Old ("OLDNAME" (inbox/Old))' in await client.ok(b"SELECT inbox/Old")
        assert b'* LIST (\\HasNoChildren) "/" INBOX/Old' in await client.ok(b"EXAMINE INBOX/Old")

    async def test_rename_of_inbox_moves_its_messages_and_makes_parents(self) -> None:
        await self.office.fill(MESSAGE, MESSAGE)
        client = await self.office.member()
        await client.ok(b'SETMETADATA INBOX (/private/comment "stays")')
        await client.ok(b"RENAME INBOX Old/2026")
        assert await client.ok(b"STATUS Old/2026 (MESSAGES)") == [b"* STATUS Old/2026 (MESSAGES 2)"]
        assert await client.ok(b"STATUS Old (MESSAGES)") == [b"* STATUS Old (MESSAGES 0)"]
        assert await client.ok(b"STATUS INBOX (MESSAGES)") == [b"* STATUS INBOX (MESSAGES 0)"]
        assert await client.ok(b"GETMETADATA INBOX /private/comment") == [
            b'* METADATA INBOX (/private/comment "stays")'
        ]

    async def test_subscriptions_of_two_clients_at_once_are_both_kept(self) -> None:
        clients = [await self.office.member() for _ in range(8)]
        await all_of(*(client.ok(b"SUBSCRIBE s%d" % number) for number, client in enumerate(clients)))
        assert len(await clients[0].ok(b'LSUB "" s*')) == 8

    async def test_the_limit_of_folders_counts_the_parents_that_are_made(self) -> None:
        self.office.server.adopt(replace(self.office.server.settings, folder_limit=9))
        client = await self.office.member()
        await client.ok(b"CREATE a/b")
        assert b"[LIMIT]" in await client.no(b"CREATE c/d/e")
        assert b"[LIMIT]" in await client.no(b"RENAME a c/d/e")
        await client.ok(b"CREATE c")

    async def test_folders_that_another_program_makes_and_removes_are_noticed(self) -> None:
        client = await self.office.member()
        await client.ok(b'LIST "" *')
        for part in ("cur", "new", "tmp"):
            os.makedirs(f"{self.office.disk('Foreign')}/{part}")
        assert len(await client.ok(b'LIST "" Foreign')) == 1
        shutil.rmtree(self.office.disk("Foreign"))
        assert await client.ok(b'LIST "" Foreign') == []

    async def test_a_thousand_folders_leave_room_for_others(self) -> None:
        """The reactor is never held for long while they are listed, and the second list is made of what is known."""
        client, other = await self.office.member(), await self.office.member("mary")
        for number in range(1000):
            os.makedirs(f"{self.office.disk()}/.Folder-{number // 100}.Sub-{number:05d}/cur")
        client.send(b'l LIST "" * RETURN (SUBSCRIBED)\r\n')
        done = Deferred.fromCoroutine(client.answer(b"l"))
        noops = 0
        while not done.called:
            await other.ok(b"NOOP")
            noops += 1
        assert len((await done)[0]) == 1016
        assert noops >= 2
        tree = self.office.server.trees._kept[self.office.path()]
        assert len(await client.ok(b'LIST "" Folder-1/%')) == 100
        assert self.office.server.trees._kept[self.office.path()] is tree

    async def test_attack_27_patterns_of_wildcards_hold_nobody_up(self) -> None:
        client, other = await self.office.member(), await self.office.member("mary")
        for number in range(300):
            os.makedirs(f"{self.office.disk()}/.{'a' * 200}{number}/cur")
        patterns = b" ".join(b'"%b%d"' % (b"*a%" * 60, number) for number in range(64))
        client.send(b'l LIST "" (%b)\r\n' % patterns)
        done = Deferred.fromCoroutine(client.answer(b"l"))
        noops = 0
        while not done.called:
            await other.ok(b"NOOP")
            noops += 1
        assert (await done)[1].startswith(b"OK")
        assert noops >= 3

    async def test_attack_27_quotas_asked_for_without_end_hold_nobody_up(self) -> None:
        client, other = await self.office.member(), await self.office.member("mary")
        for number in range(200):
            os.makedirs(f"{self.office.disk()}/.f{number}/cur")
            os.makedirs(f"{self.office.disk()}/.f{number}/new")
        client.send(b"".join(b"q%d GETQUOTAROOT INBOX\r\n" % number for number in range(20)))
        done = Deferred.fromCoroutine(client.answer(b"q19"))
        noops = 0
        while not done.called:
            await other.ok(b"NOOP")
            noops += 1
        assert (await done)[1].startswith(b"OK")
        assert noops >= 5

    async def test_attack_30_no_name_leads_out_of_the_mailbox(self) -> None:
        client = await self.office.member("boss")
        before = sorted(self._outside())
        for name in HOSTILE:
            spelled = b"{%d+}\r\n%b" % (len(name), name)
            for command in (
                b"CREATE %b (USE (\\Junk))",
                b"SUBSCRIBE %b",
                b'SETMETADATA %b (/private/specialuse "\\\\Junk" /shared/comment "x")',
                b"GETMETADATA %b (DEPTH infinity) /shared",
                b"GETQUOTAROOT %b",
                b"STATUS %b (SIZE DELETED-STORAGE)",
                b"RENAME %b {4+}\r\nx/yz",
                b"RENAME Sent %b",
                b"RENAME %b Sent",
                b"DELETE %b",
                b"CREATE Sent",
                b'LIST (SPECIAL-USE RECURSIVEMATCH) %b "*" RETURN (STATUS (SIZE))',
            ):
                await client.command(command.replace(b"%b", spelled))
        assert sorted(self._outside()) == before

    def _outside(self) -> list[str]:
        """Everything on the disk but what lies in the mailbox, spool and trash."""
        own = self.office.disk(mailbox="boss")
        return [
            folder
            for folder, _, _ in os.walk(self.office.root)
            if not folder.startswith((own, f"{self.office.root}/spool"))
        ]

    async def test_attack_30_entry_names_are_no_paths(self) -> None:
        client = await self.office.member()
        for entry in (b"/private/../../x", b"/private/./x", b"/shared/..", b"/private/a/../../../../etc/passwd"):
            await client.ok(b'SETMETADATA INBOX (%b "x")' % entry)
        assert set(os.listdir(self.office.disk())) >= {"annotations", "cur", "new", "tmp"}
        assert not os.path.exists(f"{self.office.root}/x")


HOSTILE = [
    b"../x",
    b"..",
    b".",
    b"/etc/passwd",
    b"x/../../y",
    b"Undelivered/../x",
    b"undelivered",
    b"UNDELIVERED/x",
    b"a\0b",
    b"a\x01b",
    b"\xff\xfe",
    b"&-",
    b"&AAA-",
    b"&AC8-/&AC4-",
    b"a" * 300,
    b"/".join([b"a"] * 200),
    b"a//b",
    b" ",
    b"*",
    b"%",
    b"~",
    b".cur",
    b"cur",
    b"new/tmp",
    b"annotations",
    b"uids",
    b"INBOX/INBOX",
    b"inbox/x",
    mutf7.encode("\u202egnp.exe"),
    mutf7.encode("\U0001f4a9" * 60),
]
