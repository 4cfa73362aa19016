"""The resolver against a real server on loopback that answers well, badly or not at all."""

import random
from functools import partial

import dns.flags
import dns.message
import dns.rcode
from twisted.internet import reactor
from twisted.internet.defer import ensureDeferred, gatherResults
from twisted.internet.error import CannotListenError
from twisted.trial.unittest import TestCase

from emailgency.net import dns as net_dns
from emailgency.net.dns import Dns, DnsSettings, Status
from tests.support.asynchronous import run
from tests.support.dns_server import DnsServer

ZONE = {
    ("mydomain.zz", "MX"): ["10 mx1.mydomain.zz.", "20 mx2.mydomain.zz."],
    ("mx1.mydomain.zz", "A"): ["192.0.2.1", "192.0.2.2"],
    ("mx1.mydomain.zz", "AAAA"): ["2001:db8::1"],
    ("mx2.mydomain.zz", "A"): ["192.0.2.3"],
    ("null.zz", "MX"): ["0 ."],
    ("alias.zz", "CNAME"): ["mydomain.zz."],
    ("text.zz", "TXT"): ['"v=spf1 " "-all"'],
    ("loop.zz", "CNAME"): ["loop.zz."],
}


def _raise(error, *_, **__):
    raise error


class ResolverTest(TestCase):
    timeout = 20

    def resolver(self, *servers, **settings):
        for server in servers:
            self.addCleanup(server.stop)
        given = {"timeout": 20, "addresses": tuple(server.address for server in servers), **settings}
        return Dns(DnsSettings(**given), reactor)

    @run
    async def test_records_come_in_the_form_mail_wants(self):
        resolver = self.resolver(DnsServer(ZONE))
        both = ["10 mx1.mydomain.zz", "20 mx2.mydomain.zz"]
        assert sorted((await resolver.mx("MyDomain.ZZ.")).records) == both
        four, also, six = (await resolver.addresses("mx1.mydomain.zz")).records
        assert ({four, also}, six) == ({"192.0.2.1", "192.0.2.2"}, "2001:db8::1")
        assert (await resolver.addresses("mx2.mydomain.zz")).records == ("192.0.2.3",)
        assert (await resolver.mx("null.zz")).records == ("0 ",)
        assert sorted((await resolver.mx("alias.zz")).records) == both
        assert (await resolver.txt("text.zz")).records == ("v=spf1 -all",)

    @run
    async def test_no_such_name_no_data_and_failure_are_three_things(self):
        resolver = self.resolver(DnsServer(ZONE))
        assert (await resolver.mx("nothing.zz")).status is Status.NO_SUCH_NAME
        assert (await resolver.mx("mx1.mydomain.zz")).status is Status.NO_DATA
        assert (await resolver.addresses("null.zz")).status is Status.NO_DATA
        assert (await resolver.mx("a..b")).status is Status.NO_SUCH_NAME
        assert (await resolver.mx("x" * 64 + ".zz")).status is Status.NO_SUCH_NAME
        assert (await resolver.mx("loop.zz")).status is Status.FAILURE

        def servfail(query, honest, udp):
            honest.set_rcode(dns.rcode.SERVFAIL)
            return [honest.to_wire()]

        broken = self.resolver(DnsServer(ZONE, vice=servfail))
        assert (await broken.mx("mydomain.zz")).status is Status.FAILURE
        silent = self.resolver(DnsServer(ZONE, vice=lambda *_: []), timeout=0.05)
        answer = await silent.mx("mydomain.zz")
        assert answer.status is Status.FAILURE
        assert "silent" in answer.reason

    @run
    async def test_without_a_route_to_the_resolver_it_is_a_failure_like_any_other(self):
        unreachable = Dns(DnsSettings(addresses=("255.255.255.255:53",)), reactor)
        assert (await unreachable.addresses("mx1.mydomain.zz")).status is Status.FAILURE

    @run
    async def test_a_silent_resolver_is_passed_over(self):
        resolver = self.resolver(DnsServer(vice=lambda *_: []), DnsServer(ZONE), timeout=0.2, attempts=10)
        assert (await resolver.mx("mydomain.zz")).status is Status.FOUND

    @run
    async def test_answers_are_kept_for_their_ttl_and_the_cache_is_bounded(self):
        server = DnsServer(ZONE)
        resolver = self.resolver(server, cached=2)
        for _ in range(3):
            await resolver.mx("mydomain.zz")
            await resolver.mx("nothing.zz")
        assert len(server.asked) == 4  # without an SOA nothing says how long "nothing.zz" stays unknown
        for name in ("null.zz", "alias.zz", "text.zz"):
            await resolver.mx(name)
        assert len(resolver._cache) <= 2
        fresh = DnsServer(ZONE, ttl=0)
        resolver = self.resolver(fresh)
        await resolver.mx("mydomain.zz")
        await resolver.mx("mydomain.zz")
        assert len(fresh.asked) == 2

    @run
    async def test_the_same_question_is_asked_once_at_a_time(self):
        server = DnsServer(ZONE)
        resolver = self.resolver(server)
        answers = await gatherResults([ensureDeferred(resolver.mx("mydomain.zz")) for _ in range(50)])
        assert len(server.asked) == 1
        assert {answer.status for answer in answers} == {Status.FOUND}

    @run
    async def test_attack_29_questions_beyond_a_bound_fail_at_once_and_use_no_socket(self):
        self.patch(net_dns, "UNDER_WAY", 5)
        held = []
        server = DnsServer(vice=lambda query, honest, udp: held.append(query) or [])
        resolver = self.resolver(server, timeout=1.0, attempts=1)
        answers = [ensureDeferred(resolver.mx(f"n{number}.zz")) for number in range(20)]
        assert sum(answer.called for answer in answers) == 15
        results = await gatherResults(answers)
        assert {answer.status for answer in results} == {Status.FAILURE}
        assert {answer.reason for answer in results[5:]} == {"too many questions are under way"}
        assert len({query.question[0].name for query in held}) <= 5
        server.vice = None
        assert (await resolver.mx("n1.zz")).status is Status.NO_SUCH_NAME

    @run
    async def test_without_a_socket_it_is_a_failure_like_any_other(self):
        resolver = self.resolver(DnsServer(ZONE))
        for error in (OSError(24, "Too many open files"), CannotListenError("", 0, "no port")):
            self.patch(reactor, "listenUDP", partial(_raise, error))
            answer = await resolver.mx("mydomain.zz")
            assert answer.status is Status.FAILURE
            assert "no socket" in answer.reason

    @run
    async def test_a_truncated_answer_is_fetched_over_tcp(self):
        def truncated(query, honest, udp):
            if udp:
                honest.flags |= dns.flags.TC
                honest.answer.clear()
            return [honest.to_wire()]

        server = DnsServer(ZONE, vice=truncated)
        assert (await self.resolver(server).mx("mydomain.zz")).status is Status.FOUND
        assert [how for _, _, how in server.asked] == ["udp", "tcp"]

    @run
    async def test_the_ad_bit_is_told(self):
        assert (await self.resolver(DnsServer(ZONE, authentic=True)).mx("mydomain.zz")).secure
        assert not (await self.resolver(DnsServer(ZONE)).mx("mydomain.zz")).secure

    @run
    async def test_attack_16_answers_to_other_questions_are_not_believed(self):
        """Wrong id, wrong question, a query instead of an answer, garbage: each before the honest answer."""

        def forger(query, honest, udp):
            wrong_id = dns.message.from_wire(honest.to_wire())
            wrong_id.id = (query.id + 1) % 65536
            wrong_id.answer.clear()
            other = dns.message.make_response(dns.message.make_query("bank.zz", "MX"))
            other.id = query.id
            empty = dns.message.from_wire(honest.to_wire())
            empty.question.clear()
            bad = [wrong_id.to_wire(), other.to_wire(), query.to_wire(), empty.to_wire(), b"", b"\0" * 12, b"x" * 500]
            return [*bad, honest.to_wire()] if udp else [honest.to_wire()]

        answer = await self.resolver(DnsServer(ZONE, vice=forger)).mx("mydomain.zz")
        assert sorted(answer.records) == ["10 mx1.mydomain.zz", "20 mx2.mydomain.zz"]

    @run
    async def test_attack_16_a_flood_of_guesses_moves_the_question_to_tcp(self):
        def guesser(query, honest, udp):
            if not udp:
                return [honest.to_wire()]
            guesses = []
            for _ in range(50):
                honest.id = random.choice([id for id in range(100) if id != query.id])
                guesses.append(honest.to_wire())
            return guesses

        server = DnsServer(ZONE, vice=guesser)
        answer = await self.resolver(server).mx("mydomain.zz")
        assert answer.status is Status.FOUND
        assert server.asked[-1][2] == "tcp"

    @run
    async def test_attack_16_ids_and_ports_cannot_be_guessed(self):
        server = DnsServer(ZONE, ttl=0)
        resolver = self.resolver(server)
        for _ in range(40):
            await resolver.mx("mydomain.zz")
        assert len(set(server.ids)) > 35
        assert len(set(server.ports)) > 35
        steps = {b - a for a, b in zip(server.ids, server.ids[1:], strict=False)}
        assert len(steps) > 30

    @run
    async def test_whatever_the_server_sends_the_resolver_answers(self):
        garbage = random.Random(1)

        def noise(query, honest, udp):
            octets = bytearray(honest.to_wire())
            for _ in range(garbage.randrange(1, 8)):
                octets[garbage.randrange(2, len(octets))] = garbage.randrange(256)
            return [bytes(octets[: garbage.randrange(1, len(octets) + 1)])]

        resolver = self.resolver(DnsServer(ZONE, vice=noise, ttl=0), timeout=0.01, attempts=1)
        for _ in range(60):
            answer = await resolver.mx("mydomain.zz")
            assert answer.status in Status

    @run
    async def test_a_refused_port_is_a_failure_at_once(self):
        resolver = Dns(DnsSettings(addresses=("127.0.0.1:1",), timeout=5), reactor)
        assert (await resolver.mx("mydomain.zz")).status is Status.FAILURE
