"""Mail goes home while we stop, or while results cannot be written down."""

from twisted.internet import reactor
from twisted.internet.defer import Deferred, ensureDeferred

from emailgency.flows.relaying import lane as lanes
from emailgency.model.directory import Customer
from emailgency.model.errors import Temporary
from emailgency.net.dns import Dns, DnsSettings
from tests.support.asynchronous import run, until
from tests.support.dns_server import DnsServer
from tests.support.null_spool import FullDisk
from tests.support.relay_case import RelayCase
from tests.support.relaying import means
from tests.support.smtp_server import ScriptedServer


class OurTrouble(RelayCase):
    @run
    async def test_stopping_waits_for_the_message_on_the_way_and_takes_no_other(self):
        ends = []
        server = ScriptedServer(end=lambda connection, _: ends.append(connection) or b"")
        for number in range(3):
            self.accept(number)
        flow = self.start(server, connections=1)
        await until(lambda: ends)
        stopping = ensureDeferred(flow.stop())
        assert not stopping.called
        ends[0].transport.write(b"250 2.0.0 taken\r\n")
        await stopping
        assert len(self.spool.live) == 2
        assert list(self.spool.ended) == ["m0"]

    @run
    async def test_stopping_does_not_wait_for_a_greeting_or_the_dns(self):
        for transport in ("127.0.0.1", "mail.mydomain.zz"):
            server = self.server(banner=b"220-wait")
            dns = DnsServer(vice=lambda *_: [])
            self.addCleanup(dns.stop)
            resolver = Dns(DnsSettings(addresses=(dns.address,), timeout=0.5, attempts=1), reactor)
            customer = Customer(
                id="acme",
                domain="mydomain.zz",
                alternate_domain="mydomainzz.test",
                smtp_transport=f"{transport}:{server.port}",
            )
            self.accept(transport)
            made = means(self.spool, reactor, ports=(server.port,))
            flow = self.start(server, customer=customer, resolver=resolver, means_=made)
            await until(lambda server=server, dns=dns: server.opened or dns.asked)
            stopping = ensureDeferred(flow.stop())
            flow.cut()
            await stopping
            self.spool.live.clear()

    @run
    async def test_a_result_that_cannot_be_recorded_stays_pending(self):
        server, record, failures = ScriptedServer(), self.spool.finished, [Temporary("disk"), Temporary("disk")]

        async def failing(id, targets, outcome):
            if failures:
                raise failures.pop()
            await record(id, targets, outcome)

        self.spool.finished = failing
        self.accept()
        flow = self.start(server)
        await until(lambda: not self.spool.live)
        lane = await self.lane(flow)
        assert (len(server.messages), lane.carrying, len(lane.queue)) == (3, 0, 0)

    @run
    async def test_on_a_full_disk_each_connection_gives_one_unrecorded_message_and_the_lane_waits(self):
        self.spool = spool = FullDisk(self.spool.file)
        server = ScriptedServer()
        for number in range(60):
            self.accept(number)
        self.patch(lanes, "FULL_WAIT", 0.005)
        flow = self.start(server, connections=3)
        lane = await self.lane(flow)
        await until(lambda: spool.refused and not lane.connections)
        taken, opened = len(server.messages), server.opened
        assert 1 <= taken <= opened <= 3
        await self.looks(lane)
        assert (len(server.messages), server.opened, lane.carrying) == (taken, opened, 0)
        assert (len(lane.queue), lane.health.failures) == (60 - taken, 0)
        assert not spool.attempts, "no message is to blame"
        assert not lane.forgettable
        spool.write()
        await until(lambda: not spool.live)
        assert len(server.messages) == 60, "each came once"

    @run
    async def test_a_message_whose_end_is_out_gets_its_answer_when_another_ones_record_fails(self):
        self.spool = spool = FullDisk(self.spool.file)
        spool.full = False
        server, waiting = ScriptedServer(), []
        self.accept(0)
        flow = self.start(server, connections=2)
        await until(lambda: not spool.live)

        def think(connection, _):
            connection.reading = False
            waiting.append(connection)

        server.behaviour["end"] = think
        for number in (1, 2, 3, 4):
            self.accept(number)
        lane = await self.lane(flow)
        await until(lambda: len(waiting) == 2)
        spool.full = True
        for count, connection in enumerate(waiting):
            connection.transport.write(b"250 2.0.0 taken\r\n")
            connection.reading = True
            connection.dataReceived(b"")
            await until(lambda count=count: (len(spool.refused), lane.connections) == (count + 1, 1 - count))
        assert (len(spool.live), len(lane.queue), len(waiting)) == (2, 2, 2)
        assert not spool.attempts
        server.behaviour.clear()
        spool.write()
        lane.wake()
        await until(lambda: not spool.live)

    @run
    async def test_a_connection_that_ends_before_its_record_is_followed_by_none_until_then(self):
        """A storer that hangs neither records nor refuses; servers close what is idle for long."""
        record, held = self.spool.finished, []

        async def slow(id, targets, outcome):
            held.append(gate := Deferred())
            await gate
            await record(id, targets, outcome)

        self.spool.finished = slow
        server = ScriptedServer()
        for number in range(3):
            self.accept(number)
        self.patch(lanes, "FULL_WAIT", 0.005)
        flow = self.start(server, connections=1)
        lane = await self.lane(flow)
        for count in (1, 2, 3):
            await until(lambda count=count: len(held) == count)
            for connection in list(server.connections):
                connection.transport.loseConnection()
            await until(lambda: not lane.connections)
            await self.looks(lane)
            assert (len(server.messages), server.opened) == (count, count)
            held[-1].callback(None)
        await until(lambda: not self.spool.live)

    async def looks(self, lane):
        """Until the lane has looked round several times."""
        seen, wake = [], lane.wake

        def counted():
            seen.append(None)
            wake()

        lane.wake = counted
        lane.wake()
        await until(lambda: len(seen) > 5)
        lane.wake = wake
