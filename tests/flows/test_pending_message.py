"""One pending message: each recipient with its state and its server's last words; another customer's is unknown."""

from types import SimpleNamespace

from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from emailgency.flows.pending.pending_deeds import PendingDeeds
from emailgency.flows.pending.pending_message import PendingMessages
from emailgency.flows.relaying.errand import Records
from emailgency.flows.relaying.lane import Lane
from emailgency.model.directory import Customer, RelayMode
from emailgency.model.envelope import Outbound, Outcome, Relay
from emailgency.model.errors import Invalid
from emailgency.store.directory.changes import Author
from emailgency.store.spool.pending import HELD, Hop
from tests.support.null_spool import NullSpool, envelope
from tests.support.relaying import RecordedBounces, means, relay

TO_HIM = Relay(customer="acme", address="u@mydomain.zz", recipient=0)
TO_HER = Relay(customer="acme", address="v@mydomain.zz", recipient=1)
AWAY = Outbound(customer="acme", address="w@example.org", recipient=2, origin="forward")
LATER = Outcome(word="deferred", code=451, reply="4.7.1 come back later", remote="mx.mydomain.zz[192.0.2.1]:25")


class Messages(TestCase):
    def setUp(self):
        self.clock = Clock()
        self.clock.advance(1_000_000.0)
        self.spool = NullSpool("no file", self.clock.seconds)
        customer = Customer(id="acme", domain="mydomain.zz", alternate_domain="mydomainzz.test", relay=RelayMode.HOLD)
        self.flow = relay(self.spool, self.clock, 1, customer=customer)
        self.far = Lane(Hop("example.org"), Records(RecordedBounces(self.spool)), means(self.spool, self.clock))
        self.far.held = True
        outbound = SimpleNamespace(lanes=lambda: [self.far])
        self.messages = PendingMessages(self.flow, outbound, self.spool, SimpleNamespace(look=self.look))
        self.spool.listeners.clear()
        self.flow.start()

    async def look(self, id):
        return self.spool.live[id].envelope, None

    async def test_each_recipient_has_its_state_and_the_last_words_of_its_server(self):
        live = self.spool.accept(envelope("m1", (TO_HIM, TO_HER, AWAY)))
        await self.spool.tried("m1", (0,), self.clock.seconds() + 60, LATER)
        live.remaining.discard(1)
        message = await self.messages.of("acme", "m1")
        him, her, away = message.recipients
        assert (him.address, him.state, him.said, him.remote) == (
            "u@mydomain.zz",
            "waiting",
            "451 4.7.1 come back later",
            LATER.remote,
        )
        assert him.tried_at == self.clock.seconds()
        assert (her.state, her.tried_at, her.said) == ("settled", None, "")
        assert away.state == "on its way"  # in no queue: somebody has it in hand
        assert message.outbound

    async def test_attack_18_of_a_message_for_several_customers_each_sees_his_own_recipients(self):
        secret = Outbound(customer="other", address="secret@rival.example", recipient=1, origin="submit")
        theirs = Relay(customer="third", address="boss@third.example", recipient=2)
        live = self.spool.accept(envelope("m1", (TO_HIM, secret, theirs), customer="other"))
        live.remaining.intersection_update({0})  # what was for the others has gone
        message = await self.messages.of("acme", "m1")
        assert [line.address for line in message.recipients] == ["u@mydomain.zz"]
        assert not message.outbound

    async def test_what_is_held_is_due_at_no_time_and_does_not_expire(self):
        self.spool.accept(envelope("m1", (TO_HIM,)))
        (lane,) = self.flow.lanes()
        for waiting in lane.queue.remove(lambda _: True):
            waiting.due = HELD
            lane.add(waiting)
        message = await self.messages.of("acme", "m1")
        assert (message.held, message.all_held, message.expires_at) == (True, True, None)
        assert (message.recipients[0].state, message.recipients[0].due) == ("held", None)

    async def test_attack_18_nobody_has_anothers_message_in_hand(self):
        self.spool.accept(envelope("m1", (TO_HIM,)))
        hand = SimpleNamespace(**dict.fromkeys(("hold", "release", "bounce", "drop")))  # whatever is asked of it fails
        deeds = PendingDeeds(None, self.messages, hand, None)
        author = Author("eve@other.zz", "console")
        with self.assertRaisesRegex(Invalid, "no message m1 is pending"):
            await self.messages.of("other", "m1")
        for deed in (deeds.hold, deeds.release, deeds.retry, deeds.bounce, deeds.drop):
            with self.assertRaisesRegex(Invalid, "no message m1 is pending"):
                await deed(author, "other", "m1")
        with self.assertRaisesRegex(Invalid, "no message m1 is pending"):
            await deeds.reroute(author, "other", "m1", "far.example")
        with self.assertRaisesRegex(Invalid, "no message m1 is pending"):
            await deeds.keep(author, "other", "m1", None)

    async def test_attack_18_what_is_done_with_it_stands_in_the_journal_of_who_did_it_and_no_other(self):
        self.spool.accept(envelope("m1", (TO_HIM,), customer="other"))
        written = []

        async def change(author, what, edits, customer):
            written.append((what, customer))

        async def held(id, who):
            return ("u@mydomain.zz",)

        deeds = PendingDeeds(SimpleNamespace(change=change), self.messages, SimpleNamespace(hold=held), None)
        await deeds.hold(Author("eve@mydomain.zz", "console"), "acme", "m1")
        assert written == [("pending message m1 for u@mydomain.zz held", "acme")]
