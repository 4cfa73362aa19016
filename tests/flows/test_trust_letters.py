"""The test of trust: two letters by the way of all mail, the server's own words, and nobody else's server."""

import shutil
import tempfile

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from emailgency.codec import arc
from emailgency.codec.canonical import Fields
from emailgency.flows.relaying.exchanges import Exchanges
from emailgency.flows.relaying.hand_over import HandOver
from emailgency.flows.trust.signing import Signing, SigningSettings
from emailgency.flows.trust.trust_letters import FOREIGN, TrustLetters
from emailgency.model.errors import Invalid
from emailgency.rules.trust import Trust, judge
from emailgency.store.keys.signing_keys import SigningKeys
from tests.support.customers import AUTHOR
from tests.support.dns_case import HOST, OURS, DnsCase
from tests.support.relaying import means
from tests.support.smtp_server import ScriptedServer


class NoLanes:
    def lanes(self, customer):
        return ()


class TrustLettersTests(TestCase):
    timeout = 60

    async def setUp(self) -> None:
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)
        self.case = DnsCase()
        await self.case.begin()
        self.server = ScriptedServer()
        case = self.case
        self.signing = Signing(
            reactor, lambda: case.now, case.directory, SigningKeys(self.folder), case.dns, HOST, SigningSettings()
        )
        net = means(None, reactor, ports=(self.server.port,))
        hand_over = HandOver(Exchanges(case.dns, net.egress, lambda name: False), NoLanes(), net, self.signing)
        self.trust = TrustLetters(case.look, hand_over, self.signing, lambda: case.now, reactor)
        customer = await case.customer()
        self.customer = await case.accounts.set(
            AUTHOR, customer.id, smtp_transport=f"127.0.0.1:{self.server.port}", authentication=True
        )

    async def tearDown(self) -> None:
        await self.server.down()
        await self.case.stop()

    async def publish_key(self, owner: str, domain: str) -> None:
        await self.signing.make(owner)
        for one in await self.signing.show(owner, [domain]):
            self.case.zone[one.name, "TXT"] = [f'"{one.record[:200]}" "{one.record[200:]}"']

    async def test_a_server_that_takes_both_is_shown_with_its_words(self) -> None:
        tested = await self.trust.test(self.customer, " Paul@MyDomain.zz ")
        assert tested.trust is Trust.GOOD
        assert (tested.own, tested.foreign) == ("250 taken", "250 taken")
        senders = [sender.split(b"<")[1].split(b">")[0].decode() for sender, _, _ in self.server.messages]
        assert senders == ["postmaster@mydomainzz.emailgency.example", FOREIGN]
        assert {recipients for _, recipients, _ in self.server.messages} == {(b"RCPT TO:<paul@mydomain.zz>",)}
        assert all(b"Auto-Submitted: auto-generated" in body for _, _, body in self.server.messages)

    async def test_a_server_that_judges_by_our_address_is_found_out(self) -> None:
        def refuse(connection, line):
            return b"550 5.7.26 SPF of example.com\r\n" if FOREIGN.encode() in line else NotImplemented

        self.server.behaviour["MAIL"] = refuse
        tested = await self.trust.test(self.customer, "paul@mydomain.zz")
        assert tested.trust is Trust.BAD
        assert tested.foreign == "550 SPF of example.com"
        assert "takes us for its sender" in str(tested.words)

    async def test_a_server_that_is_away_is_no_verdict(self) -> None:
        await self.server.down()
        tested = await self.trust.test(self.customer, "paul@mydomain.zz")
        assert tested.trust is Trust.DOUBTFUL
        assert "cannot connect" in tested.own

    async def test_the_second_letter_is_sealed_as_mail_of_others_is(self) -> None:
        await self.publish_key(self.customer.id, "mydomain.zz")
        await self.trust.test(self.customer, "paul@mydomain.zz")
        body = self.server.messages[1][2]
        chain = arc.read(Fields(body.partition(b"\r\n\r\n")[0] + b"\r\n"))
        assert chain.length == 1
        assert not chain.broken
        assert chain.sets[0].seal.domain == "mydomain.zz"
        sealers = await self.trust.sealers(self.customer)
        assert (sealers.seal, sealers.name, sealers.addresses) == ("mydomain.zz", HOST, (OURS,))

    async def test_attack_09_no_letter_goes_to_others(self) -> None:
        await self.case.customer("other.zz")
        for address in (
            "paul@other.zz",
            "a@far.example",
            "paul%far.example@x.zz",
            "paul@mydomainzz.emailgency.example",
            "nobody",
            "",
            "a@b\r\nRCPT TO:<x@far.example>",
        ):
            with self.assertRaises(Invalid):
                await self.trust.test(self.customer, address)
        assert self.server.opened == 0

    async def test_attack_11_tests_are_few(self) -> None:
        for _ in range(3):
            await self.trust.test(self.customer, "paul@mydomain.zz")
        with self.assertRaises(Invalid):
            await self.trust.test(self.customer, "paul@mydomain.zz")
        assert len(self.server.messages) == 6

    def test_every_pair_of_answers_has_its_words(self) -> None:
        for own, foreign, trust in (
            ("250 ok", "250 ok", Trust.GOOD),
            ("250 ok", "550 no", Trust.BAD),
            ("550 no", "550 no", Trust.BAD),
            ("554 no", "250 ok", Trust.BAD),
            ("451 later", "451 later", Trust.DOUBTFUL),
            ("250 ok", "451 later", Trust.DOUBTFUL),
            ("cannot connect", "cannot connect", Trust.DOUBTFUL),
            ("", "", Trust.DOUBTFUL),
        ):
            assert judge(own, foreign)[0] is trust, (own, foreign)
