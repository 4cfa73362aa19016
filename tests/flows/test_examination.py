"""What comes in is looked at: the results stand on top of it, forged ones go, and strangers cannot make that dear."""

import dkim as dkimpy
from authres import AuthenticationResultsHeader
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from emailgency.codec import arc
from emailgency.codec.canonical import BodyHash
from emailgency.codec.dkim import record
from emailgency.codec.smtp.command import Mail, Rcpt
from emailgency.flows.receiving import sender_facts
from emailgency.flows.receiving.examination import AuthenticationSettings, Examiner
from emailgency.flows.receiving.receive import Reception, ReceptionLimits
from emailgency.model.directory import Customer
from emailgency.model.envelope import Client
from emailgency.net.dns import Dns, DnsSettings
from tests.support.asynchronous import until
from tests.support.dns_server import DnsServer, servfail
from tests.support.smtp import FewAddresses, MemorySpool

NAME = "mx.emailgency.example"
KEY = rsa.generate_private_key(65537, 2048)
PEM = KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
)
MESSAGE = (
    b"From: Paul <paul@mail.far.zz>\r\nTo: anna@mydomain.zz\r\nSubject: hello\r\n"
    b"Date: Sun, 22 Nov 2026 13:00:00 +0000\r\nMessage-ID: <1@far.zz>\r\n\r\nbody\r\n"
)


class Examining(FewAddresses):
    """Customers who want to know who sent their mail; `on` False: who do not."""

    on = True

    async def resolve(self, recipient, index):
        route = await super().resolve(recipient, index)
        if hasattr(route, "customer"):
            known = route.customer
            route.customer = Customer(
                id=known.id, domain=known.domain, alternate_domain=known.alternate_domain, authentication=self.on
            )
        return route


def text(words: str) -> str:
    return " ".join(f'"{words[at : at + 250]}"' for at in range(0, len(words), 250))


class ExaminationTests(TestCase):
    timeout = 60

    def setUp(self):
        self.dns = DnsServer()
        self.dns.zone = {
            ("far.zz", "TXT"): ['"v=spf1 include:spf.far.zz -all"'],
            ("spf.far.zz", "TXT"): ['"v=spf1 ip4:192.0.2.0/24 ~all"'],
            ("eg1._domainkey.far.zz", "TXT"): [text(record(KEY))],
            ("_dmarc.far.zz", "TXT"): ['"v=DMARC1; p=reject; sp=quarantine"'],
        }
        self.spool = MemorySpool()
        self.resolver = Examining()
        self.reception = Reception(
            self.resolver, self.spool, lambda: 1_800_000_000.0, NAME, ReceptionLimits(), "emailgency.example"
        )
        self.examine()

    async def tearDown(self):
        await until(lambda: not self.asking._asking)
        await self.dns.stop()

    def examine(self, timeout=20.0, **settings):
        asking = DnsSettings(addresses=(self.dns.address,), timeout=timeout, attempts=1, ipv6=False)
        self.asking = Dns(asking, reactor)
        self.reception.examiner = Examiner(
            reactor, lambda: 1_800_000_000.0, self.asking, NAME, AuthenticationSettings(**settings)
        )

    async def receive(self, message=MESSAGE, sender="paul@far.zz", ip="192.0.2.1", piece=1 << 16):
        """The stored octets and the envelope."""
        client = Client(ip=ip, helo="out.far.zz")
        transaction = await self.reception.begin(client, Mail(sender=sender), "ESMTP", None)
        assert (await transaction.recipient(Rcpt(address="anna@mydomain.zz"))).accepts
        for at in range(0, len(message), piece):
            transaction.write(message[at : at + piece])
        assert (await transaction.finish(b"")).accepts
        envelope, octets = self.spool.messages[-1]
        return octets, envelope

    def results(self, octets):
        """As another program reads them."""
        first, _, rest = octets.partition(b"\r\n")
        assert first.startswith(b"Return-Path:")
        end = rest.index(b"\r\nReceived:")
        assert rest.startswith(b"Authentication-Results: " + NAME.encode() + b";")
        found = AuthenticationResultsHeader.parse(rest[:end].decode().replace("\r\n", ""))
        return {(one.method, one.result) for one in found.results}

    def signed(self, message=MESSAGE, **more):
        return dkimpy.sign(message, b"eg1", b"far.zz", PEM, **more) + message

    async def test_the_results_of_all_methods_stand_on_top(self):
        octets, envelope = await self.receive(self.signed())
        assert self.results(octets) == {("spf", "pass"), ("dkim", "pass"), ("dmarc", "pass"), ("arc", "none")}
        assert envelope.genuine
        assert octets.endswith(MESSAGE)

    async def test_a_customer_who_has_it_off_has_no_results_and_asks_nobody(self):
        self.resolver.on = False
        octets, envelope = await self.receive(self.signed())
        assert b"Authentication-Results" not in octets
        assert not envelope.genuine
        assert self.dns.asked == []

    async def test_a_sender_nobody_vouches_for_is_noted_and_taken(self):
        octets, envelope = await self.receive(ip="198.51.100.1")
        assert self.results(octets) == {("spf", "fail"), ("dkim", "none"), ("dmarc", "fail"), ("arc", "none")}
        assert not envelope.genuine

    async def test_the_policy_of_the_organisation_counts_for_its_subdomains(self):
        octets, _ = await self.receive(self.signed())
        assert b"policy.dmarc=quarantine" in octets
        assert ("_dmarc.mail.far.zz", "TXT", "udp") in self.dns.asked

    async def test_attack_12_who_signs_for_himself_is_not_the_sender_he_names(self):
        """A bounce would go to the victim in the envelope."""
        self.dns.zone["victim.zz", "TXT"] = ['"v=spf1 -all"']
        octets, envelope = await self.receive(self.signed(), sender="anna@victim.zz", ip="198.51.100.1")
        assert ("dkim", "pass") in self.results(octets)
        assert ("dmarc", "pass") in self.results(octets)
        assert not envelope.genuine

    async def test_a_signature_of_the_senders_domain_vouches_for_him(self):
        _, envelope = await self.receive(self.signed(), ip="198.51.100.1")
        assert envelope.genuine

    async def test_the_null_sender_is_judged_by_the_name_in_helo(self):
        self.dns.zone["out.far.zz", "TXT"] = ['"v=spf1 ip4:192.0.2.1 -all"']
        octets, envelope = await self.receive(sender="")
        assert ("spf", "pass") in self.results(octets)
        assert b"smtp.helo=out.far.zz" in octets
        assert not envelope.genuine

    async def test_a_dead_resolver_keeps_no_mail_away(self):
        self.dns.vice = lambda query, honest, udp: []
        self.examine(timeout=0.5, time=0.05)
        octets, envelope = await self.receive(self.signed())
        assert self.results(octets) == {
            ("spf", "temperror"),
            ("dkim", "temperror"),
            ("dmarc", "temperror"),
            ("arc", "none"),
        }
        assert not envelope.genuine

    async def test_results_that_others_forge_in_our_name_are_taken_off_for_every_customer(self):
        forged = (
            b"Authentication-Results: mx.emailgency.example; spf=pass\r\n",
            b"authentication-results :\r\n\t(x) MX.Emailgency.Example 1; dkim=pass\r\n",
            b'Authentication-Results: "mx\\.emailgency.example";\r\n\tdmarc=pass\r\n',
        )
        others = b"Authentication-Results: mx.far.zz; spf=pass\r\n"
        for self.resolver.on in (True, False):
            message = forged[0] + others + forged[1] + MESSAGE.replace(b"To:", forged[2] + b"To:")
            octets, _ = await self.receive(message, sender=f"{self.resolver.on}@far.zz")
            assert octets.endswith(others + MESSAGE)
            assert octets.lower().count(b"authentication-results") == 1 + self.resolver.on

    async def test_a_signature_over_a_forged_field_is_judged_before_that_goes(self):
        forged = b"Authentication-Results: mx.emailgency.example; spf=pass\r\n"
        message = forged + MESSAGE
        octets, _ = await self.receive(self.signed(message, include_headers=[b"from", b"authentication-results"]))
        assert ("dkim", "pass") in self.results(octets)

    async def test_attack_29_any_number_of_signatures_costs_only_some(self):
        lie = b"DKIM-Signature: v=1; a=rsa-sha256; d=liar%d.zz; s=x; h=from; bh=YQ==; b=YQ==\r\n"
        message = b"".join(lie % number for number in range(500)) + self.signed()
        octets, _ = await self.receive(message)
        assert ("dkim", "pass") in self.results(octets)
        assert sum(kind == "TXT" and "_domainkey" in name for name, kind, _ in self.dns.asked) == 5
        assert len(octets[: octets.index(b"\r\nReceived:")]) < 900

    def chain(self, message, domains):
        """Sealed by each of them, the first one first."""
        for number, domain in enumerate(domains):
            self.dns.zone[f"eg1._domainkey.{domain}", "TXT"] = [text(record(KEY))]
            header, _, octets = message.partition(b"\r\n\r\n")
            body = BodyHash()
            body.feed(octets)
            verdict = "pass" if number else "none"
            who = {"domain": domain, "selector": "eg1", "key": KEY, "at": 1_800_000_000.0}
            fields = arc.sealed(header + b"\r\n", body.digest(), f"{domain}; arc={verdict}", verdict, **who)
            message = fields + message
        return message

    def sealers_asked(self):
        return [name for name, kind, _ in self.dns.asked if "_domainkey.stop" in name]

    async def test_every_seal_of_a_good_chain_is_looked_at(self):
        message = self.chain(MESSAGE, [f"stop{number}.zz" for number in range(10)])
        octets, _ = await self.receive(message)
        assert ("arc", "pass") in self.results(octets)
        assert len(self.sealers_asked()) == 10
        del self.dns.zone["eg1._domainkey.stop4.zz", "TXT"]
        self.examine()
        octets, _ = await self.receive(message, sender="other@far.zz")
        assert ("arc", "fail") in self.results(octets)

    async def test_a_key_of_an_old_seal_that_nobody_can_look_up_is_no_failure(self):
        message = self.chain(MESSAGE, ["stop0.zz", "stop1.zz"])
        self.dns.vice = lambda query, honest, udp: (
            servfail(query, honest) if "stop0" in str(query.question[0]) else [honest.to_wire()]
        )
        octets, _ = await self.receive(message)
        assert ("arc", "temperror") in self.results(octets)

    async def test_attack_29_a_chain_somebody_made_up_costs_two_questions(self):
        message = self.chain(MESSAGE, [f"stop{number}.zz" for number in range(10)])
        octets, _ = await self.receive(message.replace(b"i=10; stop9.zz", b"i=10; stop8.zz"))
        assert ("arc", "fail") in self.results(octets)
        assert len(self.sealers_asked()) == 1  # both of the newest set are of one key

    async def test_attack_29_a_very_long_chain_costs_nothing(self):
        octets, _ = await self.receive(self.chain(MESSAGE, [f"stop{number}.zz" for number in range(11)]))
        assert ("arc", "policy") in self.results(octets)
        assert self.sealers_asked() == []

    async def test_attack_29_one_message_asks_a_bounded_number_of_questions(self):
        self.patch(sender_facts, "QUESTIONS", 4)
        lies = b"".join(
            b"DKIM-Signature: v=1; a=rsa-sha256; d=liar%d.zz; s=x; h=from; bh=YQ==; b=YQ==\r\n" % number
            for number in range(20)
        )
        self.examine(signatures=20)
        octets, _ = await self.receive(lies + MESSAGE)
        assert ("dkim", "temperror") in self.results(octets)
        assert len(self.dns.asked) <= 4

    async def test_attack_29_records_that_lead_in_circles_or_never_end_come_to_an_end(self):
        for name in range(30):
            self.dns.zone[f"s{name}.zz", "TXT"] = [f'"v=spf1 include:s{name + 1}.zz -all"']
        self.dns.zone["loop.zz", "TXT"] = ['"v=spf1 include:loop.zz -all"']
        self.dns.zone["ring.zz", "CNAME"] = ["ring2.zz."]
        self.dns.zone["ring2.zz", "CNAME"] = ["ring.zz."]
        for domain, result in (
            ("s0", "permerror"),
            ("loop", "permerror"),
            ("ring", "temperror"),
        ):
            octets, _ = await self.receive(sender=f"a@{domain}.zz")
            assert ("spf", result) in self.results(octets), domain
        assert len(self.dns.asked) < 100

    async def test_what_a_stranger_chose_cannot_add_a_result(self):
        octets, _ = await self.receive(sender='"x; arc=pass (y"@far.zz', ip="198.51.100.1")
        assert {one for one in self.results(octets) if one[0] == "arc"} == {("arc", "none")}

    async def test_a_large_message_in_pieces_is_judged_the_same(self):
        message = MESSAGE + (b"line  with \t blanks \r\n" * 40_000)
        octets, _ = await self.receive(self.signed(message, canonicalize=(b"relaxed", b"relaxed")), piece=4099)
        assert ("dkim", "pass") in self.results(octets)

    async def test_a_message_that_is_all_header_is_taken(self):
        octets, _ = await self.receive(b"From: paul@far.zz\r\nSubject: nothing else\r\n")
        assert ("dmarc", "pass") in self.results(octets)
