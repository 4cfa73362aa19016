"""What a domain asks of whoever sends it mail is kept: MTA-STS and DANE, over real TLS and HTTPS."""

import hashlib
import os

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from OpenSSL import crypto
from twisted.internet import reactor, ssl
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.web.resource import Resource
from twisted.web.server import Site

from emailgency.flows.trust.protection import Protection, ProtectionSettings
from emailgency.flows.trust.sts import AGAIN, Sts
from emailgency.model.errors import Temporary
from emailgency.net.dns import Dns, DnsSettings
from emailgency.net.egress import Egress, EgressSettings
from emailgency.net.policy_page import LONGEST, PolicyPages
from tests.support.asynchronous import until
from tests.support.certificates import authority, signed
from tests.support.outbound_case import OutboundCase, to
from tests.support.smtp_server import CAPABILITIES

WITH_TLS = (*CAPABILITIES, "STARTTLS")
ENFORCE = b"version: STSv1\r\nmode: enforce\r\nmx: mx.far.zz\r\nmax_age: 86400\r\n"


class KeptInMemory:
    """What `store.sts_policies.StsPolicies` keeps, without a Redis."""

    def __init__(self):
        self.kept = {}

    async def recall(self, domain):
        return self.kept.get(domain)

    async def keep(self, domain, kept):
        self.kept[domain] = kept


class Page(Resource):
    """The policy of a domain; `answer` gets the request."""

    isLeaf = True

    def __init__(self):
        super().__init__()
        self.policy, self.asked, self.answer = ENFORCE, [], None

    def render_GET(self, request):
        self.asked.append((request.getRequestHostname(), request.path))
        return self.answer(request) if self.answer else self.policy


class ProtectionCase(OutboundCase):
    timeout = 60

    async def begin(self):
        await super().begin()
        self.vouching = os.path.join(self.folder, "authority.pem")
        authority(self.vouching)
        self.page = Page()
        self.web = reactor.listenSSL(0, Site(self.page), self.certified("mta-sts.far.zz"), interface="127.0.0.1")
        self.web_port = self.web.getHost().port
        self.certify("mx.far.zz")
        self.server.capabilities = WITH_TLS
        self.dns.zone |= {("_mta-sts.far.zz", "TXT"): ['"v=STSv1; id=1;"'], ("mta-sts.far.zz", "A"): ["127.0.0.1"]}
        self.kept = KeptInMemory()
        self.wire()

    def wire(self, **settings):
        asking = Dns(DnsSettings(addresses=(self.dns.address,), timeout=20, ipv6=False), reactor)
        egress = Egress(EgressSettings(networks=("127.0.0.0/8",)), lambda: ())
        with open(f"{self.vouching}.crt", "rb") as file:
            octets = file.read()
        trust = ssl.trustRootFromCertificates([ssl.Certificate.loadPEM(octets)])
        pages = PolicyPages(asking, egress, reactor, trust, self.web_port)
        roots = crypto.X509Store()
        roots.add_cert(crypto.load_certificate(crypto.FILETYPE_PEM, octets))
        self.sts = Sts(asking, pages.get, self.kept, self.clock)
        self.protection = Protection(asking, self.sts, reactor, ProtectionSettings(**settings), roots)

    def certified(self, name):
        path = signed(name, self.vouching, os.path.join(self.folder, f"{name}.pem"))
        return ssl.DefaultOpenSSLContextFactory(path, path)

    def certify(self, name):
        """The server of far.zz shows a certificate of that name from now on."""
        factory = self.certified(name)

        def answer(connection, _):
            connection.transport.write(b"220 go\r\n")
            connection.transport.startTLS(factory)
            connection.secure = True
            return b""

        self.server.behaviour["STARTTLS"] = answer

    async def stop(self):
        await super().stop()
        await maybeDeferred(self.web.stopListening)

    def go(self):
        flow = self.start()
        flow.protection = self.protection
        return flow

    async def taken(self, secure=True):
        seen = []
        self.server.behaviour["MAIL"] = lambda connection, _: seen.append(connection.secure) or NotImplemented
        await self.accept(to("u@far.zz"))
        await until(lambda: self.server.messages)
        assert seen == [secure]

    async def kept_back(self, words):
        """It stays pending, and the reason says why; nothing was said of it to that server."""
        await self.accept(to("u@far.zz"))
        await until(lambda: any(words in lane.health.reason for lane in self.outbound.lanes()))
        assert not self.server.messages
        assert not [command for command in self.server.commands if command.startswith(b"MAIL")]


class MtaSts(ProtectionCase):
    async def test_mail_goes_under_tls_to_a_server_that_proves_its_name(self):
        self.go()
        await self.taken()
        assert self.page.asked == [(b"mta-sts.far.zz", b"/.well-known/mta-sts.txt")]

    async def test_attack_06_a_server_without_tls_gets_nothing(self):
        self.server.capabilities = CAPABILITIES
        self.go()
        await self.kept_back("STARTTLS")

    async def test_attack_06_a_certificate_of_another_name_gets_nothing(self):
        self.certify("mx.evil.zz")
        self.go()
        await self.kept_back("not for mx.far.zz")

    async def test_attack_06_a_certificate_nobody_vouches_for_gets_nothing(self):
        path = os.path.join(self.folder, "other.pem")
        authority(path)
        self.vouching, vouching = path, self.vouching
        self.certify("mx.far.zz")
        self.vouching = vouching
        self.go()
        await self.kept_back("vouches")

    async def test_attack_06_a_server_the_policy_does_not_name_gets_nothing(self):
        self.page.policy = ENFORCE.replace(b"mx.far.zz", b"*.mail.far.zz")
        self.go()
        await self.kept_back("does not name")

    async def test_a_policy_that_is_tested_keeps_nothing_back(self):
        self.page.policy = ENFORCE.replace(b"enforce", b"testing")
        self.certify("mx.evil.zz")
        self.go()
        await self.taken()
        self.server.capabilities = CAPABILITIES
        self.server.messages.clear()
        await until(lambda: not self.server.connections)
        await self.taken(secure=False)

    async def test_a_policy_that_says_none_asks_for_nothing(self):
        self.page.policy = b"version: STSv1\nmode: none\nmax_age: 1000\n"
        self.server.capabilities = CAPABILITIES
        self.go()
        await self.taken(secure=False)

    async def test_attack_06_a_policy_holds_although_its_record_and_its_page_are_gone(self):
        found = await self.sts.of("far.zz")
        assert found.policy
        await maybeDeferred(self.web.stopListening)
        del self.dns.zone["_mta-sts.far.zz", "TXT"]
        self.wire()
        self.server.capabilities = CAPABILITIES
        self.go()
        await self.kept_back("STARTTLS")

    async def test_a_policy_is_fetched_again_for_another_id_and_when_it_grows_old(self):
        await self.sts.of("far.zz")
        await self.sts.of("far.zz")
        assert len(self.page.asked) == 1
        self.dns.zone["_mta-sts.far.zz", "TXT"] = ['"v=STSv1; id=2;"']
        await self.sts.of("far.zz")
        await self.sts.of("far.zz")
        assert len(self.page.asked) == 2
        self.ahead = 50_000
        await self.sts.of("far.zz")
        assert len(self.page.asked) == 3
        self.ahead = 500_000
        del self.dns.zone["_mta-sts.far.zz", "TXT"]
        assert (await self.sts.of("far.zz")).policy is None

    async def test_a_page_that_cannot_be_had_is_no_policy_and_is_asked_for_seldom(self):
        self.page.answer = lambda request: request.setResponseCode(404) or b""
        assert (await self.sts.of("far.zz")).fault == "sts-policy-fetch-error"
        assert (await self.sts.of("far.zz")).fault == "sts-policy-fetch-error"
        assert len(self.page.asked) == 1
        self.ahead = AGAIN + 1
        self.page.answer = lambda request: b"version: STSv1\nmode: nonsense"
        assert (await self.sts.of("far.zz")).fault == "sts-policy-invalid"
        assert len(self.page.asked) == 2
        self.go()
        self.server.capabilities = CAPABILITIES
        await self.taken(secure=False)

    async def test_a_fault_of_ours_with_one_domain_keeps_no_mail(self):
        async def fetch(domain):
            fetched.append(domain)
            raise UnicodeError("no name of a host")

        fetched = []
        self.patch(self.sts, "_fetch", fetch)
        self.go()
        await self.taken()
        assert (await self.sts.of("far.zz")).fault == "sts-policy-fetch-error"
        assert fetched == ["far.zz"]
        assert len(self.flushLoggedErrors(UnicodeError)) == 1

    async def test_many_who_ask_at_once_ask_once(self):
        found = [Deferred.fromCoroutine(self.sts.of("far.zz")) for _ in range(10)]
        for one in found:
            assert (await one).policy
        assert len(self.page.asked) == 1

    async def test_attack_29_a_page_that_never_ends_is_cut(self):
        def endless(request):
            def more():
                if request.channel is not None:
                    request.write(b"mx: a.zz\n" * 1000)
                    reactor.callLater(0, more)

            request.notifyFinish().addErrback(lambda _: None)
            more()
            from twisted.web.server import NOT_DONE_YET

            return NOT_DONE_YET

        self.page.answer = endless
        assert (await self.sts.of("far.zz")).policy is None

    async def test_attack_29_a_bomb_is_not_unpacked_and_a_redirect_not_followed(self):
        import gzip

        def bomb(request):
            request.setHeader(b"Content-Encoding", b"gzip")
            return gzip.compress(ENFORCE + b"x" * 50_000_000)[:LONGEST]

        self.page.answer = bomb
        assert (await self.sts.of("far.zz")).policy is None
        self.ahead = AGAIN + 1

        def elsewhere(request):
            request.redirect(b"https://127.0.0.1/")
            return b""

        self.page.answer = elsewhere
        assert (await self.sts.of("far.zz")).policy is None

    async def test_attack_15_a_page_inside_is_not_asked_for(self):
        pages = PolicyPages(self.sts._dns, Egress(EgressSettings(), lambda: ()), reactor, None, self.web_port)
        assert await pages.get("far.zz") is None
        assert self.page.asked == []

    async def test_a_dead_resolver_makes_no_policy(self):
        async def away(domain):
            raise Temporary("silent")

        self.sts._fetch = away
        assert (await self.sts.of("far.zz")).fault == "sts-policy-fetch-error"

    async def test_switched_off_nobody_is_asked(self):
        self.wire(mta_sts=False, dane=False)
        self.server.capabilities = CAPABILITIES
        self.go()
        await self.taken(secure=False)
        assert not [one for one in self.dns.asked if one[0].startswith("_")]


class Dane(ProtectionCase):
    async def begin(self):
        await super().begin()
        del self.dns.zone["_mta-sts.far.zz", "TXT"]
        self.dns.authentic = True

    def tlsa(self, usage, selector=1, name="mx.far.zz.pem", matching=1):
        with open(os.path.join(self.folder, name), "rb") as file:
            certificate = x509.load_pem_x509_certificate(file.read())
        octets = certificate.public_bytes(Encoding.DER)
        if selector:
            octets = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        data = {0: octets, 1: hashlib.sha256(octets).digest(), 2: hashlib.sha512(octets).digest()}[matching]
        self.dns.zone["_25._tcp.mx.far.zz", "TLSA"] = [f"{usage} {selector} {matching} {data.hex()}"]

    async def test_a_certificate_that_the_record_shows_is_enough(self):
        for selector, matching in ((1, 1), (0, 2), (0, 0)):
            self.tlsa(3, selector, matching=matching)
            demand = await self.protection.of("far.zz", self.destination())
            assert demand.must
        self.go()
        await self.taken()

    def destination(self):
        from emailgency.rules.next_hop import Destination

        return Destination("mx.far.zz", "127.0.0.1")

    async def test_attack_06_another_certificate_gets_nothing_although_everybody_trusts_it(self):
        self.tlsa(3)
        self.certify("mx.far.zz")
        self.go()
        await self.kept_back("matches no TLSA record")

    async def test_attack_06_a_server_without_tls_gets_nothing(self):
        self.tlsa(3)
        self.server.capabilities = CAPABILITIES
        self.go()
        await self.kept_back("STARTTLS")

    async def test_an_authority_of_the_record_vouches_for_the_name(self):
        self.serve_chain("mx.far.zz")
        self.tlsa(2, 0, "authority.pem")
        self.go()
        await self.taken()

    async def test_attack_06_an_authority_of_the_record_vouches_for_no_other_name(self):
        self.serve_chain("mx.evil.zz")
        self.tlsa(2, 0, "authority.pem")
        self.go()
        await self.kept_back("not for")

    def serve_chain(self, name):
        """The certificate, and its authority's behind it."""
        path = signed(name, self.vouching, os.path.join(self.folder, "chain.pem"))
        with open(path, "ab") as file, open(f"{self.vouching}.crt", "rb") as above:
            file.write(above.read())
        factory = ssl.DefaultOpenSSLContextFactory(path, path)
        factory.getContext().use_certificate_chain_file(path)

        def answer(connection, _):
            connection.transport.write(b"220 go\r\n")
            connection.transport.startTLS(factory)
            connection.secure = True
            return b""

        self.server.behaviour["STARTTLS"] = answer

    async def test_records_nobody_has_validated_do_not_count(self):
        self.dns.authentic = False
        self.tlsa(3)
        self.certify("mx.evil.zz")
        self.go()
        await self.taken()

    async def test_records_for_other_uses_ask_for_tls_alone(self):
        self.dns.zone["_25._tcp.mx.far.zz", "TLSA"] = ["1 1 1 " + "00" * 32]
        self.certify("mx.evil.zz")
        self.go()
        await self.taken()

    async def test_attack_06_records_that_somebody_hides_keep_mail_back(self):
        def hide(query, honest, udp):
            if query.question[0].rdtype.name == "TLSA":
                honest.set_rcode(2)
            return [honest.to_wire()]

        self.dns.vice = hide
        self.go()
        await self.kept_back("cannot be looked up")

    async def test_dane_goes_before_mta_sts(self):
        self.dns.zone["_mta-sts.far.zz", "TXT"] = ['"v=STSv1; id=1;"']
        self.page.policy = ENFORCE.replace(b"mx.far.zz", b"nobody.far.zz")
        self.tlsa(3)
        self.go()
        await self.taken()
        assert self.page.asked == []


class RequireTls(ProtectionCase):
    """RFC 8689."""

    async def begin(self):
        await super().begin()
        self.server.capabilities = (*WITH_TLS, "REQUIRETLS")

    async def submit(self, **more):
        await self.accept(to("u@far.zz"), **{"require_tls": True, **more})

    def mails(self):
        return [command for command in self.server.commands if command.startswith(b"MAIL")]

    async def test_it_goes_under_proven_tls_and_says_so(self):
        self.go()
        await self.submit()
        await until(lambda: self.server.messages)
        assert self.mails()[0].endswith(b" REQUIRETLS")

    async def test_without_a_policy_nothing_proves_the_server_and_it_comes_back(self):
        del self.dns.zone["_mta-sts.far.zz", "TXT"]
        self.go()
        await self.submit(ret="FULL")
        [told] = await self.told()
        assert "5.7.30" in told.as_string()
        assert "secret body" not in told.as_string()  # section 5: as if RET=HDRS
        assert not self.server.commands

    async def test_names_that_the_dns_has_validated_are_proof_as_well(self):
        del self.dns.zone["_mta-sts.far.zz", "TXT"]
        self.dns.authentic = True
        self.go()
        await self.submit()
        await until(lambda: self.server.messages)
        assert self.mails()[0].endswith(b" REQUIRETLS")

    async def test_attack_06_a_server_that_does_not_know_it_gets_nothing(self):
        self.server.capabilities = WITH_TLS
        self.go()
        await self.submit()
        [told] = await self.told()
        assert "5.7.30" in told.as_string()
        assert not self.mails()

    async def test_attack_06_said_in_clear_it_is_not_believed(self):
        self.server.capabilities = (*CAPABILITIES, "REQUIRETLS")
        self.go()
        await self.submit()
        await until(lambda: any("STARTTLS" in lane.health.reason for lane in self.outbound.lanes()))
        assert not self.mails()

    async def test_a_bounce_of_it_goes_on_as_well_as_it_can(self):
        del self.dns.zone["_mta-sts.far.zz", "TXT"]
        self.server.capabilities = CAPABILITIES
        self.go()
        await self.accept(to("u@far.zz", origin="bounce"), sender="", require_tls=True)
        await until(lambda: self.server.messages)
        assert b"REQUIRETLS" not in self.mails()[0]

    async def test_who_says_that_tls_is_not_required_is_sent_past_a_policy(self):
        self.server.capabilities = CAPABILITIES
        self.go()
        await self.accept(to("u@far.zz"), content=b"From: paul@mydomain.zz\r\nTLS-Required: No\r\n\r\nbody\r\n")
        await until(lambda: self.server.messages)
        await self.kept_back_beside("STARTTLS")

    async def kept_back_beside(self, words):
        await self.accept(to("u@far.zz"))
        await until(lambda: any(words in lane.health.reason for lane in self.outbound.lanes()))
        assert len(self.mails()) == 1
