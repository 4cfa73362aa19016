"""A wall clock that has jumped ahead is not believed, also when it did so while no server ran."""

import os
import shutil
import tempfile
import time
from typing import Any

from twisted.internet import reactor
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import TestCase

from emailgency.flows.upkeep.trusted_clock import AWAY, HOUR, TrustedClock
from emailgency.rules.expiry import DAY
from emailgency.store import layout


class Later:
    """The reactor, some seconds later."""

    def __init__(self) -> None:
        self.by = 0.0

    def seconds(self) -> float:
        return reactor.seconds() + self.by

    def __getattr__(self, name: str) -> Any:
        return getattr(reactor, name)


class TrustedClockTests(TestCase):
    def setUp(self) -> None:
        self.data = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.data)
        self.path = os.path.join(self.data, layout.BELIEVED_TIME)
        self.later = Later()
        self.ahead = 0.0

    def start(self) -> TrustedClock:
        return TrustedClock(self.later, lambda: time.time() + self.later.by + self.ahead, self.data)

    def mailbox(self) -> None:
        os.makedirs(os.path.join(self.data, layout.mailbox("acme", "paul"), "cur"))

    async def test_it_is_believed_when_nobody_has_mail_yet_and_after_a_usual_restart(self) -> None:
        clock = self.start()
        assert clock.is_right()
        await clock.remember()
        self.mailbox()
        self.ahead = AWAY - HOUR
        assert self.start().is_right()

    async def test_a_jump_before_a_start_is_seen_and_said_once_and_believed_after_a_day(self) -> None:
        self.mailbox()
        await self.remembered()
        self.ahead = 400 * DAY
        with capturedLogs() as events:
            clock = self.start()
            for _ in range(3):
                assert not clock.is_right()
                await clock.remember()  # what is not believed is not remembered: a second restart sees it as well
        assert len([event for event in events if "ALERT" in formatEvent(event)]) == 1
        assert not self.start().is_right()
        self.later.by += DAY
        assert clock.is_right()
        await clock.remember()
        assert self.start().is_right()

    async def test_a_jump_while_it_ran_is_not_forgotten_by_a_restart(self) -> None:
        self.mailbox()
        clock = await self.remembered()
        self.ahead = 400 * DAY
        await clock.remember()  # as at a stop
        assert not self.start().is_right()

    async def test_without_a_good_file_beside_mailboxes_nothing_is_believed(self) -> None:
        self.mailbox()
        assert not self.start().is_right()
        await self.remembered()
        with open(self.path, "rb") as file:
            octets = file.read()
        for damaged in (b"", b"\n", octets[:-3], octets.replace(b" 1", b" 9"), b"\0" * len(octets), b"x" * 200):
            with open(self.path, "wb") as file:
                file.write(damaged)
            assert not self.start().is_right(), damaged

    async def test_a_disk_that_takes_nothing_keeps_the_last_time(self) -> None:
        clock = await self.remembered()
        os.rename(self.data, self.data + "2")
        await clock.remember()
        os.rename(self.data + "2", self.data)
        assert self.start().is_right()

    async def remembered(self) -> TrustedClock:
        """By a server that is believed after its first day."""
        clock = self.start()
        self.later.by += DAY
        assert clock.is_right()
        await clock.remember()
        return clock
