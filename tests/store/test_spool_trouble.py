"""The spool when mailboxes go, the disk fills, and the storer hangs or does not keep up."""

import os
import shutil
import signal

from twisted.internet.defer import Deferred

from emailgency.model.envelope import Envelope, Target, Undelivered
from emailgency.store import layout
from emailgency.store.disk import DiskSettings
from emailgency.store.spool.arrival import CHUNK
from emailgency.store.storing.line import StorerSettings
from tests.support.spool_case import INBOX, SpoolCase


class GoneMailboxes(SpoolCase):
    async def relocate(self, envelope: Envelope, target: Target) -> Target:
        return Undelivered(customer="c", recipient=0)

    async def test_a_target_whose_mailbox_has_gone_is_resolved_again_at_start(self) -> None:
        await self.start()
        await self.accept(INBOX)
        await self.crash()
        shutil.rmtree(os.path.join(self.data, "customers"), ignore_errors=True)
        path = os.path.join(self.data, layout.JOURNAL, self.segments()[-1])
        with open(path, "rb") as stream:
            accepted = stream.readline()
        with open(path, "wb") as stream:
            stream.write(accepted)  # as if the crash had come right after COMMIT
        await self.start()
        await self.until(lambda: not self.spool.live)
        self.assertEqual(len(await self.messages(layout.undelivered("c"))), 1)


class LowDisk(SpoolCase):
    async def test_a_low_disk_refuses_mail_and_gives_the_ballast_up(self) -> None:
        ballast = os.path.join(self.data, layout.BALLAST)
        roomy = DiskSettings(reserve=0, files=0, ballast=1 << 20, interval=0.02)
        await self.start(roomy)
        self.assertIsNone(self.spool.accepting)
        await self.until(lambda: os.path.exists(ballast) and os.stat(ballast).st_size == 1 << 20)
        await self.stop()
        await self.start(DiskSettings(reserve=1 << 60, files=0, ballast=1 << 20, interval=0.02))
        assert self.spool.accepting is not None
        self.assertEqual((self.spool.accepting.code, self.spool.accepting.enhanced), (452, "4.3.1"))
        await self.until(lambda: not os.path.exists(ballast))
        await self.accept(INBOX)
        await self.until(lambda: not self.spool.live)


class HungStorer(SpoolCase):
    async def test_mail_gets_451_while_a_storer_that_lives_does_not_answer(self) -> None:
        await self.start()
        storer = self.storer
        assert storer is not None
        storer.settings = StorerSettings(patience=0.05)
        pid = storer._process.pid
        os.kill(pid, signal.SIGSTOP)
        waiting = Deferred.fromCoroutine(self.accept(INBOX))
        self.assertIsNone(self.spool.accepting)
        await self.until(lambda: storer.waited > 0.05)
        self.assertTrue(storer.hung)
        assert self.spool.accepting is not None
        self.assertEqual(self.spool.accepting.code, 451)
        os.kill(pid, signal.SIGCONT)
        await waiting
        self.assertIsNone(self.spool.accepting)
        await self.until(lambda: storer.waited == 0.0)


class BackPressure(SpoolCase):
    async def test_a_storer_that_does_not_keep_up_is_busy(self) -> None:
        await self.start()
        assert self.storer is not None
        told: list[bool] = []
        self.storer.on_busy.append(told.append)
        arrival = self.spool.begin(self.now)
        pid = self.storer._process.pid
        os.kill(pid, signal.SIGSTOP)
        for _ in range(48):
            arrival.write(b"x" * CHUNK)
        await self.until(lambda: bool(told))
        self.assertTrue(self.storer.busy)
        os.kill(pid, signal.SIGCONT)
        await self.until(lambda: told == [True, False])
        arrival.abort()
