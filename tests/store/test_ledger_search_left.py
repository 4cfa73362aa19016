"""Searches of the ledger keep their place for as long as they take, whoever still waits for them."""

import threading
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from emailgency.store.ledger.search import AT_ONCE, LedgerSearch


class LeftSearches(TestCase):
    async def test_attack_29_searches_that_nobody_waits_for_any_more_are_no_more_at_once(self) -> None:
        """Else who hangs up again and again has all threads search for him."""
        go_on, here, most = threading.Event(), list[int](), list[int]()
        nobodys: Any = None
        search = LedgerSearch(reactor, nobodys)

        def slow(number: int) -> int:
            here.append(number)
            most.append(len(here))
            go_on.wait(60)
            here.remove(number)
            return number

        for number in range(3 * AT_ONCE):
            asking = Deferred.fromCoroutine(search._in_thread(slow, number)).addErrback(lambda failure: None)
            for _ in range(50):
                await deferLater(reactor, 0)
            asking.cancel()
        go_on.set()
        self.assertEqual(await search._in_thread(slow, 99), 99)
        self.assertEqual(max(most), AT_ONCE)
