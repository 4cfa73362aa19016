"""Old mail goes, with sessions watching it; nothing goes during an incident, nor when the clock jumps."""

import os
import time
from typing import Any

from msgspec.structs import replace
from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from emailgency.flows.upkeep import expire
from emailgency.flows.upkeep.expire import Expiry, ExpirySettings, Told
from emailgency.flows.upkeep.overflow import Overflow
from emailgency.model.directory import STANDARD, Customer, Mailbox, Plan
from emailgency.rules.expiry import DAY
from emailgency.rules.forecast import Span
from emailgency.store import layout
from emailgency.store.directory.changes import Author
from emailgency.store.mailboxes.counts import Counts
from tests.support.imap import MESSAGE
from tests.support.pop3 import PostOffice

PLAN = replace(STANDARD, mailbox_quota=10_000, expiration_delay=30)
LETTER = MESSAGE + b"x" * (1000 - len(MESSAGE))


class Shortening:
    """Addresses, as far as expiry changes them; and the incidents of everybody."""

    def __init__(self, people: Any) -> None:
        self.people = people
        self.open: list[Span] = []

    async def shorten(self, author: Author, mailbox: Mailbox, days: int | None) -> None:
        self.people.mailboxes[mailbox.id] = replace(mailbox, shortened_to=days)

    def spans(self, customer: str) -> list[Span]:
        return self.open


class ExpireTests(TestCase):
    async def setUp(self) -> None:
        self.office = await PostOffice().start()
        self.people = self.office.people
        self.people.the_plan = PLAN
        self.ahead = 0.0
        self.told: list[Told] = []
        self.entries = ["paul"]
        self.people.customers = self.customers
        self.people.entries = self.entries_of
        self.overflow = Overflow(self.people, self.office.root)
        self.world = Shortening(self.people)
        self.expiry = self.begun()
        self.expiry.listeners.append(self.hear)

    def begun(self) -> Expiry:
        return Expiry(
            reactor,
            lambda: time.time() + self.ahead,
            self.people,
            self.world,
            self.office.folders,
            Counts(reactor, self.office.root),
            self.world,
            self.overflow,
            ExpirySettings(),
        )

    async def tearDown(self) -> None:
        await self.office.stop()

    async def customers(self) -> list[Customer]:
        return [await self.people.customer("c1")]

    async def entries_of(self, customer: str) -> list[Mailbox]:
        return [self.people.mailboxes[name] for name in self.entries]

    async def hear(self, mailbox: Mailbox, plan: Plan, told: Told) -> None:
        self.told.append(told)

    async def came(self, *days: float, folder: str | None = None, letter: bytes = LETTER) -> None:
        """Messages that came so many days ago; their dates say something else."""
        opened = await self.office.folders.create(folder or self.office.path(), quiet=True)
        for ago in days:
            arrival = self.office.folders.begin_append(time.time() - ago * DAY)
            arrival.write(letter)
            await self.office.folders.append(opened, arrival, "", 1e9)

    def left(self, *name: str) -> int:
        return sum(len(os.listdir(f"{self.office.disk(*name)}/{part}")) for part in ("new", "cur"))

    # ---- age ---------------------------------------------------------------------------------------------

    async def test_old_mail_goes_from_every_folder_and_young_mail_stays(self) -> None:
        await self.came(40, 31, 29)
        await self.came(50, 1, folder=self.office.path("Sent"))
        await self.expiry.sweep_all()
        assert (self.left(), self.left("Sent")) == (1, 1)
        assert not self.told
        self.people.mailboxes["paul"] = replace(self.people.mailboxes["paul"], expiration_delay=7)
        await self.expiry.sweep_all()
        assert (self.left(), self.left("Sent")) == (0, 1)

    async def test_open_sessions_are_told_as_of_any_expunge(self) -> None:
        await self.came(40, 35, 3, 2)
        plain = await self.office.member(folder="INBOX")
        quick = await self.office.member()
        await quick.ok(b"ENABLE QRESYNC")
        await quick.ok(b"SELECT INBOX")
        pop = await self.office.reader()
        assert (await pop.ok(b"STAT")).split()[0] == b"4"
        await self.expiry.sweep_all()
        assert await plain.ok(b"NOOP") == [b"* 2 EXPUNGE", b"* 1 EXPUNGE"]
        assert b"* VANISHED 1:2" in await quick.ok(b"NOOP")
        assert [line for line in await plain.ok(b"SEARCH ALL") if b"SEARCH" in line] == [b"* SEARCH 1 2"]
        assert (await pop.ok(b"STAT")).split()[0] == b"4"  # its numbers stay until it leaves (RFC 1939 section 8)
        await pop.err(b"RETR 1")
        assert (await pop.message(b"RETR 3")) == LETTER + b"\r\n"
        assert (await (await self.office.member()).ok(b"GETQUOTA mailbox"))[0].startswith(
            b"* QUOTA mailbox (STORAGE 2 "
        )

    async def test_nothing_goes_while_an_incident_is_open(self) -> None:
        await self.came(400, *range(2, 20))
        self.world.open = [Span(time.time() - 10, None)]
        await self.expiry.sweep_all()
        assert self.left() == 19
        assert [told.days for told in self.told] == [None]  # it is full, and somebody should know
        self.world.open = []
        await self.expiry.sweep_all()
        assert self.left() == 9

    async def test_a_clock_that_jumps_ahead_takes_nobodys_mail(self) -> None:
        await self.came(5)
        self.ahead = 365 * DAY
        await self.expiry.sweep_all()
        await self.expiry.sweep_all()
        assert self.left() == 1
        assert len(self.flushLoggedErrors()) == 0

    async def test_nor_does_one_that_has_jumped_before_a_restart(self) -> None:
        await self.expiry.trusted.remember()
        await self.came(5)
        self.ahead = 365 * DAY
        await self.expiry.sweep_all()
        await self.expiry.trusted.remember()
        await self.begun().sweep_all()
        self.ahead = 400 * DAY
        await self.begun().sweep_all()
        assert self.left() == 1

    async def test_undelivered_is_kept_for_as_long_as_the_plan_allows(self) -> None:
        await self.came(91, 89, folder=layout.undelivered("c1"))
        await self.expiry.sweep_all()
        left = os.listdir(f"{self.office.root}/{layout.undelivered('c1')}/cur")
        assert len(left + os.listdir(f"{self.office.root}/{layout.undelivered('c1')}/new")) == 1

    # ---- room --------------------------------------------------------------------------------------------

    async def test_the_oldest_mail_of_all_folders_makes_room_and_the_delay_is_shortened(self) -> None:
        await self.came(20, 10, 5, 4, 3)
        await self.came(19, 9, 8, 2, 0, folder=self.office.path("Sent"))
        await self.expiry.sweep_all()
        assert (self.left(), self.left("Sent")) == (4, 5)
        assert self.people.mailboxes["paul"].shortened_to == 20
        assert self.told == [Told(10_000, 10_000, 20)]
        await self.expiry.sweep_all()
        assert len(self.told) == 1

    async def test_a_delay_is_what_its_user_wants_again_when_there_is_room(self) -> None:
        await self.came(3, 2)
        self.people.mailboxes["paul"] = replace(self.people.mailboxes["paul"], shortened_to=5)
        await self.expiry.sweep_all()
        assert self.people.mailboxes["paul"].shortened_to is None
        assert not self.told

    async def test_mail_that_fills_a_mailbox_is_made_room_for_soon(self) -> None:
        self.office.storer.listeners.append(self.overflow.delivered)
        await self.came(12, 11, 10, 9, 8, 7, 6, 5, 4)
        await self.expiry.sweep_all()
        assert (self.left(), self.overflow.due) == (9, set())
        self.overflow.due.add("paul")
        await self.came(0)
        await self.expiry.make_room()
        assert self.left() == 9
        assert not self.overflow.due

    async def test_a_mailbox_in_which_no_room_can_be_made_is_not_looked_at_all_the_time(self) -> None:
        await self.came(*[0.1] * 12)
        looks = []
        sweep = self.expiry.sweep
        self.expiry.sweep = lambda *some: looks.append(some) or sweep(*some)
        self.overflow.due.add("paul")
        for _ in range(5):
            await self.expiry.make_room()
        assert (len(looks), self.left()) == (1, 12)
        assert self.told == [Told(12_000, 10_000, None)]

    async def test_a_server_that_stops_leaves_the_rest_for_the_next_start(self) -> None:
        self.patch(expire, "BATCH", 2)
        await self.came(40, 40, 40, 40)
        asked = []
        self.expiry.stopping = lambda: asked.append(self.left()) or len(asked) > 2
        await self.expiry.sweep_all()
        assert self.left() == 2
        self.overflow.due.add("paul")
        await self.expiry.sweep_all()
        await self.expiry.make_room()
        assert self.left() == 2
        self.expiry.stopping = bool
        await self.expiry.sweep_all()
        assert self.left() == 0

    async def test_who_has_gone_is_passed_over(self) -> None:
        self.overflow.due.add("nobody")
        await self.expiry.make_room()
        assert not self.overflow.due
        await self.expiry.sweep_all()  # paul has no files yet
