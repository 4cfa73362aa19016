"""One pending message in somebody's hand: held, released, tried at once, given up, dropped."""

from types import SimpleNamespace

from msgspec.structs import replace
from twisted.internet.task import Clock
from twisted.logger import Logger, formatEvent
from twisted.trial.unittest import TestCase

from emailgency.flows.pending.keep_here import KeepHere
from emailgency.flows.pending.pending_in_hand import PendingInHand
from emailgency.flows.pending.pending_pick import PendingPick
from emailgency.flows.pending.pending_view import PendingView
from emailgency.flows.relaying import reroute
from emailgency.flows.relaying.attempts import Attempts
from emailgency.flows.relaying.errand import Records
from emailgency.flows.relaying.lane import Lane
from emailgency.flows.relaying.reroute import Reroute
from emailgency.model.address import Address
from emailgency.model.directory import Customer, Mailbox, RelayMode
from emailgency.model.envelope import Deliver, Outbound, Outcome, Relay
from emailgency.model.errors import Invalid, Temporary
from emailgency.store.spool.pending import HELD, Hop, waitings
from tests.support.null_spool import NullSpool, envelope
from tests.support.relaying import RecordedBounces, means, relay

DAY = 86_400.0

TO_HIM = Relay(customer="acme", address="u@mydomain.zz", recipient=0)
TO_HER = Relay(customer="acme", address="v@other.zz", recipient=1)
AWAY = Outbound(customer="acme", address="w@example.org", recipient=2, origin="forward")


class FailingBounces(RecordedBounces):
    async def failed(self, live, failures):
        raise Temporary("no space left on device")


class InHand(TestCase):
    def setUp(self):
        self.clock = Clock()
        self.clock.advance(1_000_000.0)
        self.spool = NullSpool("no file", self.clock.seconds)
        self.bounces = RecordedBounces(self.spool)
        self.attempts = Attempts()
        self.keeping = KeepHere(None, self.spool, self.clock.seconds)
        self.rerouting = Reroute(None, self.spool, self.clock.seconds)
        self.said = []
        self.patch(PendingInHand, "_log", Logger(observer=self.said.append))
        self.begin()

    def begin(self):
        """The process begins, or begins again with what the spool has."""
        customer = Customer(id="acme", domain="mydomain.zz", alternate_domain="mydomainzz.test", relay=RelayMode.HOLD)
        self.flow = relay(self.spool, self.clock, 1, customer=customer)
        self.far = Lane(Hop("example.org"), Records(self.bounces), means(self.spool, self.clock))
        self.far.held = True  # nothing leaves while we look
        self.outbound = SimpleNamespace(lanes=lambda: [self.far])
        self.hand = self.in_hand()
        self.view = PendingView(self.flow, self.outbound)
        self.spool.listeners.clear()
        self.flow.start()

    def in_hand(self):
        attempts, clock = self.attempts, self.clock.seconds
        pick = PendingPick(self.flow, self.outbound, self.spool)
        return PendingInHand(pick, self.spool, self.bounces, self.keeping, self.rerouting, attempts, clock)

    def restart(self):
        self.begin()

    def accept(self, id="m1", plan=(TO_HIM,)):
        return self.spool.accept(envelope(id, plan))

    def ready(self):
        """Ids of what may go now."""
        now = self.clock.seconds()
        return [one.live.envelope.id for lane in self.flow.lanes() for one in lane.queue.foremost(100, now)]

    def lines(self):
        return [formatEvent(event) for event in self.said]

    async def test_a_held_message_is_not_tried_until_released(self):
        self.accept("m1")
        self.accept("m2")
        assert await self.hand.hold("m1", "anna") == ("u@mydomain.zz",)
        assert self.ready() == ["m2"]
        assert self.flow.flush("acme") == 1
        self.clock.advance(40 * 86_400)
        assert self.ready() == ["m2"], "neither a flush nor time releases it"
        await self.hand.release("m1", "berta")
        assert sorted(self.ready()) == ["m1", "m2"]
        assert self.lines() == ["m1 for 'u@mydomain.zz' held by anna", "m1 for 'u@mydomain.zz' released by berta"]

    async def test_a_held_message_is_held_after_a_restart_and_a_released_one_is_not(self):
        self.accept("m1")
        await self.hand.hold("m1", "anna")
        self.restart()
        assert self.ready() == []
        (line,) = self.view.show("m1")
        assert (line.held, line.expires_at) == (True, None)
        await self.hand.release("m1", "anna")
        self.restart()
        assert self.ready() == ["m1"]

    async def test_what_its_server_last_said_stays_known_while_it_is_held(self):
        live = self.accept("m1")
        said = Outcome(word="doubtful", code=451, reply="not now", remote="mx[192.0.2.1]:25")
        await self.spool.tried("m1", (0,), self.clock.seconds() + 60, said)
        await self.hand.hold("m1", "anna")
        assert (live.tried[0].outcome, live.tried[0].next) == (replace(said, by="anna"), HELD)
        self.restart()
        (line,) = self.view.show("m1")
        assert line.last == "451 not now"
        (waiting,) = next(self.flow.lanes()).queue
        assert (waiting.doubtful, waiting.wait) == (True, 0.0)

    async def test_a_held_message_does_not_expire(self):
        self.accept("m1")
        self.accept("m2")
        await self.hand.hold("m1", "anna")
        self.clock.advance(1000 * 86_400)
        (lane,) = self.flow.lanes()
        lane.give_up_old()
        assert list(self.spool.live) == ["m1", "m2"], "relay on hold keeps everything"
        await self.mode(RelayMode.NONE)
        lane.give_up_old()
        assert list(self.spool.live) == ["m1"]

    async def mode(self, mode):
        """The customer's relay is so from now on, as far as his errand knows."""
        self.flow.directory.by_id["acme"] = replace(self.flow.directory.by_id["acme"], relay=mode)
        await self.flow._customers.load("acme")

    async def test_what_is_released_has_its_whole_term_before_it_also_after_a_restart(self):
        self.accept("m1")
        await self.hand.hold("m1", "anna")
        self.clock.advance(31 * DAY)
        await self.hand.release("m1", "anna")
        freed_at = self.clock.seconds()
        later = Outcome(word="deferred", code=451, reply="not now", remote="mx[192.0.2.1]:25")
        for restarted in (False, True):
            if restarted:
                self.restart()
            (lane,) = self.flow.lanes()
            await self.mode(RelayMode.NONE)
            (line,) = self.view.show("m1")
            assert line.expires_at == lane.first_expiry() == freed_at + 30 * DAY
            (waiting,) = lane.queue.remove(lambda _: True)
            waiting.attempted = True
            await lane.settling.put_off(waiting, waiting.targets, later)
            lane.give_up_old()
            assert list(self.spool.live) == ["m1"]
        self.clock.rightNow += 30 * DAY + 1  # without a round of the lanes from before the restart
        lane.give_up_old()
        assert not self.spool.live

    async def test_what_was_held_while_we_were_stopped_is_tried_before_it_is_given_up(self):
        self.accept("m1")
        self.clock.advance(31 * DAY)
        self.restart()
        await self.mode(RelayMode.ON)
        (lane,) = self.flow.lanes()
        lane._stopped = True  # nothing leaves while we look
        lane.hold(False)
        (waiting,) = lane.queue
        waiting.freed_at = 0.0  # the hold ended before the start
        lane.give_up_old()
        assert self.ready() == ["m1"]
        lane._stopped = False
        journey = SimpleNamespace(probe=False, canary=None)
        assert lane.next_for(journey)[0] is waiting
        await lane.settling.put_off(waiting, waiting.targets, Outcome(word="deferred", code=451, reply="not now"))
        lane.give_up_old()
        (line,) = self.view.show("m1")
        assert line.expires_at == self.clock.seconds() + 30 * DAY
        assert list(self.spool.live) == ["m1"]

    async def test_what_was_released_keeps_nothing_else_from_being_given_up(self):
        self.accept("m1")
        await self.hand.hold("m1", "anna")
        self.accept("m2")
        self.clock.advance(31 * DAY)
        await self.hand.release("m1", "anna")
        await self.mode(RelayMode.NONE)
        (lane,) = self.flow.lanes()
        lane.give_up_old()
        assert list(self.spool.live) == ["m1"]

    async def test_a_hold_that_is_not_recorded_is_told_and_holds_all_the_same(self):
        self.accept("m1")

        async def refused(*record):
            raise Temporary("no space left on device")

        self.patch(self.spool, "tried", refused)
        with self.assertRaises(Temporary):
            await self.hand.hold("m1", "anna")
        assert self.ready() == []

    async def test_holding_twice_and_releasing_what_is_not_held_are_refused(self):
        self.accept("m1")
        with self.assertRaisesRegex(Invalid, "m1 is not held"):
            await self.hand.release("m1", "anna")
        await self.hand.hold("m1", "anna")
        with self.assertRaisesRegex(Invalid, "m1 is held already"):
            await self.hand.hold("m1", "anna")

    async def test_retry_makes_it_due_and_nothing_else(self):
        for id in ("m1", "m2"):
            self.accept(id)
        (lane,) = self.flow.lanes()
        for waiting in lane.queue.remove(lambda _: True):
            waiting.due = self.clock.seconds() + 3600
            lane.add(waiting)
        assert self.hand.retry("m2", "anna") == "on hold"
        assert self.ready() == ["m2"]
        assert self.lines() == ["m2 for 'u@mydomain.zz' to be tried at once by anna"]

    async def test_what_is_held_must_be_released_before_it_is_tried(self):
        self.accept("m1")
        await self.hand.hold("m1", "anna")
        with self.assertRaisesRegex(Invalid, "release it first"):
            self.hand.retry("m1", "anna")
        assert self.ready() == []

    async def test_bounce_is_for_all_that_waits_of_it(self):
        live = self.accept("m1", (TO_HIM, TO_HER, AWAY))
        self.spool.live["m1"].remaining.discard(2)
        assert sorted(await self.hand.bounce("m1", "anna")) == ["u@mydomain.zz", "v@other.zz"]
        ((bounced, failures),) = self.bounces.failures
        assert bounced is live
        assert {index: outcome.word for index, outcome in failures.items()} == {0: "bounced", 1: "bounced"}
        assert not self.spool.live
        assert all(lane.empty for lane in self.flow.lanes())

    async def test_a_bounce_that_cannot_be_written_leaves_it_as_it_was(self):
        self.accept("m1")
        await self.hand.hold("m1", "anna")
        self.bounces = FailingBounces(self.spool)
        self.hand = self.in_hand()
        with self.assertRaises(Temporary):
            await self.hand.bounce("m1", "anna")
        (line,) = self.view.show("m1")
        assert line.held
        (lane,) = self.flow.lanes()
        assert (len(lane.queue), lane.carrying) == (1, 0)

    async def test_one_customers_mail_is_never_kept_in_anothers_mailbox(self):
        self.accept("m1")
        other = Mailbox(customer="other", id="x", address=Address("u", "other.example"))
        with self.assertRaisesRegex(Invalid, "belongs to another customer"):
            await self.hand.keep("m1", other, "anna")
        assert self.ready() == ["m1"]

    async def test_who_has_a_copy_gets_no_other(self):
        self.accept("m1", (Deliver(customer="acme", mailbox="x", recipient=0), TO_HIM))
        mailbox = Mailbox(customer="acme", id="x", address=Address("u", "mydomain.zz"))
        with self.assertRaisesRegex(Invalid, "u@mydomain.zz has m1 already"):
            await self.hand.keep("m1", mailbox, "anna")

    async def test_a_copy_that_cannot_be_written_leaves_it_as_it_was(self):
        async def fail(*given):
            raise Temporary("no space left on device")

        self.patch(self.keeping, "keep", fail)
        self.accept("m1")
        with self.assertRaises(Temporary):
            await self.hand.keep("m1", None, "anna")
        assert self.ready() == ["m1"]

    async def test_who_listens_for_the_end_of_attempts_hears_of_it_with_the_name(self):
        heard = []
        self.attempts.listeners.append(heard.append)
        for id in ("m1", "m2"):
            self.accept(id, plan=(TO_HIM, TO_HER))
        await self.hand.hold("m1", "anna")  # is no end
        await self.hand.bounce("m1", "anna")
        await self.hand.drop("m2", "bert")
        ends = [(one.live.envelope.id, one.outcome.word, one.outcome.by, one.targets) for one in heard]
        assert sorted(ends) == [
            ("m1", "bounced", "anna", (0,)),
            ("m1", "bounced", "anna", (1,)),
            ("m2", "dropped", "bert", (0,)),
            ("m2", "dropped", "bert", (1,)),
        ]
        assert {str(one.hop) for one in heard} == {"acme:mydomain.zz", "acme:other.zz"}

    async def test_what_a_rule_holds_is_released_by_the_rule_alone(self):
        self.accept("m1")
        (lane,) = self.flow.lanes()
        (waiting,) = lane.queue.remove(lambda _: True)
        self.patch(lane.queue, "_parted", lambda one: [replace(one, rule="7")])
        lane.add(waiting)
        with self.assertRaisesRegex(Invalid, "held by rule 7"):
            await self.hand.release("m1", "anna")
        with self.assertRaisesRegex(Invalid, "release it first"):
            self.hand.retry("m1", "anna")
        assert self.ready() == []

    async def test_a_message_is_led_to_another_server_as_old_as_it_is(self):
        led = []

        async def copied(spool, reactor, original, now, **changes):
            led.append(changes)
            return "m2"

        self.patch(reroute, "copied", copied)
        live = self.accept("m1", (Deliver(customer="acme", mailbox="x", recipient=0), TO_HIM))
        assert await self.hand.reroute("m1", "192.0.2.1:25", "anna") == "m2"
        ((changes),) = led
        assert changes["plan"] == (replace(TO_HIM, via="192.0.2.1:25"),)
        assert changes["received_at"] == live.envelope.received_at
        assert self.spool.live["m1"].remaining == {0}, "its copy here is not touched"
        ((_, outcome),) = self.spool.ended["m1"]
        assert (outcome.word, outcome.reply, outcome.by) == ("rerouted", "as m2, to 192.0.2.1:25", "anna")
        assert self.lines() == ["m1 for 'u@mydomain.zz' led to 192.0.2.1:25 by anna"]

    async def test_a_message_that_cannot_be_copied_waits_as_before(self):
        self.accept("m1")

        async def fail(*given, **more):
            raise Temporary("no space left on device")

        self.patch(reroute, "copied", fail)
        with self.assertRaises(Temporary):
            await self.hand.reroute("m1", "192.0.2.1", "anna")
        assert self.ready() == ["m1"]

    async def test_drop_tells_nobody(self):
        self.accept("m1")
        self.accept("m2")
        assert await self.hand.drop("m1", "anna") == ("u@mydomain.zz",)
        assert list(self.spool.live) == ["m2"]
        assert self.bounces.failures == []
        assert [outcome.word for _, outcome in self.spool.ended["m1"]] == ["dropped"]
        assert self.lines() == ["m1 for 'u@mydomain.zz' dropped by anna"]

    async def test_local_copies_are_not_touched(self):
        self.accept("m1", (Deliver(customer="acme", mailbox="x", recipient=0), TO_HIM))
        await self.hand.drop("m1", "anna")
        assert self.spool.live["m1"].remaining == {0}

    async def test_nothing_is_done_to_what_is_on_its_way(self):
        live = self.accept("m1", (TO_HIM, TO_HER))
        lane = next(self.flow.lanes())
        lane.queue.take(self.clock.seconds())
        for deed in (self.hand.hold, self.hand.release, self.hand.bounce, self.hand.drop):
            with self.assertRaisesRegex(Invalid, "m1 is on its way right now"):
                await deed("m1", "anna")
        with self.assertRaisesRegex(Invalid, "m1 is on its way right now"):
            self.hand.retry("m1", "anna")
        with self.assertRaisesRegex(Invalid, "m1 is on its way right now"):
            await self.hand.reroute("m1", "192.0.2.1", "anna")
        assert live.remaining == {0, 1}
        assert self.lines() == []

    async def test_what_is_not_pending_is_told(self):
        self.accept("m1", (Deliver(customer="acme", mailbox="x", recipient=0),))
        for id in ("m1", "m2", ""):
            with self.assertRaisesRegex(Invalid, "no message .* is pending"):
                await self.hand.hold(id, "anna")

    async def test_mail_whose_customer_is_not_known_yet_is_in_hand_too(self):
        customer = self.flow.directory.by_id.pop("acme")
        self.accept("m1")
        self.accept("m2")
        await self.hand.hold("m1", "anna")
        await self.hand.drop("m2", "anna")
        self.flow.directory.by_id["acme"] = customer
        self.clock.advance(self.flow.settings.refresh)
        (lane,) = self.flow.lanes()
        assert (lane.queue.held, self.ready()) == (1, [])

    async def test_outbound_mail_is_in_hand_too(self):
        live = self.accept("m1", (AWAY,))
        for waiting in waitings(live, [0]):
            self.far.add(waiting)
        await self.hand.hold("m1", "anna")
        assert self.far.queue.held == 1
        assert await self.hand.drop("m1", "anna") == ("w@example.org",)
        assert self.far.empty
