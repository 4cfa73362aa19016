"""NOTIFY SET STATUS and LIST-STATUS over hundreds of folders that nobody has opened yet: others get their turn."""

import os
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from emailgency.servers.imap.status import MANY
from emailgency.store.storing.messages import Open
from tests.support.imap import Office

FOLDERS = 200


class ManyFolders(TestCase):
    async def setUp(self) -> None:
        self.office = await Office().start()
        for number in range(FOLDERS):
            for subfolder in ("cur", "new", "tmp"):
                os.makedirs(f"{self.office.disk(f'F{number}')}/{subfolder}")

    async def tearDown(self) -> None:
        await self.office.stop()

    def count_opens(self) -> dict[str, int]:
        """How many folders the storer has been asked for, how many of those wait, and the most that did at once."""
        counts = {"asked": 0, "waiting": 0, "most": 0}
        ask = self.office.storer.ask

        def answered(result: Any) -> Any:
            counts["waiting"] -= 1
            return result

        def counted(request: Any) -> Any:
            asked = ask(request)
            if isinstance(request, Open):
                counts["asked"] += 1
                counts["waiting"] += 1
                counts["most"] = max(counts["most"], counts["waiting"])
                asked.addBoth(answered)
            return asked

        self.patch(self.office.storer, "ask", counted)
        return counts

    async def test_another_client_waits_for_one_turn_of_folders_and_not_for_all(self) -> None:
        watcher, other = await self.office.member(), await self.office.member("mary")
        await other.ok(b"CREATE Later")
        counts = self.count_opens()
        watching = Deferred.fromCoroutine(watcher.ok(b"NOTIFY SET STATUS (personal (MessageNew MessageExpunge))"))
        await self.office.until(lambda: counts["asked"] > MANY)
        before = counts["asked"]
        await other.ok(b"STATUS Later (MESSAGES)")
        assert counts["asked"] < FOLDERS, f"all {FOLDERS} came first, {before} had been asked for"
        told = await watching
        assert sum(line.startswith(b"* STATUS") for line in told) > FOLDERS
        assert counts["most"] <= MANY + 2  # and what the other client asks for
