"""One friendly word a sender and incident, and none to anybody else (row "Senders", attack rows 12 and 17)."""

import email
import email.policy
import os
import shutil
import tempfile
from types import SimpleNamespace

from msgspec.structs import replace
from twisted.internet.defer import ensureDeferred
from twisted.trial.unittest import TestCase

from emailgency.codec.mime.compose import Written
from emailgency.flows.accounts.chosen_customers import ChosenCustomers
from emailgency.flows.relaying.incidents import Incidents
from emailgency.flows.relaying.own_mail import OwnMail
from emailgency.flows.relaying.sender_notices import SenderNotices, SenderNoticeSettings
from emailgency.model.envelope import Catchall, Deliver, Recipient, Relay
from emailgency.model.errors import Temporary
from emailgency.rules.health import Health, State
from emailgency.servers.web.console.letters import written
from emailgency.servers.web.console.pages import Pages
from emailgency.store.experience.history import History
from emailgency.store.experience.once import Once
from emailgency.store.spool.pending import Hop
from tests.support.asynchronous import run, until
from tests.support.customers import AUTHOR, RealCustomers
from tests.support.null_spool import NullSpool, envelope

HEADER = "From: Anna <anna@example.org>\r\nTo: Paul <Paul@mydomain.zz>\r\nSubject: hello\r\n"
MINUTE = 60.0


class Telling(TestCase):
    timeout = 60

    def setUp(self):
        return ensureDeferred(self.begin())

    async def begin(self):
        self.real = RealCustomers()
        await self.real.begin()
        self.addCleanup(lambda: ensureDeferred(self.real.stop()))
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)
        self.now = 1_800_000_000.0
        customer = await self.real.customer()
        self.customer = await self.real.accounts.set(AUTHOR, customer.id, sender_notices=True)
        self.incidents = Incidents(History(None, ""), self.clock)
        self.spool = NullSpool("", self.clock)
        self.spool.path = lambda id: os.path.join(self.folder, id)
        self.sent = []
        self.number = 0
        await self.restart()

    def clock(self):
        return self.now

    async def restart(self, **settings):
        directory = self.real.directory
        customers = ChosenCustomers(directory, lambda customer: customer.sender_notices)
        own_mail = SimpleNamespace(send=self.send)
        once, chosen = Once(self.real.connection), SenderNoticeSettings(**settings)
        self.notices = SenderNotices(
            customers, self.incidents, self.spool, own_mail, once, self.write, self.clock, chosen
        )
        self.spool.listeners[:] = [self.notices.arrived]
        customers.start()
        await until(lambda: customers.get(self.customer.id) or not self.customer.sender_notices)

    def write(self, customer, facts):
        return Written(subject=str(facts["address"]), text="", html="", language="en")

    async def send(self, customer, recipient, written, answers):
        self.sent.append((recipient, written.subject, answers))
        return "notice"

    def mail(self, sender="anna@example.org", header=HEADER, plan=None, **more):
        """A message arrives for Paul, who reads it here."""
        self.number += 1
        id, customer = f"m{self.number}", self.customer.id
        with open(self.spool.path(id), "w", newline="") as file:
            file.write(header + "\r\nbody\r\n")
        relay = Relay(customer=customer, address="paul@mydomain.zz", recipient=0)
        targets = plan or (Deliver(customer=customer, mailbox="m1", recipient=0), relay)
        fields = {"genuine": True, "message_id": "x1@example.org", **more}
        message = envelope(id, targets, sender=sender, customer=customer, received_at=self.now, **fields)
        return self.spool.accept(replace(message, recipients=(Recipient(as_given="paul@mydomain.zz"),)))

    def down(self):
        self.incidents.turned(Hop("", self.customer.id), "its server", Health(State.DOWN, self.now, reason="refused"))

    async def later(self, minutes=20):
        self.now += minutes * MINUTE
        await self.notices.look()

    @run
    async def test_a_sender_is_told_once_in_an_incident_when_his_mail_has_waited(self):
        self.down()
        self.mail()
        await self.later(10)
        assert self.sent == [], "a short trouble makes no letters"
        self.mail("ANNA@example.org")
        self.mail("berta@example.net", header=HEADER.replace("Paul@", "paul@"))
        await self.later()
        assert self.sent == [
            ("anna@example.org", "paul@mydomain.zz", "x1@example.org"),
            ("berta@example.net", "paul@mydomain.zz", "x1@example.org"),
        ]
        await self.restart()
        self.mail()
        await self.later()
        assert len(self.sent) == 2, "also over a restart"
        self.incidents.close(self.customer.id)
        self.down()
        self.mail()
        await self.later()
        assert len(self.sent) == 3, "another incident"

    @run
    async def test_nobody_is_told_without_an_incident_or_of_mail_that_was_given(self):
        self.mail()
        await self.later()
        self.down()
        live = self.mail()
        live.remaining.clear()
        await self.later()
        assert self.sent == []

    @run
    async def test_nobody_is_told_where_it_is_switched_off(self):
        self.customer = await self.real.accounts.set(AUTHOR, self.customer.id, sender_notices=False)
        self.down()
        self.mail()
        await self.later()
        assert self.sent == []

    @run
    async def test_what_waited_before_a_restart_is_told_after_it(self):
        self.down()
        self.mail()
        await self.restart()
        await self.later()
        assert len(self.sent) == 1

    @run
    async def test_attack_12_forged_senders_lists_and_robots_hear_nothing(self):
        self.down()
        self.mail(genuine=False)
        self.mail("")
        self.mail("list-bounces+paul=mydomain.zz@example.org")
        self.mail(header=HEADER + "List-Id: <x>\r\n")
        self.mail(header=HEADER + "Auto-Submitted:\r\n auto-generated\r\n")
        self.mail(header=HEADER + "precedence: BULK\r\n")
        self.mail(header=HEADER.replace("Paul@mydomain.zz", "everybody@example.org"))
        unknown = Catchall(customer=self.customer.id, address="paul@mydomain.zz", recipient=0)
        self.mail(plan=(unknown, Relay(customer=self.customer.id, address="paul@mydomain.zz", recipient=0)))
        await self.later()
        assert self.sent == []

    @run
    async def test_attack_12_so_many_an_hour_and_no_more(self):
        await self.restart(per_hour=5)
        self.down()
        for number in range(50):
            self.mail(f"anna.x{number}@example.org")
        await self.later()
        assert len(self.sent) == 5

    @run
    async def test_without_redis_it_goes_on_later_and_without_a_disk_nobody_is_told_twice(self):
        self.down()
        self.mail()
        await self.real.connection.stop()
        with self.assertRaises(Temporary):
            await self.later()
        self.real.connection.start()
        await until(lambda: self.real.connection.connected)
        await self.later()
        assert len(self.sent) == 1


class Letters(TestCase):
    def test_attack_17_what_a_stranger_wrote_makes_no_field_of_the_letter(self):
        pages = Pages("Emailgency")
        kept = []
        arrival = SimpleNamespace(id="n1", size=1, checksum=0, write=kept.append)
        spool = SimpleNamespace(begin=lambda at: arrival, commit=self.commit)
        own = OwnMail(spool, lambda: 1_800_000_000.0, "mx.emailgency.test")
        customer = SimpleNamespace(domain="mydomain.zz", alternate_domain="mydomainzz.example", id="acme")
        facts = {"address": "paul@mydomain.zz", "domain": "mydomain.zz"}
        for language in ("en", "fr"):
            letter = written(pages, "mail_waiting", language, facts)
            for answers in ("x1@example.org", "x\r\nX-Evil: 1", "<x>", "é", "a" * 500):
                kept.clear()
                self.successResultOf(ensureDeferred(own.send(customer, "anna@example.org", letter, answers)))
                message = email.message_from_bytes(b"".join(kept), policy=email.policy.default)
                assert message["X-Evil"] is None
                assert message["Auto-Submitted"] == "auto-replied"
                assert message["In-Reply-To"] == ("<x1@example.org>" if answers == "x1@example.org" else None)
                assert "paul@mydomain.zz" in message["Subject"]

    async def commit(self, arrival, envelope):
        assert envelope.sender == ""
        assert envelope.recipients[0].notify == ("NEVER",)
