"""A storer that cannot live: watchers are told, and told again when it can."""

import os
import shutil
import tempfile
import time
from collections.abc import Callable

from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from emailgency.store.storing.line import Storer, StorerSettings


class DyingTests(TestCase):
    async def setUp(self) -> None:
        self.data = tempfile.mkdtemp(prefix="dying-")
        self.storer = Storer(reactor, self.data, StorerSettings(restart_delay=0.01, patience=0.3))

    async def tearDown(self) -> None:
        await self.storer.stop()
        shutil.rmtree(self.data)

    async def until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 30
        while not condition():
            self.assertLess(time.monotonic(), deadline)
            await deferLater(reactor, 0.02)

    async def test_one_that_dies_again_and_again_is_failing_until_it_lives(self) -> None:
        os.mkdir(f"{self.data}/lock")  # which must be a file
        await self.storer.start()
        self.assertFalse(self.storer.failing)
        await self.until(lambda: self.storer.failing)
        os.rmdir(f"{self.data}/lock")
        await self.until(lambda: not self.storer.failing)
