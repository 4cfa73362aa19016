"""Learned recipients (row G5): a real directory and Redis, and a server that is asked."""

from itertools import pairwise
from types import SimpleNamespace

from twisted.internet import reactor
from twisted.internet.defer import ensureDeferred
from twisted.trial.unittest import TestCase

from emailgency.codec.address import parse
from emailgency.flows.accounts.chosen_customers import ChosenCustomers
from emailgency.flows.addresses.ready_mailboxes import ReadyMailboxes
from emailgency.flows.learning.enquiry import Enquiries
from emailgency.flows.learning.learning import RecipientLearning
from emailgency.flows.learning.pupils import Pupils
from emailgency.flows.relaying.attempts import Attempt
from emailgency.flows.relaying.exchanges import Exchanges
from emailgency.flows.relaying.incidents import Incidents
from emailgency.model.directory import Mailbox, RelayMode
from emailgency.model.envelope import Client, Outcome, Recipient, Relay
from emailgency.model.verdict import Verdict
from emailgency.net.dns import Dns, DnsSettings
from emailgency.rules.health import Health, State
from emailgency.rules.learning import DAY, HOUR, LearningSettings
from emailgency.store.experience.history import History
from emailgency.store.experience.learned_recipients import LearnedRecipients
from emailgency.store.spool.pending import Hop
from tests.support.asynchronous import run, until
from tests.support.customers import AUTHOR, RealCustomers
from tests.support.null_spool import NullSpool, envelope
from tests.support.relaying import means
from tests.support.smtp_server import ScriptedServer

UNKNOWN = b"550 5.1.1 <x> mail.secret.example knows nobody of this name\r\n"


def choosy(*locals_):
    """A server that has these and postmaster."""
    there = {f"<{local}@mydomain.zz>".encode() for local in ("postmaster", *locals_)}
    return lambda _, line: NotImplemented if line[8:].lower() in there else UNKNOWN


class LearningCase(TestCase):
    timeout = 60

    def setUp(self):
        return ensureDeferred(self.begin())

    async def begin(self):
        self.real = RealCustomers()
        await self.real.begin()
        self.addCleanup(lambda: ensureDeferred(self.real.stop()))
        self.now = 1_800_000_000.0
        self.server = ScriptedServer(RCPT=choosy("anna", "paul"))
        self.addCleanup(lambda: ensureDeferred(self.server.down()))
        transport = f"127.0.0.1:{self.server.port}"
        customer = await self.real.customer(smtp_transport=transport)
        self.customer = await self.real.accounts.set(AUTHOR, customer.id, learn_recipients=True)
        self.incidents = Incidents(History(None, ""), self.clock)
        self.lanes = []
        await self.restart()

    def clock(self):
        return self.now

    async def restart(self, **settings):
        """The parts in memory are new; Redis and directory are as they were."""
        directory = self.real.directory
        customers = ChosenCustomers(directory, lambda customer: customer.learn_recipients)
        self.pupils = Pupils(customers, self.incidents)
        made = means(NullSpool("no file", self.clock), reactor, ports=(self.server.port,))
        dns = Dns(DnsSettings(addresses=("127.0.0.1:1",), timeout=0.1), reactor)
        self.learning = RecipientLearning(
            customers,
            self.pupils,
            directory,
            LearnedRecipients(self.real.connection),
            self.incidents,
            SimpleNamespace(lanes=lambda customer: self.lanes),
            Enquiries(Exchanges(dns, made.egress, lambda name: False), made),
            ReadyMailboxes(directory),
            self.clock,
            LearningSettings(**settings),
        )
        self.real.resolver.is_missing = self.learning.is_missing
        customers.start()
        await until(lambda: customers.get(self.customer.id) or not self.customer.learn_recipients)

    def mail_for(self, *addresses, sender="s@example.org", **more):
        targets = (Relay(customer=self.customer.id, address=one, recipient=0) for one in addresses)
        message = envelope("m", tuple(targets), sender=sender, customer=self.customer.id, **more)
        live = SimpleNamespace(envelope=message)
        self.pupils.arrived(live)
        return live

    def relayed(self, *addresses):
        live = self.mail_for(*addresses)
        self.pupils.of(self.customer.id).sought.clear()
        hop = Hop("", self.customer.id)
        self.pupils.attempted(Attempt(live, hop, tuple(range(len(addresses))), Outcome(word="relayed"), self.now))

    async def look(self):
        await self.learning.look()
        await until(lambda: not self.learning._under_way)

    async def learn(self, *locals_):
        """Mail for them was accepted, and the server was asked as often as it takes."""
        self.mail_for(*(f"{local}@mydomain.zz" for local in locals_))
        while self.pupils.of(self.customer.id).sought:
            self.now += HOUR
            await self.look()

    def down(self):
        self.incidents.turned(Hop("", self.customer.id), "its server", Health(State.DOWN, self.now, reason="refused"))

    def up(self):
        self.incidents.turned(Hop("", self.customer.id), "its server", Health(State.UP, self.now))
        self.incidents.close(self.customer.id)

    async def asked(self, address):
        return await self.real.resolver.resolve(Recipient(as_given=address), 0)

    async def mailboxes(self):
        entries = await self.real.directory.entries(self.customer.id)
        return {entry.address.local for entry in entries if isinstance(entry, Mailbox)} - {"postmaster"}

    def rcpts(self):
        return [line for line in self.server.commands if line.startswith(b"RCPT")]


class Asking(LearningCase):
    @run
    async def test_a_question_is_mail_from_nobody_rcpt_and_never_data(self):
        await self.learn("anna", "nobody")
        verbs = [line.split()[0] for line in self.server.commands]
        assert verbs == [b"EHLO", *[b"MAIL", b"RCPT", b"RSET"] * 3, b"MAIL", b"RCPT", b"QUIT"]
        assert {line for line in self.server.commands if line.startswith(b"MAIL")} == {b"MAIL FROM:<>"}
        assert self.server.opened == 1

    @run
    async def test_what_the_server_has_is_a_mailbox_when_it_is_down_and_what_it_has_not_is_refused(self):
        await self.learn("anna", "paul", "nobody")
        before = await self.asked("nobody@mydomain.zz")
        assert before.verdict is None, "while it is up nothing is refused for it"
        self.down()
        await self.look()
        assert await self.mailboxes() == {"anna", "paul"}
        known = await self.asked("paul@mydomain.zz")
        assert [type(target).__name__ for target in known.targets] == ["Deliver", "Relay"]
        other = await self.asked("stranger@mydomain.zz")
        assert [type(target).__name__ for target in other.targets] == ["Catchall", "Relay"]
        missing = await self.asked("Nobody@mydomain.zz")
        assert missing.verdict == Verdict(550, "5.1.1", "no such address here"), "our own words"
        assert not missing.targets
        twin = await self.asked(f"nobody@{self.customer.alternate_domain}")
        assert twin.verdict == missing.verdict

    @run
    async def test_a_server_that_takes_everybody_is_asked_once_and_teaches_nothing(self):
        self.server.behaviour.clear()
        await self.learn("anna", "nobody")
        assert len(self.rcpts()) == 1
        self.relayed("anna@mydomain.zz")
        self.now += DAY
        await self.look()
        self.down()
        await self.look()
        assert await self.mailboxes() == set()
        assert (await self.asked("nobody@mydomain.zz")).verdict is None

    @run
    async def test_a_server_that_refuses_everybody_teaches_nothing(self):
        self.server.behaviour["RCPT"] = UNKNOWN
        await self.learn("anna")
        self.down()
        await self.look()
        assert (await self.asked("anna@mydomain.zz")).verdict is None

    @run
    async def test_greylisting_ends_the_asking_and_the_server_is_left_alone_longer_each_time(self):
        self.server.behaviour["RCPT"] = b"450 4.2.0 greylisted\r\n"
        self.mail_for("anna@mydomain.zz")
        visits = []
        for _ in range(24 * 12):
            self.now += 300.0
            before = self.server.opened
            await self.look()
            if self.server.opened > before:
                visits.append(self.now)
        assert len(self.rcpts()) == len(visits), "one question a visit"
        pauses = [later - sooner for sooner, later in pairwise(visits)]
        assert pauses == sorted(pauses)
        assert pauses[0] >= 15 * 60.0
        assert len(visits) < 8
        self.server.behaviour["RCPT"] = choosy("anna")
        await self.learn()
        self.down()
        await self.look()
        assert await self.mailboxes() == {"anna"}, "it was not forgotten"

    @run
    async def test_421_and_a_dead_server_and_a_refused_null_sender_are_pauses_too(self):
        for behaviour in (
            {"RCPT": b"421 4.3.2 closing\r\n"},
            {"banner": b"421 too many\r\n"},
            {"MAIL": b"550 5.7.1 no null senders\r\n"},
        ):
            await self.restart()
            self.server.behaviour.clear()
            self.server.behaviour.update(behaviour)
            self.mail_for("anna@mydomain.zz")
            before = self.server.opened
            for _ in range(14):
                self.now += 60.0
                await self.look()
            assert self.server.opened == before + 1, behaviour
            assert list(self.pupils.of(self.customer.id).sought) == ["anna"]

    @run
    async def test_so_many_addresses_an_hour_over_one_connection_at_a_time(self):
        await self.restart(per_hour=30, at_once=5)
        self.mail_for(*(f"u{number}@mydomain.zz" for number in range(200)))
        hours = 4
        for _ in range(hours * 60):
            self.now += 60.0
            await self.look()
            assert len(self.server.connections) <= 1
        asked = [line for line in self.rcpts() if b"<u" in line]
        assert 0.8 * 30 * hours <= len(asked) <= 30 * hours + 5

    @run
    async def test_what_is_known_is_asked_for_again_after_a_week_and_not_before(self):
        await self.learn("anna", "paul")
        before = len(self.rcpts())
        self.mail_for("anna@mydomain.zz")
        self.now += 6 * DAY
        await self.look()
        assert len(self.rcpts()) == before
        self.now += 2 * DAY
        await self.look()
        assert {line[8:] for line in self.rcpts()[before:]} >= {b"<anna@mydomain.zz>", b"<paul@mydomain.zz>"}

    @run
    async def test_addresses_that_are_something_here_are_not_asked_for(self):
        await self.real.mailbox("anna@mydomain.zz")
        await self.learn("anna", "paul")
        assert not [line for line in self.rcpts() if b"anna" in line]


class Knowing(LearningCase):
    @run
    async def test_accepted_mail_teaches_when_the_server_is_known_to_tell_addresses_apart(self):
        await self.learn("anna")
        asked = len(self.rcpts())
        self.relayed("Berta@mydomain.zz")
        await self.look()
        assert len(self.rcpts()) == asked
        self.down()
        await self.look()
        assert await self.mailboxes() == {"anna", "berta"}

    @run
    async def test_a_sender_of_ours_exists(self):
        await self.learn("anna")
        client = Client(ip="192.0.2.1", mailbox="some")
        self.mail_for(sender="clara@mydomain.zz", client=client)
        self.mail_for(sender="forged@mydomain.zz")
        await self.look()
        self.down()
        await self.look()
        assert await self.mailboxes() == {"anna", "clara"}

    @run
    async def test_at_an_outage_the_set_is_frozen_however_long_it_lasts_and_over_a_restart(self):
        await self.learn("anna", "nobody")
        self.down()
        opened = self.server.opened
        self.now += 40 * DAY
        await self.restart()
        self.relayed("wrong@mydomain.zz")
        self.mail_for("late@mydomain.zz")
        await self.look()
        assert self.server.opened == opened, "nobody asks"
        assert await self.mailboxes() == {"anna"}
        assert (await self.asked("nobody@mydomain.zz")).verdict.code == 550
        self.up()
        assert (await self.asked("nobody@mydomain.zz")).verdict is None

    @run
    async def test_what_was_said_to_be_missing_is_forgotten_after_three_days(self):
        await self.learn("nobody")
        self.now += 3.5 * DAY
        self.down()
        assert (await self.asked("nobody@mydomain.zz")).verdict is None

    @run
    async def test_what_existed_is_not_given_up_for_one_word(self):
        await self.learn("anna")
        self.server.behaviour["RCPT"] = choosy("paul")
        self.now += 8 * DAY
        await self.look()
        assert b"RCPT TO:<anna@mydomain.zz>" in self.rcpts()[-1:]
        self.down()
        assert (await self.asked("anna@mydomain.zz")).verdict is None
        self.up()
        self.now += 4 * HOUR
        await self.look()
        self.down()
        assert (await self.asked("anna@mydomain.zz")).verdict.code == 550

    @run
    async def test_mailboxes_are_made_once_and_no_more_than_the_plan_has_room_for(self):
        from msgspec.structs import replace

        from emailgency.store.directory.changes import edit

        plan = await self.real.directory.plan("standard")
        small = replace(plan, mailboxes=2)
        await self.real.directory.change(AUTHOR, "a small plan", [edit("plan", "standard", plan, small)])
        await self.learn("anna", "paul")
        self.down()
        await self.look()
        assert len(await self.mailboxes()) == 1
        (made,) = await self.mailboxes()
        await self.real.addresses.remove(AUTHOR, parse(f"{made}@mydomain.zz"))
        for _ in range(2):
            await self.look()
            assert await self.mailboxes() == set(), "what an administrator removes stays away"
            await self.restart()

    @run
    async def test_nothing_is_asked_learned_or_kept_where_it_is_switched_off(self):
        await self.learn("nobody")
        opened = self.server.opened
        self.customer = await self.real.accounts.set(AUTHOR, self.customer.id, learn_recipients=False)
        self.mail_for("anna@mydomain.zz")
        await self.look()
        self.down()
        assert self.server.opened == opened
        assert (await self.asked("nobody@mydomain.zz")).verdict is None
        keys = lambda: self.real.connection.execute("KEYS", "learned:*")  # noqa: E731
        while await keys():
            pass

    @run
    async def test_nobody_is_asked_while_relay_is_on_hold_or_a_server_is_not_up(self):
        self.mail_for("anna@mydomain.zz")
        self.lanes = [SimpleNamespace(hop=Hop("", self.customer.id), health=Health(State.SUSPECT))]
        await self.look()
        self.lanes = []
        self.customer = await self.real.accounts.set(AUTHOR, self.customer.id, relay=RelayMode.HOLD)
        await self.look()
        assert self.server.opened == 0

    @run
    async def test_without_redis_nobody_is_refused(self):
        await self.learn("nobody")
        self.down()
        assert (await self.asked("nobody@mydomain.zz")).verdict.code == 550
        await self.real.connection.stop()
        assert not await self.learning.is_missing(self.customer, "nobody")
        self.real.connection.start()
        await until(lambda: self.real.connection.connected)


class Attacked(LearningCase):
    @run
    async def test_attack_08_a_mere_rcpt_has_nobody_asked_and_tells_nothing_while_the_server_is_up(self):
        await self.learn("anna", "nobody")
        asked = len(self.rcpts())
        answers = [await self.asked(f"{local}@mydomain.zz") for local in ("anna", "nobody", *map(str, range(100)))]
        self.now += HOUR
        await self.look()
        assert {(one.verdict, len(one.targets)) for one in answers} == {(None, 2)}
        assert len(self.rcpts()) == asked

    @run
    async def test_attack_42_a_flood_of_addresses_costs_bounded_memory_and_no_more_questions(self):
        for number in range(5000):
            self.mail_for(f"u{number}@mydomain.zz")
        assert len(self.pupils.of(self.customer.id).sought) == 1000
        for _ in range(60):
            self.now += 60.0
            await self.look()
        asked = [line for line in self.rcpts() if b"<u" in line]
        assert len(asked) <= 60 + 8

    @run
    async def test_attack_15_nobody_is_asked_at_an_address_that_the_operator_forbids(self):
        made = means(NullSpool("no file", self.clock), reactor, ports=())
        dns = Dns(DnsSettings(addresses=("127.0.0.1:1",), timeout=0.1), reactor)
        enquiry = await Enquiries(Exchanges(dns, made.egress, lambda name: False), made).ask(self.customer, ["anna"])
        assert enquiry.trouble
        assert self.server.opened == 0

    @run
    async def test_attack_05_octets_behind_the_220_of_starttls_teach_nothing(self):
        self.server.capabilities = ("STARTTLS", "PIPELINING")
        self.server.behaviour["STARTTLS"] = b"220 go\r\n250 2.1.5 ok\r\n"
        self.mail_for("anna@mydomain.zz")
        await self.look()
        assert not self.rcpts()
        assert "protocol broken" in self.pupils.of(self.customer.id).trouble
