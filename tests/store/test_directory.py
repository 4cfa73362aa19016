"""What the directory promises, on a real Redis and a real journal."""

import errno
import os
import time

from twisted.internet.defer import Deferred, DeferredList, gatherResults
from twisted.trial.unittest import TestCase

from emailgency.model.directory import Domain, DomainKind, Plan
from emailgency.model.errors import Temporary
from emailgency.store.directory.changes import Author, Change, edit
from emailgency.store.directory.directory import Conflict
from emailgency.store.directory.journal import Journal
from tests.support.directory import RealDirectory

AUTHOR = Author("tests", "command line")


class DirectoryTests(TestCase):
    async def setUp(self) -> None:
        self.real = RealDirectory()
        self.directory = await self.real.start()

    async def tearDown(self) -> None:
        await self.real.stop()

    async def test_the_first_start_ships_the_plans(self) -> None:
        self.assertEqual([plan.name for plan in await self.directory.plans()], ["premium", "standard"])

    async def test_a_change_is_there_at_once_and_after_a_restart(self) -> None:
        domain = Domain("a.zz", "c1", DomainKind.MAIN)
        await self.directory.change(AUTHOR, "add", [edit("domain", "a.zz", None, domain)])
        self.assertEqual(await self.directory.domain("a.zz"), domain)
        await self.real.close()
        directory = await self.real.open()
        self.assertEqual(await directory.domain("a.zz"), domain)

    async def test_of_two_racing_creations_one_wins(self) -> None:
        first, second = (Domain("a.zz", customer, DomainKind.MAIN) for customer in ("c1", "c2"))
        changes = [
            Deferred.fromCoroutine(self.directory.change(AUTHOR, "add", [edit("domain", "a.zz", None, domain)]))
            for domain in (first, second)
        ]
        (won, _), (lost, why) = await DeferredList(changes, consumeErrors=True)
        self.assertEqual((won, lost), (True, False))
        self.assertIsNotNone(why.check(Conflict))
        self.assertEqual(await self.directory.domain("a.zz"), first)

    async def test_the_same_row_twice_in_one_change_is_refused(self) -> None:
        domain = Domain("a.zz", "c1", DomainKind.MAIN)
        with self.assertRaises(Conflict):
            await self.directory.change(AUTHOR, "add", [edit("domain", "a.zz", None, domain)] * 2)
        self.assertIsNone(await self.directory.domain("a.zz"))

    async def test_all_edits_of_a_change_or_none(self) -> None:
        first = Domain("a.zz", "c1", DomainKind.MAIN)
        await self.directory.change(AUTHOR, "add", [edit("domain", "a.zz", None, first)])
        second = Domain("b.zz", "c2", DomainKind.MAIN)
        edits = [edit("domain", "b.zz", None, second), edit("domain", "a.zz", None, second)]
        with self.assertRaises(Conflict):
            await self.directory.change(AUTHOR, "add", edits)
        self.assertIsNone(await self.directory.domain("b.zz"))

    async def test_on_a_full_disk_a_change_does_not_happen_and_the_next_may(self) -> None:
        sync, failures = os.fdatasync, [OSError(errno.ENOSPC, "full")]

        def failing(fd: int) -> None:
            if failures:
                raise failures.pop()
            sync(fd)

        self.patch(os, "fdatasync", failing)
        domain = Domain("a.zz", "c1", DomainKind.MAIN)
        with self.assertRaises(Temporary):
            await self.directory.change(AUTHOR, "add", [edit("domain", "a.zz", None, domain)])
        self.assertIsNone(await self.directory.domain("a.zz"))
        await self.directory.change(AUTHOR, "add", [edit("domain", "a.zz", None, domain)])
        self.directory.forget()
        self.assertEqual(await self.directory.domain("a.zz"), domain)

    async def test_reads_go_on_while_changes_are_made(self) -> None:
        def added(number: int) -> Deferred[None]:
            name = f"d{number}.zz"
            edits = [edit("domain", name, None, Domain(name, "c1", DomainKind.ALIAS))]
            return Deferred.fromCoroutine(self.directory.change(AUTHOR, "add", edits))

        changes = [added(number) for number in range(40)]
        for number in range(400):
            self.directory.forget()
            self.assertIsNone(await self.directory.domain(f"unknown{number}.zz"))
        await gatherResults(changes)
        self.directory.forget()
        for number in range(40):
            self.assertIsNotNone(await self.directory.domain(f"d{number}.zz"))

    async def test_a_listener_that_fails_undoes_nothing(self) -> None:
        heard: list[str] = []

        def failing(change: Change) -> None:
            raise RuntimeError("listener")

        self.directory.listeners += [failing, lambda change: heard.append(change.what)]
        await self.directory.change(AUTHOR, "add", [edit("plan", "p", None, Plan(name="p"))])
        self.assertEqual(heard, ["add"])
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    async def test_every_change_can_be_read_again_with_who_what_and_from_where(self) -> None:
        await self.directory.change(Author("op", "192.0.2.1"), "add p", [edit("plan", "p", None, Plan(name="p"))], "c")
        *_, last = Journal(os.path.join(self.real.folder, "journal")).history()
        self.assertEqual((last.who, last.source, last.what, last.customer), ("op", "192.0.2.1", "add p", "c"))
        self.assertEqual(bytes(last.edits[0].before), b"null")

    async def test_thousands_of_rows_are_one_change_and_come_back_at_once(self) -> None:
        domains = [Domain(f"d{number}.zz", "c1", DomainKind.ALIAS) for number in range(3000)]
        started = time.monotonic()
        await self.directory.change(AUTHOR, "bulk", [edit("domain", each.name, None, each) for each in domains])
        self.real.redis.command("FLUSHALL")
        self.directory.forget()
        with self.assertRaises(Temporary):
            await self.directory.domain("d7.zz")
        await self.directory.when_ready()
        self.assertEqual(await self.directory.domain("d2999.zz"), domains[-1])
        self.assertLess(time.monotonic() - started, 60)


class SnapshotTests(TestCase):
    async def test_a_long_journal_is_summed_up_and_a_restart_begins_there(self) -> None:
        real = RealDirectory(snapshot_octets=1 << 16)
        directory = await real.start()
        try:
            rows = [Plan(name=f"p{number}") for number in range(1000)]
            await directory.change(AUTHOR, "bulk", [edit("plan", each.name, None, each) for each in rows])
            await directory.change(AUTHOR, "one more", [edit("plan", "last", None, Plan(name="last"))])
            await real.close()
            self.assertTrue(os.path.exists(os.path.join(real.folder, "journal", "snapshot.json")))
            real.redis.command("FLUSHALL")
            directory = await real.open()
            self.assertEqual(len(await directory.plans()), 1003)
        finally:
            await real.stop()
