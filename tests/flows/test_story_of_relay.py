"""The ledger tells what a server said to a message, in its own words, each time it was tried."""

from twisted.internet import reactor
from twisted.internet.defer import ensureDeferred

from emailgency.model.directory import Customer
from emailgency.model.envelope import Deliver, Relay
from emailgency.rules.whereabouts import State, whereabouts
from tests.support.asynchronous import until
from tests.support.ledger_case import LedgerCase
from tests.support.relaying import relay
from tests.support.smtp_server import ScriptedServer

HERE = Deliver(customer="acme", mailbox="m1", recipient=0)
BACK = Relay(customer="acme", address="paul@mydomain.zz", recipient=0)


def after(*answers):
    """One answer after the other, the last one again and again."""
    left = list(answers)
    return lambda connection, line: left.pop(0) if len(left) > 1 else left[0]


class StoryOfRelay(LedgerCase):
    async def given_to(self, server: ScriptedServer) -> list:
        """What is told of one message that this server has got in the end."""
        await self.begin()
        customer = Customer(
            id="acme", domain="mydomain.zz", alternate_domain="x.test", smtp_transport=f"127.0.0.1:{server.port}"
        )
        flow = relay(self.spool, reactor, server.port, customer=customer)
        flow.start()
        self.now = reactor.seconds()
        id = await self.take(HERE, BACK, customer="acme")
        await until(lambda: id not in self.spool.live)
        await flow.stop()
        flow.cut()
        await until(lambda: all(lane.connections == 0 for lane in flow.lanes()))
        await server.down()
        (story,) = await self.found("acme", id=id)
        here, back, _ = whereabouts(story)
        assert (here.state, back.state) == (State.STORED, State.GIVEN)
        return list(back.happenings)

    def test_an_answer_that_puts_it_off_and_the_one_that_takes_it(self):
        return ensureDeferred(self._put_off())

    async def _put_off(self):
        grey = b"451 4.7.1 greylisted, come again\r\n"
        server = ScriptedServer(RCPT=after(grey, b"250 ok\r\n"), end=b"250 2.0.0 Ok: queued as 4ZfF2k\r\n")
        first, *_, last = await self.given_to(server)
        assert (first.word, first.code, first.enhanced, first.reply) == (
            "deferred",
            451,
            "4.7.1",
            "greylisted, come again",
        )
        assert (last.word, last.code, last.reply) == ("relayed", 250, "Ok: queued as 4ZfF2k")
        assert last.remote.endswith(f":{server.port}")
        assert first.next > first.at

    def test_a_lost_last_answer_is_told_as_doubt(self):
        return ensureDeferred(self._doubt())

    async def _doubt(self):
        def cut(connection, line):
            if len(connection.factory.server.messages) == 0 and not getattr(connection.factory, "was_cut", False):
                connection.factory.was_cut = True
                connection.transport.abortConnection()
                return None
            return NotImplemented

        steps = await self.given_to(ScriptedServer(end=cut))
        assert [one.word for one in steps] == ["doubtful", "relayed"]

    def test_attack_21_a_hostile_answer_is_printable_text(self):
        return ensureDeferred(self._hostile())

    async def _hostile(self):
        evil = b"450 4.1.1 \x1b[31m<script>\xff\xe2\x80\xae" + b"A" * 1500 + b"\r\n"
        first, *_ = await self.given_to(ScriptedServer(RCPT=after(evil, b"250 ok\r\n")))
        assert first.word == "deferred"
        assert first.reply.isprintable()
        assert len(first.reply) < 1200
