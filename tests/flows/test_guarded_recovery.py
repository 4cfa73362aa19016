"""Guarded recovery (row G1) over sockets: canary, waves, what stops the flow, incidents, what may be twice."""

import tempfile

from msgspec.structs import replace
from twisted.internet import reactor
from twisted.internet.defer import ensureDeferred

from emailgency.flows.pending.server_view import ServerView
from emailgency.flows.relaying.incidents import Incidents
from emailgency.model.directory import Customer
from emailgency.rules.guard import GuardSettings
from emailgency.rules.health import State
from emailgency.store.experience.history import History
from emailgency.store.spool.pending import Hop
from tests.support.asynchronous import run, until
from tests.support.relay_case import RelayCase
from tests.support.relaying import KnownInMemory, means, relay
from tests.support.smtp_server import ScriptedServer

HOP = Hop("", "acme")
REFUSED = b"550 5.1.1 who is that?\r\n"


class GuardCase(RelayCase):
    timeout = 60

    def setUp(self):
        super().setUp()
        self.alerts = []

    async def down(self, server, **more):
        """A flow whose server is known to be down."""
        await server.down()
        guard = more.pop("guard", GuardSettings())
        made = means(self.spool, reactor, ports=(server.port,), guard=guard)
        flow = self.start(server, means_=made, **more)
        flow.incidents.listeners.append(lambda customer, words: self.alerts.append(words))
        lane = await self.lane(flow)
        await until(lambda: lane.health.state is State.DOWN)
        return flow, lane

    def refused_before(self):
        return {id for id, *_ in self.spool.attempts}


class ComingBack(GuardCase):
    @run
    async def test_the_canary_is_for_an_address_that_the_server_took_before(self):
        known = KnownInMemory()
        known.accepted(HOP, "u0@mydomain.zz", 0.0)
        server = ScriptedServer(RCPT=lambda _, line: NotImplemented if b"<u0@" in line else REFUSED)
        for number in range(5):
            self.accept(number, recipients=2)  # for somebody unknown too
        self.accept(5)
        await self.down(server, known=known)
        server.up()
        await server.until(lambda: server.messages)
        first = next(command for command in server.commands if command.startswith(b"RCPT"))
        assert first == b"RCPT TO:<u0@mydomain.zz>"
        assert b"DATA" in server.commands[: server.commands.index(first) + 2], "one recipient: the sixth message"

    @run
    async def test_after_the_canary_come_5_then_25_and_each_waits_for_the_one_before(self):
        held = []

        def think(connection, _):
            connection.reading = False
            held.append(connection)
            return b""

        def answer(connection):
            connection.transport.write(b"250 2.0.0 taken\r\n")
            connection.reading = True
            connection.dataReceived(b"")

        server = ScriptedServer(end=think)
        for number in range(100):
            self.accept(number)
        await self.down(server, connections=50)
        server.up()
        for before, wave in ((0, 1), (1, 5), (6, 25), (31, 125)):
            for _ in range(min(wave, 100 - before)):
                await until(lambda: held)
                assert server.commands.count(b"DATA") <= before + wave
                answer(held.pop())
        await until(lambda: not self.spool.live)

    @run
    async def test_mail_comes_home_and_the_incident_ends(self):
        server = ScriptedServer()
        for number in range(100):
            self.accept(number)
        flow, lane = await self.down(server, refresh=0.05)
        incident = flow.incidents.current("acme")
        assert "refused" in incident.reason
        assert len(self.alerts) == 1
        server.up()
        await until(lambda: not self.spool.live)
        await until(lambda: flow.incidents.current("acme") is None)
        assert lane.health.state is State.UP
        states = [turn.state for turn in flow.incidents.history.turns("acme", "")]
        assert states == ["suspect", "down", "recovering", "up"]

    @run
    async def test_550_to_everybody_bounces_nothing_loses_nothing_and_raises_an_alert(self):
        for known in (KnownInMemory(), KnownInMemory()):
            server = self.server(RCPT=REFUSED)
            self.spool.attempts.clear()
            self.alerts.clear()
            for number in range(40):
                self.accept(number)
            flow, _ = await self.down(server, known=known, refresh=0.05)
            server.up()
            await until(lambda: len(self.refused_before()) > 5)
            assert flow.incidents.current("acme")
            assert self.alerts
            assert not flow._bounces.failures
            assert len(self.spool.live) == 40
            server.behaviour.clear()
            await until(lambda: not self.spool.live)
            assert {outcome.word for ends in self.spool.ended.values() for _, outcome in ends} == {"relayed"}
            assert len(server.messages) == 40
            known.accepted(HOP, "u0@mydomain.zz", 0.0)

    @run
    async def test_550_to_everybody_out_of_the_blue_is_noticed_after_two_messages(self):
        server = ScriptedServer()
        known = KnownInMemory()
        flow = self.start(server, known=known, refresh=0.05)
        flow.incidents.listeners.append(lambda _, words: self.alerts.append(words))
        self.accept("well")
        await until(lambda: not self.spool.live)
        server.behaviour["RCPT"] = REFUSED
        asked = len(server.commands)
        for number in range(30):
            self.accept(number)
        lane = await self.lane(flow)
        await until(lambda: lane.health.state is State.DOWN)
        refused = sum(command.startswith(b"RCPT") for command in server.commands[asked:])
        assert refused <= 6, "the stop came before all were tried"
        assert len(self.alerts) == 1
        assert "550 5.1.1" in self.alerts[0]
        server.behaviour.clear()
        await until(lambda: not self.spool.live)
        assert not flow._bounces.failures

    @run
    async def test_what_a_well_server_does_not_say_stops_the_flow_in_the_middle_of_a_recovery(self):
        for stage, reply in (("MAIL", b"550 5.7.1 go away\r\n"), ("RCPT", REFUSED)):
            server = self.server()
            known = KnownInMemory()
            known.accepted(HOP, "u0@mydomain.zz", 0.0)
            for number in range(100):
                self.accept(f"{stage}{number}")

            def after_some(connection, line, server=server, reply=reply):
                return reply if len(server.messages) >= 10 else NotImplemented

            server.behaviour[stage] = after_some
            flow, lane = await self.down(server, known=known)
            server.up()
            await server.until(lambda server=server: len(server.messages) >= 10)
            await until(lambda lane=lane: lane.health.state is State.DOWN)
            assert "550" in lane.health.reason
            assert not flow._bounces.failures
            assert len(self.spool.live) >= 65, "some of the wave may have been on their way"
            server.behaviour.clear()
            await until(lambda: not self.spool.live)
            self.spool.ended.clear()

    @run
    async def test_spam_in_the_backlog_is_held_and_does_not_stop_the_rest(self):
        server = ScriptedServer(
            end=lambda connection, _: b"554 5.7.1 spam\r\n" if b"spam@" in connection.sender else NotImplemented
        )
        for number in range(60):
            self.accept(number, sender="spam@example.org" if number % 4 == 3 else "sender@example.org")
        flow, lane = await self.down(server)
        server.up()
        await until(lambda: len(self.spool.live) == 15)
        await until(lambda: len(self.refused_before()) == 15)
        assert not flow._bounces.failures, "in the first hours after a recovery no refusal is final"
        await until(lambda: lane.health.state is State.UP)

    @run
    async def test_a_message_that_nobody_answered_for_counts_in_its_wave(self):
        """Or the wave never ends, and nothing more goes."""
        cuts = iter([False, True, False, True, True])

        def cut(connection, _):
            if next(cuts, False):
                connection.transport.abortConnection()
                return b""
            return NotImplemented

        server = ScriptedServer(end=cut)
        for number in range(50):
            self.accept(number)
        await self.down(server, connections=3)
        server.up()
        await until(lambda: not self.spool.live)

    @run
    async def test_a_full_disk_over_there_is_asked_by_probes_and_not_by_every_message(self):
        server = ScriptedServer(MAIL=b"452 4.3.1 insufficient system storage\r\n")
        for number in range(300):
            self.accept(number)
        flow = self.start(server)
        lane = await self.lane(flow)
        await until(lambda: lane.health.state is State.DOWN)
        assert len(self.refused_before()) < 30
        server.behaviour.clear()
        await until(lambda: not self.spool.live)

    @run
    async def test_when_another_server_answers_the_rest_waits_and_a_person_is_told(self):
        server = ScriptedServer()
        guard = GuardSettings(stranger=0.5 / 60)
        made = means(self.spool, reactor, ports=(server.port,), guard=guard)
        flow = self.start(server, means_=made)
        flow.incidents.listeners.append(lambda _, words: self.alerts.append(words))
        self.accept("well")
        await until(lambda: not self.spool.live)
        lane = await self.lane(flow)
        await server.down()
        for number in range(20):
            self.accept(number)
        await until(lambda: lane.health.state is State.DOWN)
        server.behaviour["EHLO"] = b"250-elsewhere.example\r\n250 PIPELINING\r\n"
        server.up()
        await until(lambda: len(self.spool.live) == 19)
        assert "calls itself elsewhere.example, before scripted" in self.alerts[-1]
        assert lane.health.state is State.RECOVERING
        await until(lambda: not self.spool.live)

    @run
    async def test_a_flush_of_a_server_that_is_up_goes_through_the_waves_too(self):
        server = ScriptedServer(RCPT=b"450 4.2.1 later\r\n")
        for number in range(60):
            self.accept(number)
        flow = self.start(server)
        await until(lambda: len(self.refused_before()) == 60)
        lane = await self.lane(flow)
        flow.flush("acme")
        assert lane.guard.gate.wave == 5
        server.behaviour.clear()
        await until(lambda: not self.spool.live)

    @run
    async def test_a_server_that_calls_itself_by_our_name_is_a_loop_and_gets_nothing(self):
        server = ScriptedServer(EHLO=b"250-mx.emailgency.test\r\n250 PIPELINING\r\n")
        self.accept()
        flow = self.start(server)
        lane = await self.lane(flow)
        await until(lambda: lane.health.state is State.DOWN)
        assert "mail would come back to us" in lane.health.reason
        assert not any(command.startswith(b"MAIL") for command in server.commands)

    @run
    async def test_attack_13_an_smtp_transport_that_is_a_name_of_ours_gets_nothing_and_says_why(self):
        customer = Customer(
            id="acme",
            domain="mydomain.zz",
            alternate_domain="mydomainzz.emailgency.test",
            smtp_transport="mydomainzz.emailgency.test",
        )
        self.accept()
        flow = self.start(None, customer=customer)
        lane = await self.lane(flow)
        await until(lambda: lane.health.state is State.DOWN)
        assert "a name of ours: mail would come back" in lane.health.reason
        assert flow.incidents.current("acme")


class OverARestart(GuardCase):
    def history(self):
        history = History(reactor, self.data)
        history.start()
        return history

    async def written(self, history):
        await until(lambda: not history._file.busy)

    @run
    async def test_a_server_that_was_down_is_probed_after_a_restart_also_without_mail_and_the_incident_goes_on(self):
        self.data = tempfile.mkdtemp(dir=self.folder)
        server = ScriptedServer()
        history = self.history()
        self.accept(0)
        flow, _ = await self.down(server, incidents=Incidents(history, reactor.seconds))
        began = flow.incidents.current("acme")
        await self.written(history)
        await flow.stop()
        self.spool.live.clear()

        again = Incidents(self.history(), reactor.seconds)
        assert again.current("acme") == began
        self.spool.listeners.clear()
        flow = self.start(server, incidents=again, refresh=0.02)
        lane = await self.lane(flow)
        assert lane.health.state is State.DOWN
        server.up()
        await until(lambda: again.current("acme") is None)
        assert lane.health.state is State.RECOVERING, "the next message is its canary"
        self.accept(1)
        await until(lambda: lane.health.state is State.UP)
        await self.written(again.history)

    @run
    async def test_nothing_expires_while_an_incident_is_open_and_its_time_does_not_count(self):
        server = ScriptedServer()
        self.accept(0, received_at=reactor.seconds() - 29.9999 * 86400)
        self.accept(1)
        flow, lane = await self.down(server, refresh=0.01)
        assert flow.incidents.current("acme")
        waiting = lane.queue.foremost(10, reactor.seconds())
        assert not any(lane._errand.outlived(one, reactor.seconds() + 100 * 86400) for one in waiting)
        server.up()
        await until(lambda: not self.spool.live)
        assert {outcome.word for ends in self.spool.ended.values() for _, outcome in ends} == {"relayed"}

    @run
    async def test_what_a_killed_process_had_given_says_that_it_may_come_twice(self):
        server = ScriptedServer()
        self.accept(0)
        flow = self.server_flow(server)
        flow.start(killed=True)
        await until(lambda: not self.spool.live)
        self.accept(1)
        await until(lambda: not self.spool.live)
        first, second = (body for _, _, body in server.messages)
        assert first.startswith(b"X-Emailgency-Id: m0\r\nSubject:")
        assert second.startswith(b"Subject:")

    def server_flow(self, server):
        flow = relay(self.spool, reactor, server.port)
        self.addCleanup(lambda: ensureDeferred(self.finish(flow, server)))
        return flow


class Leaving(GuardCase):
    @run
    async def test_a_dead_server_that_no_mail_goes_to_any_more_is_probed_no_more_and_its_incident_ends(self):
        for leave in ("removed", "another way"):
            server = self.server()
            self.accept(leave)
            flow, _ = await self.down(server, refresh=0.02)
            if leave == "removed":
                await flow.drop("acme")
            else:
                customer = flow.directory.by_id["acme"]
                flow.directory.by_id["acme"] = replace(customer, smtp_transport=None)
            await until(lambda flow=flow: not any(lane.hop == HOP for lane in flow.lanes()))
            if leave == "removed":
                await until(lambda flow=flow: flow.incidents.current("acme") is None)
            self.spool.live.clear()


class ForPeople(GuardCase):
    @run
    async def test_the_state_the_incident_and_the_forecast_of_a_server_can_be_seen(self):
        server = ScriptedServer()
        now = reactor.seconds()
        self.accept(0, received_at=now - 3600)
        self.accept(1, received_at=now)
        flow, _ = await self.down(server, refresh=0.02)
        view = ServerView(flow, flow.incidents, lambda: 1 << 30, lambda: now + 7200)
        (line,) = view.servers("acme")
        assert (line.state, line.pending, line.wave) == ("down", 2, 1)
        assert line.next_probe
        assert view.forecast("acme").expires_at is None, "nothing expires while the incident is open"
        assert view.forecast("acme").oldest == now - 3600
        server.up()
        await until(lambda: not self.spool.live)
        await until(lambda: flow.incidents.current("acme") is None)
        await until(lambda: not list(flow.lanes()))
        (line,) = view.servers()
        assert (line.state, line.pending) == ("up", 0), "as it was last seen"
        assert [turn.state for turn in view.turns("acme")] == ["suspect", "down", "recovering", "up"]
        assert view.incidents("acme")[0].ended_at
        assert view.forecast("acme").oldest is None

    @run
    async def test_the_forecast_says_when_the_oldest_expires_and_when_the_disk_is_full(self):
        now = reactor.seconds()
        server = ScriptedServer(RCPT=b"450 4.2.1 later\r\n")
        for number in range(10):
            self.accept(number, received_at=now - 3600 + number)
        flow = self.start(server, refresh=0.02)
        await until(lambda: len(self.refused_before()) == 10)
        view = ServerView(flow, flow.incidents, lambda: 100 * self.size, lambda: now)
        await until(lambda: all(len(lane.queue) == 10 for lane in flow.lanes()))
        forecast = view.forecast("acme")
        assert forecast.expires_at == now - 3600 + 30 * 86400
        assert forecast.full_at == now + 10 * 3600, "as much again in each of ten hours"
