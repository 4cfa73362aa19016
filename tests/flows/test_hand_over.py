"""Mail of ours straight to a customer's server: a result for each letter, and nothing is kept."""

import pytest
from msgspec.structs import replace
from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from emailgency.flows.relaying import hand_over
from emailgency.flows.relaying.exchanges import Exchanges
from emailgency.flows.relaying.hand_over import HandOver, Letter
from emailgency.model.directory import Customer, RelayMode
from emailgency.net.dns import Dns, DnsSettings
from tests.support.relaying import means
from tests.support.sink import Sink

MESSAGE = b"Subject: hello\r\n\r\n.a line with a dot\r\n"


class NoLanes:
    def lanes(self, customer):
        return ()


class NoKeys:
    """What signs, or not."""

    field = b""

    async def signer(self, domain):
        return lambda message: self.field


class HandOverTests(TestCase):
    def setUp(self) -> None:
        self.sink = Sink()
        self.addCleanup(self.sink.close)
        self.means = means(None, reactor, ports=(self.sink.port,))
        dns = Dns(DnsSettings(addresses=("127.0.0.1:1",), timeout=0.1), reactor)
        exchanges = Exchanges(dns, self.means.egress, lambda name: False)
        self.flow = HandOver(exchanges, NoLanes(), self.means, NoKeys())
        self.customer = Customer(
            id="acme",
            domain="mydomain.zz",
            alternate_domain="mydomainzz.test",
            smtp_transport=f"127.0.0.1:{self.sink.port}",
        )

    def letters(self, count: int) -> list[Letter]:
        return [Letter(f"m{number}@mydomain.zz", lambda: MESSAGE) for number in range(count)]

    async def test_many_letters_go_by_a_few_connections_each_once(self) -> None:
        self.sink.up()
        results = await self.flow.give(self.customer, self.letters(80))
        self.assertEqual(results, 80 * [""])
        self.assertEqual(len(self.sink.messages), 80)
        self.assertEqual(len({taken.recipients for taken in self.sink.messages}), 80)
        self.assertEqual({(taken.sender, taken.octets) for taken in self.sink.messages}, {("", MESSAGE)})
        self.assertLessEqual(len({taken.line for taken in self.sink.messages}), hand_over.LINES)

    async def test_letters_are_signed_as_they_go(self) -> None:
        self.sink.up()
        NoKeys.field = b"DKIM-Signature: v=1\r\n"
        self.addCleanup(setattr, NoKeys, "field", b"")
        await self.flow.give(self.customer, self.letters(1))
        self.assertEqual(self.sink.messages[0].octets, b"DKIM-Signature: v=1\r\n" + MESSAGE)

    async def test_no_connection_is_told_for_every_letter(self) -> None:
        results = await self.flow.give(self.customer, self.letters(30))
        self.assertEqual(len(results), 30)
        self.assertTrue(all("Connection was refused" in words for words in results))

    async def test_who_wants_no_mail_gets_none(self) -> None:
        self.sink.up()
        for mode in (RelayMode.NONE, RelayMode.HOLD):
            [words] = await self.flow.give(replace(self.customer, relay=mode), self.letters(1))
            self.assertTrue(words)
        self.assertEqual(self.sink.messages, [])

    async def test_attack_15_no_way_leads_to_what_the_operator_forbids(self) -> None:
        with Sink() as inside:
            inside.up()
            [words] = await self.flow.give(
                replace(self.customer, smtp_transport=f"127.0.0.1:{inside.port}"), self.letters(1)
            )
            self.assertIn("not allowed", words)
            self.assertEqual(inside.messages, [])

    async def test_a_server_that_says_nothing_is_left_in_time_and_takes_few_places(self) -> None:
        self.sink._bound.listen(100)  # takes connections, and never greets
        patience = pytest.MonkeyPatch()
        patience.setattr(hand_over, "PATIENCE", 0.5)
        self.addCleanup(patience.undo)
        from twisted.internet.defer import Deferred, gatherResults

        calls = [Deferred.fromCoroutine(self.flow.give(self.customer, self.letters(1))) for _ in range(10)]
        words = [result for [result] in await gatherResults(calls)]
        self.assertEqual(words.count("it takes too long"), hand_over.AT_ONCE)
        self.assertEqual(words.count("too many connections are open, try again in a moment"), 10 - hand_over.AT_ONCE)
        self.sink.up()
        self.assertEqual(await self.flow.give(self.customer, self.letters(1)), [""])
