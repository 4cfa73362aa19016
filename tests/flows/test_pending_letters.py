"""Pending messages are looked at and searched, by what their envelopes say and by what stands in them."""

import os
import shutil
import tempfile
from types import SimpleNamespace

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from emailgency.flows.pending.pending_letters import SEARCHES, PendingLetters, Search
from emailgency.flows.pending.pending_view import PendingView
from emailgency.model.directory import Customer, RelayMode
from emailgency.model.envelope import Deliver, Relay
from emailgency.model.errors import Busy, Invalid
from tests.support.null_spool import NullSpool, envelope
from tests.support.relaying import relay

RETURN_PATH = b"Return-Path: <anna@example.org>\r\n"
HEADER = b"From: Anna <anna@example.org>\r\nContent-Type: text/plain; charset=utf-8\r\n"


class ManyFiles(NullSpool):
    def path(self, id):
        return os.path.join(self.file, id)


class Letters(TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)
        clock = Clock()
        self.spool = ManyFiles(self.folder, clock.seconds)
        customer = Customer(id="acme", domain="mydomain.zz", alternate_domain="mydomainzz.test", relay=RelayMode.HOLD)
        flow = relay(self.spool, clock, 1, customer=customer)
        flow.start()
        outbound = SimpleNamespace(lanes=list)
        self.letters = PendingLetters(reactor, self.spool, PendingView(flow, outbound))
        self.told = []

    def accept(self, id, sender="anna@example.org", recipient="u@mydomain.zz", subject=b"hello", text=b"text"):
        with open(self.spool.path(id), "wb") as file:
            file.write(RETURN_PATH + HEADER + b"Subject: " + subject + b"\r\n\r\n" + text)
        plan = (Relay(customer="acme", address=recipient, recipient=0),)
        received_at = 1_000_000.0 + len(self.spool.live)
        self.spool.accept(envelope(id, plan, sender=sender, return_path=len(RETURN_PATH), received_at=received_at))

    async def found(self, limit=100, customer=None, **search):
        lines = await self.letters.search(customer, Search(**search), limit, lambda *done: self.told.append(done))
        return [line.id for line in lines]

    async def test_envelopes_are_searched_in_any_case(self):
        self.accept("m1", sender="Anna@example.org")
        self.accept("m2", sender="")
        self.accept("m3", recipient="other@mydomain.zz")
        assert await self.found(sender="anna@EXAMPLE") == ["m1", "m3"]
        assert await self.found(sender="<>") == ["m2"]
        assert await self.found(recipient="OTHER@") == ["m3"]
        assert await self.found(recipient="other", sender="<>") == []
        assert await self.found() == ["m1", "m2", "m3"]
        assert await self.found(limit=2) == ["m1", "m2"]
        assert await self.found(customer="somebody") == []
        assert self.told == [], "no file is read for that"

    async def test_texts_are_searched_as_somebody_reads_them(self):
        self.accept("m1", subject=b"=?utf-8?q?Gr=C3=BC=C3=9Fe?=")
        self.accept("m2", text="Viele GRÜSSE".encode())
        self.accept("m3")
        assert await self.found(text="grüsse") == ["m1", "m2"]
        assert await self.found(text="grüsse", limit=1) == ["m1"]
        assert self.told[0] == ("messages read", 3, 3)

    async def test_many_messages_are_read_some_at_a_time_and_no_further_than_needed(self):
        for number in range(120):
            self.accept(f"m{number}")
        assert len(await self.found(text="HELLO", limit=60)) == 60
        assert self.told == [("messages read", 50, 120), ("messages read", 100, 120)]

    async def test_a_customer_searches_for_words_once_at_a_time(self):
        for number in range(60):
            self.accept(f"m{number}")
        searching = Deferred.fromCoroutine(self.found(customer="acme", text="hello"))
        with self.assertRaisesRegex(Busy, "Another search is under way"):
            await self.found(customer="acme", text="other")
        assert len(await self.found(customer="acme", sender="anna@")) == 60, "by envelopes it costs little"
        assert len(await self.found(text="hello")) == 60, "the operator waits for no customer"
        assert len(await searching) == 60
        assert await self.found(customer="acme", text="other") == []

    async def test_a_few_customers_search_for_words_at_once(self):
        self.accept("m1")
        self.letters._searching = {str(number) for number in range(SEARCHES - 1)}
        searching = Deferred.fromCoroutine(self.found(customer="acme", text="hello"))
        with self.assertRaises(Busy):
            await self.found(customer="other", text="hello")
        assert await searching == ["m1"]
        assert await self.found(customer="other", text="hello") == []

    async def test_a_file_that_has_just_gone_is_passed_over(self):
        self.accept("m1")
        self.accept("m2")
        os.unlink(self.spool.path("m1"))
        assert await self.found(text="hello") == ["m2"]
        with self.assertRaisesRegex(Invalid, "m1 is pending any more"):
            await self.letters.look("m1")

    async def test_a_look_shows_header_and_text_without_our_return_path(self):
        self.accept("m1", text=b"one\r\ntwo\r\n")
        found, letter = await self.letters.look("m1")
        assert (found.id, letter.sender, letter.subject) == ("m1", "Anna <anna@example.org>", "hello")
        assert letter.head.startswith("From: Anna")
        assert letter.text.splitlines() == ["one", "two"]

    async def test_what_is_not_pending_is_not_shown(self):
        self.spool.accept(envelope("m1", (Deliver(customer="acme", mailbox="x", recipient=0),)))
        for id in ("m1", "../secret", ""):
            with self.assertRaisesRegex(Invalid, "no message .* is pending"):
                await self.letters.look(id)
