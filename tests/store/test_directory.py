"""What the directory promises, on a real Redis and a real journal."""

from twisted.internet.defer import Deferred, DeferredList
from twisted.trial.unittest import TestCase

from emailgency.model.directory import Domain, DomainKind
from emailgency.store.changes import Author, edit
from emailgency.store.directory import Conflict
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
