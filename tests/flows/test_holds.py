"""Rules hold what arrives and what waits, and set it free when they go; a message is led to another server (row D1)."""

from types import SimpleNamespace

from msgspec.structs import replace
from twisted.internet import reactor
from twisted.internet.defer import ensureDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from emailgency.flows.pending.hold_rules import HoldRules
from emailgency.flows.pending.holds import Holds
from emailgency.flows.pending.pending_view import PendingView
from emailgency.flows.pending.server_view import ServerView
from emailgency.flows.relaying.errand import Records
from emailgency.flows.relaying.lane import Lane
from emailgency.flows.relaying.outbound import DomainErrand, OutboundSettings
from emailgency.flows.relaying.reroute import Reroute
from emailgency.model.directory import Customer, HoldRule, RelayMode
from emailgency.model.envelope import Outbound, Relay
from emailgency.model.errors import Invalid
from emailgency.rules.health import State
from emailgency.store.spool.pending import Hop, waitings
from tests.support.asynchronous import run, until
from tests.support.customers import AUTHOR, RealCustomers
from tests.support.null_spool import NullSpool, envelope
from tests.support.relay_case import RelayCase
from tests.support.relaying import RecordedBounces, means, relay
from tests.support.smtp_server import ScriptedServer

ACME = Customer(id="acme", domain="mydomain.zz", alternate_domain="mydomainzz.test", smtp_transport="127.0.0.1:1")


class Ruled(TestCase):
    """Nothing leaves: what is ready is looked at."""

    def setUp(self):
        self.clock = Clock()
        self.clock.advance(1_000_000.0)
        self.spool = NullSpool("no file", self.clock.seconds)
        self.begin()

    def begin(self, *rules):
        """The process begins, or begins again."""
        self.spool.listeners.clear()
        self.made = means(self.spool, self.clock)
        self.flow = relay(self.spool, self.clock, 1, customer=replace(ACME, holds=rules), means_=self.made)
        self.patch(Lane, "wake", lambda lane: None)
        self.flow.start()

    def accept(self, id, *locals_, sender="s@example.org"):
        plan = (Relay(customer="acme", address=f"{one}@mydomain.zz", recipient=i) for i, one in enumerate(locals_))
        return self.spool.accept(envelope(id, tuple(plan), sender=sender))

    def rules(self, *rules):
        self.made.holds.note(replace(ACME, holds=rules))

    def relay(self, mode):
        """The customer's relay is so now, and that was noticed."""
        self.flow.directory.by_id["acme"] = replace(ACME, relay=mode)
        self.clock.advance(self.flow.settings.refresh)

    def ready(self):
        """Recipients that may get mail now."""
        found = []
        for lane in self.flow.lanes():
            for one in lane.queue.foremost(100, self.clock.seconds()):
                found += [one.live.envelope.plan[index].address.partition("@")[0] for index in one.targets]
        return sorted(found)

    async def test_a_rule_holds_what_waits_and_what_comes_until_it_goes(self):
        self.accept("m1", "anna")
        self.accept("m2", "paul")
        self.rules(HoldRule(id="1", recipient="anna@mydomain.zz"))
        self.accept("m3", "anna")
        assert self.ready() == ["paul"]
        self.flow.flush("acme")
        self.clock.advance(20 * 86_400)
        assert self.ready() == ["paul"], "neither a flush nor time sets it free"
        view = PendingView(self.flow, SimpleNamespace(lanes=list))
        assert list(view.rules("acme")) == ["1", "1"]
        (line,) = view.show("m3")
        assert (line.held, line.rule, line.expires_at) == (True, "1", None)
        self.rules()
        assert self.ready() == ["anna", "anna", "paul"]

    async def test_what_a_rule_held_or_relay_on_hold_has_its_whole_term_before_it(self):
        self.accept("m1", "anna")
        self.accept("m2", "paul")
        (lane,) = self.flow.lanes()
        self.relay(RelayMode.HOLD)
        self.rules(HoldRule(id="1", recipient="anna@mydomain.zz"))
        self.clock.advance(31 * 86_400)
        assert lane.held
        assert lane.first_expiry() is None
        self.relay(RelayMode.ON)
        assert not lane.held
        self.clock.advance(86_400)
        self.rules()
        for one in lane.queue:
            one.attempted = True
        now = self.clock.seconds()
        view = PendingView(self.flow, SimpleNamespace(lanes=list))
        assert [view.show(id)[0].expires_at for id in ("m1", "m2")] == [now + 30 * 86_400, now + 29 * 86_400]
        lane.give_up_old()
        assert self.ready() == ["anna", "paul"]
        self.clock.advance(29 * 86_400 + 1)
        lane.give_up_old()
        assert self.ready() == ["anna"]

    async def test_by_sender_by_recipient_or_everything(self):
        self.accept("m1", "anna", sender="s@bad.example")
        self.accept("m2", "paul", sender="")
        self.accept("m3", "zoe")
        for rule, left in (
            (HoldRule(id="1", sender="bad.example"), ["paul", "zoe"]),
            (HoldRule(id="1", sender="<>"), ["anna", "zoe"]),
            (HoldRule(id="1", recipient="*o*@mydomain.zz"), ["anna", "paul"]),
            (HoldRule(id="1"), []),
        ):
            self.rules(rule)
            assert self.ready() == left, rule

    async def test_of_one_message_only_the_recipients_that_fit_are_held(self):
        self.accept("m1", "anna", "paul", "zoe")
        self.rules(HoldRule(id="1", recipient="paul@mydomain.zz"))
        assert self.ready() == ["anna", "zoe"]
        self.rules()
        assert self.ready() == ["anna", "paul", "zoe"]

    async def test_it_is_held_after_a_restart_before_anything_could_leave(self):
        self.accept("m1", "anna")
        self.begin(HoldRule(id="1"))
        assert self.ready() == []

    async def test_what_comes_back_from_its_way_is_held_as_well(self):
        self.accept("m1", "anna")
        (lane,) = self.flow.lanes()
        under_way = lane.queue.take(self.clock.seconds())
        self.rules(HoldRule(id="1"))
        lane.settling.put_back(under_way, under_way.targets, 0.0)
        assert self.ready() == []

    async def test_outbound_mail_of_the_customer_is_held_and_that_of_others_goes(self):
        bounces = RecordedBounces(self.spool)
        lane = Lane(Hop("example.org"), Records(bounces), self.made)
        for id in ("acme", "other"):
            target = Outbound(customer=id, address="w@example.org", recipient=0, origin="submit")
            live = self.spool.accept(envelope(id, (target,), sender="stolen@mydomain.zz"))
            self.rules(HoldRule(id="1", sender="stolen@mydomain.zz"))
            for waiting in waitings(live, [0]):
                lane.add(waiting)
        assert [one.live.envelope.id for one in lane.queue.foremost(9, self.clock.seconds())] == ["other"]

    async def test_outbound_mail_that_a_rule_held_has_its_whole_term_before_it(self):
        bounces = RecordedBounces(self.spool)
        lane = Lane(Hop("example.org"), DomainErrand("example.org", None, bounces, OutboundSettings), self.made)
        self.made.holds.listeners.append(lambda customer: lane.queue.reconsider(self.clock.seconds()))
        self.rules(HoldRule(id="1"))
        target = Outbound(customer="acme", address="w@example.org", recipient=0, origin="submit")
        for waiting in waitings(self.spool.accept(envelope("m1", (target,))), [0]):
            lane.add(waiting)
        self.clock.advance(6 * 86_400)
        self.rules()
        lane._unreached = True
        lane.give_up_old()
        assert not bounces.failures
        self.clock.advance(5 * 86_400 + 1)
        lane.give_up_old()
        assert bounces.failures


class Deciding(TestCase):
    timeout = 60

    def setUp(self):
        self.real = RealCustomers()
        self.addCleanup(lambda: ensureDeferred(self.real.stop()))
        return ensureDeferred(self.real.begin())

    @run
    async def test_a_rule_is_a_change_of_the_customer_and_works_at_once(self):
        holds = Holds(self.real.directory)
        heard = []
        holds.listeners.append(heard.append)
        customer = await self.real.customer()
        rules = HoldRules(self.real.accounts, lambda: 5.0)
        rule = await rules.add(AUTHOR, customer, "Bad.Example", "")
        assert (rule.id, rule.sender, rule.by, rule.at) == ("1", "bad.example", AUTHOR.who, 5.0)
        customer = await self.real.accounts.get(customer.id)
        assert customer.holds == (rule,)
        assert heard == [customer.id]
        with self.assertRaises(Invalid):
            await rules.add(AUTHOR, customer, "bad.example", "")
        with self.assertRaises(Invalid):
            await rules.remove(AUTHOR, customer, "2")
        assert await rules.remove(AUTHOR, customer, "1") == rule
        assert heard == [customer.id] * 2

    @run
    async def test_rules_are_known_before_outbound_mail_goes_after_a_restart(self):
        customer = await self.real.customer()
        await HoldRules(self.real.accounts, lambda: 5.0).add(AUTHOR, customer, "", "")
        holds = Holds(self.real.directory)
        await holds.know(customer.id)
        await holds.know("operator")
        target = Outbound(customer=customer.id, address="w@example.org", recipient=0, origin="submit")
        live = NullSpool("no file").accept(envelope("m", (target,)))
        (part,) = holds.parted(next(waitings(live, [0])))
        assert part.held


class Rerouted(RelayCase):
    @run
    async def test_a_message_led_elsewhere_goes_there_and_the_rest_waits(self):
        own, other = ScriptedServer(), ScriptedServer()
        self.addCleanup(lambda: ensureDeferred(other.down()))
        await own.down()
        made = means(self.spool, reactor, ports=(own.port, other.port))
        flow = self.start(own, means_=made, refresh=0.05)
        self.accept(0)
        lane = await self.lane(flow)
        await until(lambda: lane.health.state is State.DOWN)
        led = Relay(customer="acme", address="u1@mydomain.zz", recipient=0, via=f"127.0.0.1:{other.port}")
        fields = {"size": self.size, "return_path": 37, "received_at": reactor.seconds()}
        self.spool.accept(envelope("m1", (led,), **fields))
        await until(lambda: "m1" not in self.spool.live)
        assert len(other.messages) == 1
        assert "m0" in self.spool.live
        await until(lambda: len(list(flow.lanes())) == 1)
        own.up()
        await until(lambda: not self.spool.live)
        await until(lambda: flow.incidents.current("acme") is None)

    @run
    async def test_a_dead_server_it_was_led_to_opens_no_incident_and_keeps_it(self):
        own = ScriptedServer()
        flow = self.start(own, refresh=0.05)
        led = Relay(customer="acme", address="u1@mydomain.zz", recipient=0, via="127.0.0.1:9")
        self.spool.accept(envelope("m1", (led,), size=self.size, received_at=reactor.seconds()))
        lane = await self.lane(flow)
        await until(lambda: lane.health.state is State.DOWN)
        assert flow.incidents.current("acme") is None
        assert flow.incidents.history.turns("acme", "") == []
        assert ServerView(flow, flow.incidents, lambda: 0, reactor.seconds).servers() == []
        assert "m1" in self.spool.live

    @run
    async def test_attack_15_where_the_operator_forbids_it_nothing_goes_though_it_was_led_there(self):
        own, forbidden = ScriptedServer(), ScriptedServer()
        self.addCleanup(lambda: ensureDeferred(forbidden.down()))
        flow = self.start(own)
        led = Relay(customer="acme", address="u1@mydomain.zz", recipient=0, via=f"127.0.0.1:{forbidden.port}")
        self.spool.accept(envelope("m1", (led,), size=self.size, received_at=reactor.seconds()))
        lane = await self.lane(flow)
        await until(lambda: lane.health.failures)
        assert forbidden.opened == 0

    def test_only_mail_for_a_customers_server_is_led_and_only_elsewhere(self):
        rerouting = Reroute(None, self.spool, reactor.seconds)
        away = Outbound(customer="acme", address="w@example.org", recipient=0, origin="submit")
        with self.assertRaises(Invalid):
            rerouting.check(envelope("m1", (away,)), (0,), "192.0.2.1")
        led = Relay(customer="acme", address="u@mydomain.zz", recipient=0, via="192.0.2.1")
        with self.assertRaises(Invalid):
            rerouting.check(envelope("m1", (led,)), (0,), "192.0.2.1")
        rerouting.check(envelope("m1", (led,)), (0,), "")
