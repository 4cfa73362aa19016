"""A policy of MTA-STS comes from its one place, under a certificate, and no address of ours is reached on the way."""

import os
import shutil
import tempfile

from OpenSSL import SSL, crypto
from twisted.internet import reactor, ssl
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.trial.unittest import TestCase
from twisted.web.http import Request
from twisted.web.resource import Resource
from twisted.web.server import Site

from emailgency.model.errors import Temporary
from emailgency.net.dns import Dns, DnsSettings
from emailgency.net.egress import Egress, EgressSettings
from emailgency.net.policy_page import LONGEST, PolicyPages
from tests.support.certificates import authority, signed
from tests.support.dns_server import DnsServer, servfail

POLICY = b"version: STSv1\nmode: enforce\nmx: mail.mydomain.zz\nmax_age: 86400\n"


class Page(Resource):
    """Answers for the path of the policy; what it says can change."""

    isLeaf = True
    status, body = 200, POLICY

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[bytes] = []

    def render_GET(self, request: Request) -> bytes:
        self.asked.append(request.path)
        request.setResponseCode(self.status)
        if self.status == 301:
            request.setHeader(b"Location", b"https://elsewhere.zz/")
        return self.body


class PolicyPageTests(TestCase):
    timeout = 60

    async def setUp(self) -> None:
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        vouches = os.path.join(folder, "authority")
        authority(vouches)
        path = signed("mta-sts.mydomain.zz", vouches, os.path.join(folder, "own"))
        self.page = Page()
        factory = ssl.DefaultOpenSSLContextFactory(path, path, sslmethod=SSL.TLS_METHOD)
        site = Site(self.page)
        site.noisy = False
        self.port = reactor.listenSSL(0, site, factory, interface="127.0.0.1")
        self.dns = DnsServer({(f"mta-sts.{name}.zz", "A"): ["127.0.0.1"] for name in ("mydomain", "other")})
        with open(f"{vouches}.crt", "rb") as file:
            certificate = crypto.load_certificate(crypto.FILETYPE_PEM, file.read())
        self.trust = ssl.trustRootFromCertificates([ssl.Certificate(certificate)])
        self.pages = self.reached("127.0.0.0/8")

    async def tearDown(self) -> None:
        await maybeDeferred(self.port.stopListening)
        await self.dns.stop()

    def reached(self, *networks: str) -> PolicyPages:
        dns = Dns(DnsSettings(addresses=(self.dns.address,), timeout=20, ipv6=False), reactor)
        egress = Egress(EgressSettings(networks=networks), list)
        return PolicyPages(dns, egress, reactor, self.trust, self.port.getHost().port)

    async def temporary(self, domain: str) -> None:
        await self.assertFailure(Deferred.fromCoroutine(self.pages.get(domain)), Temporary)

    async def test_it_is_fetched_from_its_one_place(self) -> None:
        assert await self.pages.get("mydomain.zz") == POLICY
        assert self.page.asked == [b"/.well-known/mta-sts.txt"]

    async def test_what_is_not_there_or_leads_elsewhere_is_none(self) -> None:
        for status in (404, 301, 204):
            self.page.status = status
            assert await self.pages.get("mydomain.zz") is None
        assert await self.pages.get("unknown.zz") is None

    async def test_a_certificate_for_another_name_is_none(self) -> None:
        assert await self.pages.get("other.zz") is None
        assert self.page.asked == []

    async def test_a_name_no_certificate_can_have_has_no_policy(self) -> None:
        for name in ("foo_bar.zz", "-foo.zz", "xn--a.zz"):
            self.dns.zone[f"mta-sts.{name}", "A"] = ["127.0.0.1"]
            assert await self.pages.get(name) is None
        assert self.page.asked == []

    async def test_trouble_there_is_no_answer(self) -> None:
        self.page.status = 503
        await self.temporary("mydomain.zz")
        await maybeDeferred(self.port.stopListening)
        await self.temporary("mydomain.zz")
        self.dns.vice = servfail
        await self.temporary("mydomain.zz2")

    async def test_attack_41_a_page_without_end_is_cut(self) -> None:
        self.page.body = b"x" * 1_000_000
        assert await self.pages.get("mydomain.zz") == b"x" * LONGEST

    async def test_attack_15_no_address_inside_is_reached(self) -> None:
        assert await self.reached().get("mydomain.zz") is None
        assert self.page.asked == []
