"""Who asked for a change may go away while it is being made: a browser that is closed, a page that is loaded anew."""

import threading
from collections.abc import Callable
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from emailgency.model.directory import Domain, DomainKind
from emailgency.store.directory.changes import Author, Change, edit
from tests.support.directory import RealDirectory

AUTHOR = Author("tests", "command line")


class SlowDisk:
    """Appends to the change journal when it is told to go on. Counts how many are there at once."""

    def __init__(self, append: Callable[[Change], Any]) -> None:
        self.here = self.most = 0
        self.go_on = threading.Event()
        self._append = append

    def __call__(self, change: Change) -> Any:
        self.here += 1
        self.most = max(self.most, self.here)
        self.go_on.wait(60)
        try:
            return self._append(change)
        finally:
            self.here -= 1


class LeftAlone(TestCase):
    async def setUp(self) -> None:
        self.real = RealDirectory()
        self.directory = await self.real.start()

    async def tearDown(self) -> None:
        await self.real.stop()

    def change(self, name: str) -> "Deferred[None]":
        domain = Domain(name, "c1", DomainKind.MAIN)
        return Deferred.fromCoroutine(self.directory.change(AUTHOR, "add", [edit("domain", name, None, domain)]))

    async def test_attack_28_a_change_that_nobody_waits_for_any_more_is_made_whole_and_alone(self) -> None:
        """Else the next one is written over it, and no start reads the journal again."""
        journal: Any = self.directory._journal._journal
        journal.append = disk = SlowDisk(journal.append)
        told: list[str] = []
        self.directory.listeners.append(lambda change: told.extend(edit.key for edit in change.edits))
        first = self.change("a.zz")
        while not disk.here:
            await deferLater(reactor, 0)
        first.cancel()
        second = self.change("b.zz")
        for _ in range(20):
            await self.real.connection.execute("PING")  # as long as the second one would need to get there
        disk.go_on.set()
        with self.assertRaises(CancelledError):
            await first
        await second
        self.assertEqual((disk.most, told), (1, ["a.zz", "b.zz"]))
        for directory in (self.directory, None):
            if directory is None:
                await self.real.close()
                directory = await self.real.open()
            self.assertIsNotNone(await directory.domain("a.zz"))
            self.assertIsNotNone(await directory.domain("b.zz"))
