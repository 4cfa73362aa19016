"""Mailboxes beyond their quota: mail is taken until the customer's reserve is used up (product row B12)."""

from msgspec.structs import replace
from twisted.trial.unittest import TestCase

from emailgency.codec.smtp.command import Mail, Rcpt
from emailgency.flows.receiving.receive import Reception, ReceptionLimits, Transaction
from emailgency.flows.receiving.unknown_recipients import HELD
from emailgency.flows.upkeep.overflow import NO_ROOM, Overflow
from emailgency.model.directory import STANDARD, Alias
from emailgency.model.envelope import Catchall, Client, Deliver, Relay
from emailgency.model.verdict import Verdict
from emailgency.rules.routing import Route
from emailgency.store import layout
from emailgency.store.directory.changes import Change, edit
from emailgency.store.storing.replies import Delivered, Placed
from tests.support.imap import FewMailboxes, all_of
from tests.support.smtp import MemorySpool

TARGETS = (Deliver(customer="c1", mailbox="paul", recipient=0), Relay(customer="c1", address="p@x.zz", recipient=0))
PAUL = Rcpt(address="paul@mydomain.zz")
FORGED = b"Authentication-Results: mx.zz; spf=pass" + b" x" * 400 + b"\r\nSubject: x\r\n\r\n"  # taken off
SOMEWHERE = "192.0.2.1"


def delivered(mailbox: str, octets: int) -> Delivered:
    name = f"1.x.host,S={octets},U=1"
    return Delivered(1, "x", (Placed(layout.mailbox("c1", mailbox), 1, "new", name),), ())


class OverflowTests(TestCase):
    def setUp(self) -> None:
        self.people = FewMailboxes(replace(STANDARD, mailbox_quota=1000, reserve=500))
        self.overflow = Overflow(self.people, "/nowhere")
        self.spool = MemorySpool()
        self.reception = Reception(self, self.spool, lambda: 1.0, "mx.zz", ReceptionLimits())
        self.reception.rooms = (self.overflow,)

    async def resolve(self, recipient: object, index: int) -> Route:
        """What each address means."""
        return Route(await self.people.customer("c1"), None, None, TARGETS, 1 << 20)

    def reserve(self, octets: int) -> None:
        self.people.the_plan = replace(self.people.the_plan, reserve=octets)

    def counted(self, mailbox: str, octets: int) -> None:
        """With nothing delivered meanwhile."""
        self.overflow.counted("c1", mailbox, octets, 1000, self.overflow.added(mailbox))

    async def accepted(self, octets: int, mailbox: str = "paul", *, arrives: bool = True) -> bool:
        """One transaction after the other."""
        settle = await self.overflow.claim((Deliver(customer="c1", mailbox=mailbox, recipient=0),), SOMEWHERE, octets)
        if isinstance(settle, Verdict):
            return False
        if settle is not None:
            settle(octets)
        if arrives:
            self.overflow.delivered(delivered(mailbox, octets))
        return True

    async def test_a_mailbox_nobody_has_counted_takes_mail_and_is_counted_soon(self) -> None:
        assert await self.overflow.claim(TARGETS, SOMEWHERE, 10_000) is None
        self.overflow.delivered(delivered("paul", 100))
        assert self.overflow.due == {"paul"}

    async def test_what_arrives_while_a_mailbox_is_counted_is_not_forgotten(self) -> None:
        self.overflow.delivered(delivered("paul", 100))
        added = self.overflow.added("paul")
        self.overflow.delivered(delivered("paul", 900))
        self.overflow.counted("c1", "paul", 100, 1000, added)
        assert self.overflow.due == {"paul"}
        assert not await self.accepted(501)
        added = self.overflow.added("paul")
        self.overflow.counted("c1", "paul", 1000, 1000, added)
        assert not self.overflow.due

    async def test_other_targets_need_no_room(self) -> None:
        self.counted("paul", 5000)
        others = (TARGETS[1], Catchall(customer="c1", address="x@mydomain.zz", recipient=0))
        assert await self.overflow.claim(others, SOMEWHERE, 100) is None

    async def test_the_quota_refuses_nothing_the_reserve_does(self) -> None:
        self.counted("paul", 950)
        assert [await self.accepted(100) for _ in range(7)] == [True] * 5 + [False] * 2
        assert "paul" in self.overflow.due

    async def test_all_mailboxes_of_a_customer_share_his_reserve_and_small_ones_are_not_harmed(self) -> None:
        for name, octets in (("paul", 1300), ("mary", 1150), ("boss", 10)):
            self.counted(name, octets)
        self.overflow.counted("c2", "chief", 5000, 1000)
        assert [await self.accepted(100, name) for name in ("paul", "mary", "boss")] == [False, False, True]
        assert await self.accepted(50, "mary")
        assert not await self.accepted(1, "mary")
        self.counted("paul", 900)  # room was made
        assert await self.accepted(100, "mary")

    async def test_what_was_accepted_counts_until_it_is_delivered_and_what_was_not_does_not(self) -> None:
        self.counted("paul", 1000)
        for _ in range(20):
            settle = await self.overflow.claim(TARGETS, SOMEWHERE, 400)
            assert callable(settle)
            settle(None)
        assert await self.accepted(300, arrives=False)
        assert not await self.accepted(300)
        self.overflow.delivered(delivered("paul", 300))
        assert not await self.accepted(300)
        assert await self.accepted(200)

    async def test_who_has_another_plan_or_rights_is_looked_at_soon(self) -> None:
        paul = self.people.mailboxes["paul"]
        for name in ("paul", "mary"):
            self.counted(name, 10)
        self.overflow.counted("c2", "chief", 10, 1000)
        customer = await self.people.customer("c1")
        alias = Alias(customer="c1", address=paul.address, mailbox="paul")
        for made, due in (
            (edit("entry", "c1/paul", paul, replace(paul, vip=True)), {"paul"}),
            (edit("entry", "c1/paul", paul, None), set()),
            (edit("entry", "c1/boss", None, alias), set()),
            (edit("customer", "c1", customer, replace(customer, plan="premium")), {"paul", "mary"}),
            (edit("plan", "standard", STANDARD, replace(STANDARD, mailboxes=1)), {"paul", "mary", "chief"}),
        ):
            self.overflow.due.clear()
            self.overflow.changed(Change(1, 0.0, "x", "x", "x", "c1", (made,)))
            assert self.overflow.due == due

    async def test_a_mailbox_that_has_gone_holds_nothing(self) -> None:
        self.counted("paul", 1500)
        assert not await self.accepted(10)
        self.overflow.forget("paul")
        self.counted("mary", 1000)
        assert await self.accepted(500, "mary")

    async def test_attack_29_fifty_deliveries_at_once_never_share_the_last_room(self) -> None:
        for octets in (1000, 900, 1400):
            self.counted("paul", octets)
            answers = await all_of(*(self.overflow.claim(TARGETS, SOMEWHERE, 100) for _ in range(50)))
            taken = [answer for answer in answers if not isinstance(answer, Verdict)]
            assert len(taken) == (1500 - octets) // 100
            for settle in taken:
                settle(100)
                self.overflow.delivered(delivered("paul", 100))
            assert isinstance(await self.overflow.claim(TARGETS, SOMEWHERE, 1), Verdict)
            self.counted("paul", 1500)  # the recount says the same
            assert isinstance(await self.overflow.claim(TARGETS, SOMEWHERE, 1), Verdict)

    # ---- transactions --------------------------------------------------------------------------------------

    async def test_a_sender_hears_452_at_that_recipient(self) -> None:
        self.counted("paul", 1500)
        assert await self.transaction(10).recipient(PAUL) == NO_ROOM

    async def test_attack_29_who_names_one_mailbox_a_hundred_times_takes_its_room_once(self) -> None:
        self.counted("paul", 900)
        transaction = self.transaction(300)
        assert {(await transaction.recipient(PAUL)).code for _ in range(100)} == {250}
        assert await self.accepted(200)
        transaction.abort()
        assert await self.accepted(400)

    async def test_attack_29_connections_that_announce_much_and_send_nothing_keep_nobody_out(self) -> None:
        self.reserve(10 * HELD)
        self.counted("paul", 1000)
        for size in (4 * HELD, None) * 4:
            assert (await self.transaction(size).recipient(PAUL)).code == 250
        assert await self.accepted(HELD)

    async def test_attack_29_what_is_bigger_than_announced_is_looked_at_again_at_its_end(self) -> None:
        self.reserve(5 * HELD)
        self.counted("paul", 1000)
        waiting = [self.transaction(size) for size in (None, 10, 2 * HELD)]
        for transaction in waiting:
            assert (await transaction.recipient(PAUL)).code == 250
        body = b"Subject: x\r\n\r\n" + b"x" * 2 * HELD
        answers = [await transaction.finish(body + b"%d\r\n" % n) for n, transaction in enumerate(waiting)]
        assert [answer.code for answer in answers] == [250, 452, 250]
        assert answers[1] == NO_ROOM
        for _, octets in self.spool.messages:
            self.overflow.delivered(delivered("paul", len(octets) + 30))
        assert await self.accepted(HELD // 2)

    async def test_what_has_been_delivered_leaves_nothing_behind_that_is_still_to_come(self) -> None:
        """Also what the sender says twice, and what is stored with fewer octets than came."""
        self.reserve(1 << 20)
        self.counted("paul", 10)
        for number in range(40):
            transaction = self.transaction(None)
            await transaction.recipient(PAUL)
            answer = await transaction.finish(FORGED + b"%d\r\n" % (number // 2))
            assert answer.code == 250
            if number % 2 == 0:
                self.overflow.delivered(delivered("paul", len(self.spool.messages[-1][1])))
        octets = 10 + sum(len(octets) for _, octets in self.spool.messages)
        assert self.overflow._sizes["paul"].taken == octets

    async def test_a_mailbox_beyond_its_quota_by_what_is_to_come_is_counted_soon(self) -> None:
        self.reserve(1 << 20)
        self.counted("paul", 100)
        assert await self.accepted(2000, arrives=False)
        self.overflow.delivered(delivered("paul", 10))
        assert self.overflow.due == {"paul"}

    def transaction(self, size: int | None) -> Transaction:
        return Transaction(self.reception, Client(ip=SOMEWHERE), Mail(sender="a@b.zz", size=size), "ESMTP")
