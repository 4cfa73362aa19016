"""A deed on many goes on behind whoever began it, one at a time; a kill leaves every row done or not, and told so."""

import os
import time
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from emailgency.codec.address import parse
from emailgency.flows.addresses.broken_off import NOT_DONE, NOT_UNDONE, PERHAPS, BrokenOff
from emailgency.flows.addresses.bulk import FEW, TROUBLE, Bulk, step_of
from emailgency.flows.addresses.turning_back import TurningBack
from emailgency.model.bulk import Results, Row, Step
from emailgency.model.directory import STANDARD, Mailbox
from emailgency.model.errors import Busy, Invalid, Temporary
from emailgency.model.words import Words
from emailgency.store.directory.audit import Audit
from emailgency.store.directory.changes import Author
from emailgency.store.experience.bulk_results import BulkResults
from tests.support.customers import AUTHOR, RealCustomers

MANY = 3 * FEW
NAMES = [f"n{number:02}@mydomain.zz" for number in range(MANY)]
WORDS = Words("Addresses are banished")


class NoMail:
    """Nobody here has any."""

    async def bring(self, step: Step) -> None:
        return

    async def take_away(self, step: Step) -> None:
        return


class Many(TestCase):
    async def setUp(self) -> None:
        self.real = RealCustomers()
        await self.real.begin()
        self.customer = (await self.real.customer("mydomain.zz")).id
        self.kept: Any = BulkResults(self.real.connection)
        self.bulk = self.made()
        self.turn = 0  # of `slowly`
        self.stays: Deferred[None] = Deferred()

    async def tearDown(self) -> None:
        await self.real.stop()

    def made(self) -> Bulk:
        """As after a restart."""
        mail: Any = NoMail()
        turning_back = TurningBack(self.real.directory, mail)
        journal = Audit(reactor, os.path.join(self.real.folder, "journal"))
        return Bulk(reactor, turning_back, BrokenOff(journal, turning_back), self.kept, time.time)

    async def banish(self, author: Author, subject: str) -> Step | None:
        address = parse(subject)
        return await step_of(
            self.real.directory, self.customer, address.local, lambda: self.real.addresses.banish(author, address)
        )

    async def until(self, after: int, author: Author, subject: str) -> Step | None:
        """So many are done, then everything stands still."""
        self.turn += 1
        if self.turn > after:
            await self.stays
            raise Temporary("it was killed")
        return await self.banish(author, subject)

    async def begin(self, names: list[str], deed: Any = None) -> str:
        return await self.bulk.begin(AUTHOR, self.customer, names, deed or self.banish, WORDS, "/candidates")

    async def find(self, id: str) -> Results:
        found = await self.bulk.find(self.customer, id)
        assert found is not None
        return found

    async def over(self, id: str) -> Results:
        while not (found := await self.find(id)).finished:
            await self.real.connection.execute("PING")
        return found

    async def banished(self) -> set[str]:
        return {str(entry.address) for entry in await self.real.directory.entries(self.customer)} & set(NAMES)

    async def test_a_few_are_done_at_once_and_many_go_on_behind(self) -> None:
        few = await self.find(await self.begin(NAMES[:FEW]))
        assert (few.finished, few.done) == (True, FEW)
        id = await self.begin(NAMES)
        assert not (await self.find(id)).finished
        results = await self.over(id)
        assert [row.subject for row in results.rows] == NAMES
        assert (results.done, results.refused, results.waiting) == (MANY, 0, 0)
        assert results == await self.kept.find(self.customer, id)

    async def test_one_at_a_time_for_a_customer(self) -> None:
        other = (await self.real.customer("other.zz")).id
        id = await self.begin(NAMES, lambda author, subject: self.until(10, author, subject))
        for again in (self.begin(NAMES[:1]), self.bulk.turn_back(AUTHOR, self.customer, id)):
            with self.assertRaises(Busy):
                await again
        await self.bulk.begin(AUTHOR, other, ["x@other.zz"], self.banish, WORDS, "/candidates")
        self.stays.callback(None)
        await self.over(id)
        assert (await self.find(await self.begin(NAMES[:1]))).done == 1

    async def test_whoever_goes_away_stops_nothing(self) -> None:
        asking = Deferred.fromCoroutine(self.begin(NAMES[:2], lambda author, one: self.until(1, author, one)))
        while not self.turn:
            await self.real.connection.execute("PING")
        asking.addErrback(lambda failure: None)
        asking.cancel()
        self.stays.callback(None)
        while len(await self.banished()) < 1 or self.bulk._runs:
            await self.real.connection.execute("PING")
        assert self.turn == 2

    async def test_who_hangs_up_while_a_broken_off_deed_is_settled_keeps_nobody_from_the_next(self) -> None:
        id = await self.begin(NAMES, lambda author, subject: self.until(2, author, subject))
        while len(await self.banished()) < 2:
            await self.real.connection.execute("PING")
        self.bulk = self.made()
        asking = Deferred.fromCoroutine(self.bulk.find(self.customer, id))
        while not self.bulk._runs:
            await self.real.connection.execute("PING")
        asking.addErrback(lambda failure: None)
        asking.cancel()
        assert len([row for row in (await self.over(id)).rows if row.fault is None]) == 2
        assert (await self.find(await self.begin(NAMES[5:7]))).done == 2

    async def test_who_hangs_up_before_a_deed_has_begun_keeps_nobody_from_the_next(self) -> None:
        asking = Deferred.fromCoroutine(self.begin(NAMES[:2]))
        asking.addErrback(lambda failure: None)
        asking.cancel()
        assert (await self.find(await self.begin(NAMES[2:4]))).done == 2

    async def test_a_stop_ends_it_between_two_rows_and_the_results_say_so(self) -> None:
        id = await self.begin(NAMES)
        await self.bulk.stop(30.0)
        self.bulk = self.made()
        results = await self.find(id)
        assert results.finished
        assert {row.subject for row in results.rows if row.fault is None} == await self.banished()
        assert all(row.fault in (None, NOT_DONE) for row in results.rows)
        assert results.refused > 0

    async def test_a_kill_leaves_every_row_done_or_not_and_the_results_know_which(self) -> None:
        killed = 25
        id = await self.begin(NAMES, lambda author, subject: self.until(killed, author, subject))
        while self.turn <= killed or len(await self.banished()) < killed:
            await self.real.connection.execute("PING")
        await self.real.addresses.banish(AUTHOR, parse(NAMES[-1]))  # somebody else, in no deed on many
        self.bulk = self.made()  # of the other nothing more is heard
        results = await self.find(id)
        assert results.finished
        done = {row.subject for row in results.rows if row.fault is None}
        assert (len(done), done) == (killed, await self.banished() - {NAMES[-1]})
        assert all(row.fault in (None, NOT_DONE) for row in results.rows)
        assert await self.bulk.turn_back(AUTHOR, self.customer, id)
        assert sum(row.turned_back for row in (await self.over(id)).rows) == killed
        assert await self.banished() == {NAMES[-1]}

    async def test_a_kill_in_an_undo_leaves_what_is_undone_and_what_can_be_undone_still(self) -> None:
        id = await self.begin(NAMES)
        results = await self.over(id)
        waiting = [Row(row.subject, step=row.step, waiting=True) for row in results.rows]
        broken_off = Results(
            customer=self.customer,
            deed=WORDS,
            panel="/candidates",
            at=time.time(),
            rows=tuple(waiting),
            finished=False,
            undoing=True,
        )
        for name in NAMES[:7]:
            await self.real.addresses.remove(AUTHOR, parse(name))
        await self.kept.keep(broken_off, id)
        self.bulk = self.made()
        results = await self.find(id)
        assert [row.turned_back for row in results.rows] == [True] * 7 + [False] * (MANY - 7)
        assert all(row.back == NOT_UNDONE for row in results.rows[7:])
        assert results.can_turn_back
        await self.bulk.turn_back(AUTHOR, self.customer, id)
        assert all(row.turned_back for row in (await self.over(id)).rows)
        assert not await self.banished()

    async def test_attack_29_an_undo_takes_no_more_than_the_plan_has_room_for(self) -> None:
        """What was given up may be somebody else's by now: ten VIP mailboxes become no twenty."""
        most = STANDARD.vip_mailboxes

        async def plain(author: Author, subject: str) -> Step | None:
            address = parse(subject)
            return await step_of(
                self.real.directory,
                self.customer,
                address.local,
                lambda: self.real.addresses.set_mailbox(author, address, vip=False),
            )

        for name in NAMES[:most]:
            await self.real.mailbox(name, vip=True)
        id = await self.begin(NAMES[:most], plain)
        for name in NAMES[most + 1 : 2 * most]:  # room for one is left
            await self.real.mailbox(name, vip=True)
        await self.bulk.turn_back(AUTHOR, self.customer, id)
        rows = (await self.find(id)).rows
        assert sum(row.turned_back for row in rows) == 1
        assert all(row.turned_back or "VIP mailboxes" in str(row.back) for row in rows)
        entries = await self.real.directory.entries(self.customer)
        assert sum(isinstance(entry, Mailbox) and entry.vip for entry in entries) == most

    async def test_attack_36_a_customer_who_is_removed_meanwhile_fills_no_log(self) -> None:
        async def gone(author: Author, subject: str) -> None:
            await self.real.directory.customer("removed")

        results = await self.find(await self.begin(NAMES[:3], gone))
        assert [row.fault for row in results.rows] == [TROUBLE] * 3
        assert not self.flushLoggedErrors()

    async def test_of_a_pending_message_nobody_claims_more_than_the_journal_knows(self) -> None:
        """The spool comes first there, so a kill may come between the two."""

        async def hold(author: Author, subject: str) -> None:
            self.turn += 1
            if self.turn > 2:
                await self.stays
            what = f"pending message {subject} for x@mydomain.zz held"
            await self.real.directory.change(author, what, (), self.customer)

        ids = [f"{number:08x}abcd" for number in range(MANY)]
        id = await self.bulk.begin(AUTHOR, self.customer, ids, hold, Words("Messages are held"), "/pending")
        while self.turn <= 2 or (await self.find(id)).waiting > MANY - 2:
            await self.real.connection.execute("PING")
        self.bulk = self.made()
        results = await self.find(id)
        done = [row.subject for row in results.rows if row.fault is None]
        assert done == ids[:2]
        assert all(row.fault == PERHAPS for row in results.rows[2:])
        assert not results.can_turn_back

    async def test_what_redis_does_not_keep_is_told_all_the_same(self) -> None:
        keep, trouble = self.kept.keep, []

        async def fails(results: Results, id: str = "") -> str:
            if results.finished:
                trouble.append(id)
                raise Temporary("no Redis")
            return await keep(results, id)

        self.kept.keep = fails
        id = await self.begin(NAMES[:3])
        assert trouble == [id]
        assert (await self.find(id)).done == 3
        self.kept.keep = keep
        assert (await self.find(await self.begin(NAMES[3:5]))).done == 2
        assert (await self.find(id)).done == 3  # by now from the journal

    async def test_nothing_is_begun_without_a_place_for_its_results(self) -> None:
        async def fails(results: Results, id: str = "") -> str:
            raise Temporary("no Redis")

        keep, self.kept.keep = self.kept.keep, fails
        with self.assertRaises(Temporary):
            await self.begin(NAMES[:3])
        assert not await self.banished()
        self.kept.keep = keep
        await self.begin(NAMES[:3])
        for wrong in ([], [f"x{number}" for number in range(1001)]):
            with self.assertRaises(Invalid):
                await self.begin(wrong)
