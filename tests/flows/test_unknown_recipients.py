"""Mail for nobody we know stays within what a customer keeps and what a network may bring (product rows A4, A7)."""

import gc
import os
import shutil
import tempfile
import tracemalloc
from typing import Any

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from emailgency.codec.smtp.command import Mail, Rcpt
from emailgency.flows.receiving.receive import Reception, ReceptionLimits, Transaction
from emailgency.flows.receiving.resolve import Resolver
from emailgency.flows.receiving.unknown_recipients import FULL, TOO_MANY, UnknownLimits, UnknownRecipients
from emailgency.model.address import Address
from emailgency.model.directory import OPERATOR, Customer, Domain, DomainKind, Plan
from emailgency.model.envelope import Catchall, Client, Deliver, Recipient, Undelivered
from emailgency.model.verdict import Verdict
from emailgency.rules.routing import MISSING, Route
from emailgency.store import layout
from emailgency.store.mailboxes.candidates import Candidates
from emailgency.store.mailboxes.counts import Counts
from tests.support.imap import all_of
from tests.support.smtp import MemorySpool

PLAN = Plan(name="small", candidates=3, undelivered_messages=5, undelivered_quota=10_000)
UNDELIVERED = (Undelivered(customer="c1", recipient=0),)
SOMEWHERE = "192.0.2.1"


class OneCustomer:
    """A directory that knows one customer and none of his addresses."""

    async def plan(self, name: str) -> Plan:
        return PLAN

    async def customer(self, id: str) -> Customer:
        return Customer(id=id, domain="mydomain.zz", alternate_domain="mydomainzz.emailgency.com")

    async def domain(self, name: str) -> Domain | None:
        return Domain(name, "c1", DomainKind.MAIN) if name == "mydomain.zz" else None

    async def entry(self, customer: str, local: str) -> None:
        return None


class UnknownRecipientTests(TestCase):
    def setUp(self) -> None:
        self.root = tempfile.mkdtemp(prefix="unknown-")
        self.addCleanup(shutil.rmtree, self.root)
        self.now = 1000.0
        self.build()

    def build(self, at_once: int = 1000) -> None:
        self.candidates = Candidates(reactor, self.root)
        limits = UnknownLimits(at_once=at_once, per_hour=3600)
        counts = Counts(reactor, self.root)
        self.unknowns = UnknownRecipients(self.candidates, counts, OneCustomer(), lambda: self.now, limits)
        self.resolver = Resolver(OneCustomer(), None, lambda: self.now, self.candidates)

    def deliver(self, folder: str, *sizes: int) -> None:
        """As the storer does."""
        for part in ("new", "cur", "tmp"):
            os.makedirs(f"{self.root}/{folder}/{part}", exist_ok=True)
        for number, size in enumerate(sizes):
            with open(f"{self.root}/{folder}/new/1.{number}.host,S={size},U={number + 1}", "wb"):
                pass

    async def targets(self, local: str) -> tuple[Any, ...]:
        route = await self.resolver.resolve(Recipient(as_given=f"{local}@mydomain.zz"), 0)
        assert not isinstance(route, Verdict)
        return tuple(target for target in route.targets if isinstance(target, Catchall | Undelivered))

    # ---- candidates --------------------------------------------------------------------------------------

    async def test_beyond_the_quota_of_candidates_mail_goes_to_undelivered(self) -> None:
        for number in range(3):
            targets = await self.targets(f"new{number}")
            assert isinstance(targets[0], Catchall)
            settle = await self.unknowns.claim(targets, SOMEWHERE, 100)
            assert callable(settle)
            settle(100)
        assert await self.targets("new3") == UNDELIVERED
        assert isinstance((await self.targets("new1"))[0], Catchall)  # it has its place already

    async def test_recipients_of_transactions_that_came_to_nothing_take_no_place(self) -> None:
        for number in range(50):
            settle = await self.unknowns.claim(await self.targets(f"new{number}"), SOMEWHERE, 100)
            assert callable(settle)
            settle(None)
        assert isinstance((await self.targets("another"))[0], Catchall)

    async def test_mail_that_was_accepted_keeps_its_place_whatever_a_second_transaction_does(self) -> None:
        first = await self.unknowns.claim(await self.targets("new0"), SOMEWHERE, 100)
        second = await self.unknowns.claim(await self.targets("new0"), SOMEWHERE, 100)
        first(100)
        second(None)
        assert await self.candidates.others("c1", Address("other", "mydomain.zz")) == 1
        assert await self.candidates.others("c1", Address("new0", "mydomain.zz")) == 0

    async def test_open_transactions_hold_their_places(self) -> None:
        for number in range(3):
            await self.unknowns.claim(await self.targets(f"new{number}"), SOMEWHERE, 100)
        assert await self.targets("new3") == UNDELIVERED

    async def test_candidates_of_before_the_start_count_and_those_removed_do_not(self) -> None:
        folders = [layout.catchall("c1", Address(f"old{number}", "mydomain.zz")) for number in range(3)]
        for folder in folders:
            self.deliver(folder, 10)
        assert await self.targets("new") == UNDELIVERED
        assert isinstance((await self.targets("old1"))[0], Catchall)
        shutil.rmtree(f"{self.root}/{folders[0]}")
        self.build()
        assert isinstance((await self.targets("new"))[0], Catchall)

    async def test_mail_for_a_known_candidate_costs_no_budget(self) -> None:
        self.build(at_once=1)
        self.deliver(layout.catchall("c1", Address("old", "mydomain.zz")), 10)
        for _ in range(10):
            assert await self.unknowns.claim(await self.targets("old"), SOMEWHERE, 10) is None

    async def test_attack_08_who_tries_out_names_learns_of_no_more_than_his_budget_is(self) -> None:
        self.build(at_once=5)

        async def is_missing(customer: Customer, local: str) -> bool:
            return True

        self.resolver.is_missing = is_missing
        reception = Reception(self.resolver, MemorySpool(), lambda: 0.0, "mx.emailgency.com", ReceptionLimits())
        reception.rooms, reception.guesses = (self.unknowns,), self.unknowns
        transaction = Transaction(reception, Client(ip=SOMEWHERE), Mail(sender="a@b.example"), "ESMTP")
        said = [await transaction.recipient(Rcpt(address=f"u{number}@mydomain.zz")) for number in range(8)]
        assert said == [MISSING] * 5 + [TOO_MANY] * 3
        self.resolver.is_missing = None
        unknown = await transaction.recipient(Rcpt(address="new@mydomain.zz"))
        assert unknown == TOO_MANY, "one cannot be told from the other"

    # ---- one transaction ---------------------------------------------------------------------------------

    def transaction(self, target: Any) -> Transaction:
        class Meant:
            async def resolve(self, recipient: Recipient, index: int) -> Route:
                customer = await OneCustomer().customer("c1")
                return Route(customer, Domain("mydomain.zz", "c1", DomainKind.MAIN), None, (target,), 4000)

        reception = Reception(Meant(), MemorySpool(), lambda: 1_800_000_000.0, "mx.test", ReceptionLimits())
        reception.rooms = (self.unknowns,)
        return Transaction(reception, Client(ip=SOMEWHERE), Mail(sender="a@b.example"), "ESMTP")

    async def test_room_is_held_from_rcpt_to_the_end_of_the_transaction(self) -> None:
        """Of 10,000 octets a message of unknown size may take 4,000, the limit of its recipient."""
        rcpt, (target,) = Rcpt(address="new@mydomain.zz"), UNDELIVERED
        first, second, third = [self.transaction(target) for _ in range(3)]
        assert (await first.recipient(rcpt)).accepts
        assert (await second.recipient(rcpt)).accepts
        assert await third.recipient(rcpt) == FULL
        first.abort()
        assert (await third.recipient(rcpt)).accepts
        assert (await second.finish(b"Subject: x\r\n\r\n")).accepts
        assert (await self.transaction(target).recipient(rcpt)).accepts
        await third.finish(b"x" * 5000)  # too big
        assert (await self.transaction(target).recipient(rcpt)).accepts

    # ---- the network's budget ----------------------------------------------------------------------------

    async def test_a_network_that_names_too_many_unknown_recipients_gets_452(self) -> None:
        self.build(at_once=2)
        answers = [await self.unknowns.claim(UNDELIVERED, "192.0.2.7", 1) for _ in range(3)]
        assert answers[2] == TOO_MANY
        assert TOO_MANY.code == 452
        assert await self.unknowns.claim(UNDELIVERED, "192.0.2.200", 1) == TOO_MANY  # the same network
        assert callable(await self.unknowns.claim(UNDELIVERED, "198.51.100.1", 1))
        assert callable(await self.unknowns.claim(UNDELIVERED, None, 1))  # a user who has logged in
        self.now += 1.0
        assert callable(await self.unknowns.claim(UNDELIVERED, "192.0.2.7", 1))

    async def test_known_recipients_cost_nothing(self) -> None:
        self.build(at_once=1)
        known = (Deliver(customer="c1", mailbox="paul", recipient=0),)
        for _ in range(10):
            assert await self.unknowns.claim(known, SOMEWHERE, 10) is None

    # ---- the cap of Undelivered --------------------------------------------------------------------------

    async def test_undelivered_takes_no_more_messages_than_its_cap(self) -> None:
        for _ in range(5):
            settle = await self.unknowns.claim(UNDELIVERED, SOMEWHERE, 10)
            assert callable(settle)
            settle(10)
        assert await self.unknowns.claim(UNDELIVERED, SOMEWHERE, 10) == FULL
        assert FULL.code == 452

    async def test_undelivered_takes_no_more_octets_than_its_cap(self) -> None:
        self.deliver(layout.undelivered("c1"), 4000, 5000)
        assert await self.unknowns.claim(UNDELIVERED, SOMEWHERE, 1001) == FULL
        settle = await self.unknowns.claim(UNDELIVERED, SOMEWHERE, 1000)
        assert callable(settle)
        assert await self.unknowns.claim(UNDELIVERED, SOMEWHERE, 1) == FULL
        settle(400)  # it was smaller than announced
        assert callable(await self.unknowns.claim(UNDELIVERED, SOMEWHERE, 600))

    async def test_room_comes_back_when_administrators_have_emptied_undelivered(self) -> None:
        self.deliver(layout.undelivered("c1"), 10, 10, 10, 10, 10)
        assert await self.unknowns.claim(UNDELIVERED, SOMEWHERE, 10) == FULL
        shutil.rmtree(f"{self.root}/{layout.undelivered('c1')}/new")
        self.now += 2.0
        assert callable(await self.unknowns.claim(UNDELIVERED, SOMEWHERE, 10))

    async def test_the_operators_own_undelivered_has_a_cap_too(self) -> None:
        operators = (Undelivered(customer=OPERATOR, recipient=0),)
        assert await self.unknowns.claim(operators, SOMEWHERE, 2 << 30) == FULL
        assert callable(await self.unknowns.claim(operators, SOMEWHERE, 1 << 20))

    async def test_attack_29_fifty_at_once_never_share_the_same_room(self) -> None:
        answers = await all_of(*(self.unknowns.claim(UNDELIVERED, SOMEWHERE, 10) for _ in range(50)))
        assert sum(callable(answer) for answer in answers) == PLAN.undelivered_messages
        assert sum(answer == FULL for answer in answers) == 50 - PLAN.undelivered_messages

    async def test_attack_42_a_flood_of_random_recipients_leaves_memory_and_disk_flat(self) -> None:
        """From many networks, so that the budget of none of them stops it."""

        async def flood(start: int, count: int) -> int:
            kept = 0
            for number in range(start, start + count):
                network = f"10.{number >> 16 & 255}.{number >> 8 & 255}.1"
                targets = await self.targets(f"r{number}")
                settle = await self.unknowns.claim(targets, network, 100)
                if callable(settle):
                    accepted = number % 2 == 0
                    settle(100 if accepted else None)
                    kept += accepted
            return kept

        tracemalloc.start()
        try:
            kept = await flood(0, 4200)  # until the bounded caches of names are full
            gc.collect()
            before = tracemalloc.get_traced_memory()[0]
            kept += await flood(4200, 3000)
            gc.collect()
            grown = tracemalloc.get_traced_memory()[0] - before
        finally:
            tracemalloc.stop()
        assert kept == PLAN.candidates + PLAN.undelivered_messages
        assert grown < 250_000, grown  # a cache of names may double its table once, 144 KiB
        assert len(self.candidates._known) == 1
