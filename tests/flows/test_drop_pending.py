"""Mail that waits for the server of a customer who leaves."""

from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from emailgency.flows.accounts.drop_pending import DropPending
from emailgency.model.directory import Customer, RelayMode
from emailgency.model.envelope import Relay
from emailgency.model.errors import Invalid
from tests.support.null_spool import FullDisk, NullSpool, envelope
from tests.support.relaying import relay


class DroppedMail(TestCase):
    def setUp(self):
        self.clock = Clock()
        self.build(NullSpool("no file"))

    def build(self, spool):
        self.spool = spool
        held = Customer(
            id="acme",
            domain="mydomain.zz",
            alternate_domain="mydomainzz.test",
            smtp_transport="mx",
            relay=RelayMode.HOLD,
        )
        self.flow = relay(spool, self.clock, 1, customer=held)
        self.customers = self.flow.directory.by_id
        self.drop_pending = DropPending(self.flow)

    def start(self, count=3):
        for number in range(count):
            self.spool.accept(envelope(f"m{number}", (Relay(customer="acme", address="u@mydomain.zz", recipient=0),)))
        self.flow.start()

    async def drop(self):
        return await self.drop_pending.drop("acme")

    async def test_mail_whose_customer_is_not_known_yet_counts_as_pending(self):
        del self.customers["acme"]
        self.start()
        assert not list(self.flow.lanes())
        with self.assertRaisesRegex(Invalid, "3 messages are pending"):
            self.drop_pending.check_none("acme")

    async def test_mail_without_a_lane_is_dropped_when_said_so(self):
        del self.customers["acme"]
        self.start()
        assert await self.drop() == 3
        assert not self.spool.live
        assert {outcome.word for ends in self.spool.ended.values() for _, outcome in ends} == {"dropped"}
        self.drop_pending.check_none("acme")

    async def test_a_full_disk_does_not_end_the_dropping_half_way(self):
        self.build(FullDisk("no file"))
        self.start()
        (lane,) = self.flow.lanes()
        del self.customers["acme"]
        assert await self.drop() == 3
        assert len(self.spool.refused) == 3, "which the spool writes later"
        assert (len(self.spool.live), len(lane.queue)) == (0, 0)

    async def test_what_comes_back_from_its_way_is_dropped_too(self):
        self.start()
        (lane,) = self.flow.lanes()
        on_its_way = lane.queue.take(self.clock.seconds())
        lane.settling.carrying += 1
        del self.customers["acme"]
        assert await self.drop() == 2
        assert list(self.spool.live) == [on_its_way.live.envelope.id]
        lane.settling.carrying -= 1
        lane.add(on_its_way)
        self.clock.advance(self.flow.settings.refresh)
        assert not self.spool.live
        self.drop_pending.check_none("acme")

    async def test_another_customers_mail_stays(self):
        self.start()
        assert await self.drop_pending.drop("other") == 0
        assert len(self.spool.live) == 3
