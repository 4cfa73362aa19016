"""Who asks for it is told each day how TLS fared, in a report that others can read."""

import email
import email.policy
import gzip
import json

from twisted.internet import reactor

from emailgency.codec.tls_report import DAY, recipients
from emailgency.flows.trust.tls_reports import DOMAINS, FAILURES, TlsReports
from emailgency.model.errors import Temporary
from emailgency.net.dns import Dns, DnsSettings
from emailgency.net.peer_identity import Fault
from emailgency.rules.next_hop import Destination
from tests.flows.test_protection import ENFORCE, ProtectionCase
from tests.support.asynchronous import until
from tests.support.outbound_case import to
from tests.support.smtp_server import CAPABILITIES


class OneValue:
    """What a Redis keeps under one key."""

    def __init__(self):
        self.value, self.away = None, False

    async def execute(self, verb, key, *rest):
        if self.away:
            raise Temporary("Redis is away")
        if verb == "SET":
            self.value = rest[0]
        return self.value


class OwnKey:
    key = "a key"

    async def key_for(self, domain):
        return self.key


class TlsReportTests(ProtectionCase):
    async def begin(self):
        await super().begin()
        self.dns.zone["_smtp._tls.far.zz", "TXT"] = ['"v=TLSRPTv1; rua=mailto:tls@far.zz,https://far.zz/x"']
        self.redis, self.key = OneValue(), OwnKey()
        self.reports = self.process()

    def process(self):
        asking = Dns(DnsSettings(addresses=(self.dns.address,), timeout=20, ipv6=False), reactor)
        reports = TlsReports(asking, self.spool, self.redis, self.key, self.clock, "mx.emailgency.test")
        self.protection.told = reports.note
        return reports

    async def counted(self, secure=True):
        """One session, which counts when it is over."""
        await self.taken(secure)
        await until(lambda: self.reports._today.domains)

    async def report(self):
        """The message, and what is packed in it."""
        self.server.messages.clear()
        self.ahead += DAY
        await self.reports.turn()
        await until(lambda: self.server.messages)
        sender, recipients, octets = self.server.messages[0]
        assert sender.startswith(b"MAIL FROM:<>")
        assert [line.split(b" NOTIFY")[0] for line in recipients] == [b"RCPT TO:<tls@far.zz>"]
        message = email.message_from_bytes(octets, policy=email.policy.SMTP)
        assert message.get_content_type() == "multipart/report"
        assert message.get_param("report-type") == "tlsrpt"
        assert message["TLS-Report-Domain"] == "far.zz"
        _, packed = message.iter_parts()
        assert packed.get_content_type() == "application/tlsrpt+gzip"
        assert packed.get_filename().startswith("mx.emailgency.test!far.zz!")
        return message, json.loads(gzip.decompress(packed.get_content()))

    async def test_a_day_of_good_and_bad_sessions_is_told(self):
        self.go()
        await self.counted()
        await until(lambda: not self.server.connections)
        self.certify("mx.evil.zz")
        await self.accept(to("u@far.zz"))
        await until(lambda: any("not for" in lane.health.reason for lane in self.outbound.lanes()))
        message, told = await self.report()
        assert told["organization-name"] == "mx.emailgency.test"
        [policy] = told["policies"]
        assert policy["policy"]["policy-type"] == "sts"
        assert policy["policy"]["policy-domain"] == "far.zz"
        assert policy["policy"]["mx-host"] == ["mx.far.zz"]
        assert policy["policy"]["policy-string"] == ENFORCE.decode().split("\r\n")[:-1]
        assert policy["summary"]["total-successful-session-count"] == 1
        assert policy["summary"]["total-failure-session-count"] >= 1
        [failure] = policy["failure-details"]
        assert failure["result-type"] == "certificate-host-mismatch"
        assert failure["receiving-mx-hostname"] == "mx.far.zz"
        assert failure["receiving-ip"] == "127.0.0.1"
        assert message["TLS-Required"] == "No"  # it went although the server proves nothing

    async def test_a_server_without_tls_and_a_policy_that_is_gone_are_told(self):
        self.page.answer = lambda request: request.setResponseCode(404) or b""
        self.server.capabilities = CAPABILITIES
        self.go()
        await self.counted(secure=False)
        _, told = await self.report()
        [policy] = told["policies"]
        assert policy["policy"]["policy-type"] == "sts"
        assert policy["failure-details"][0]["result-type"] == "sts-policy-fetch-error"

    async def test_sessions_are_counted_on_over_a_restart(self):
        self.go()
        await self.counted()
        await self.reports.stop()
        self.reports = self.process()
        await self.reports.start()
        _, told = await self.report()
        assert told["policies"][0]["summary"]["total-successful-session-count"] == 1

    async def test_a_day_that_ended_while_nothing_ran_is_told_of(self):
        self.go()
        await self.counted()
        await self.reports.stop()
        self.ahead += DAY
        self.reports = self.process()
        await self.reports.start()
        self.ahead -= DAY
        await self.report()

    async def test_a_server_that_stops_leaves_reports_for_the_next_start(self):
        self.go()
        await self.counted()
        self.reports.stopping = lambda: True
        self.ahead += DAY
        await self.reports.turn()
        await self.reports.stop()
        assert len(self.server.messages) == 1
        self.reports = self.process()
        await self.reports.start()
        self.ahead -= DAY
        await self.report()

    async def test_nobody_who_did_not_ask_is_told_and_without_a_key_nobody_is(self):
        self.go()
        await self.counted()
        self.key.key = None
        self.ahead += DAY
        await self.reports.turn()
        self.key.key = "a key"
        del self.dns.zone["_smtp._tls.far.zz", "TXT"]
        self.reports.note("far.zz", Destination("mx.far.zz", "127.0.0.1"), self.demand(), None)
        self.ahead += DAY
        await self.reports.turn()
        assert len(self.server.messages) == 1

    def demand(self):
        from emailgency.flows.trust.protection import opportunistic

        return opportunistic(Destination("mx.far.zz", "127.0.0.1"))

    async def test_trouble_with_redis_costs_counts_and_nothing_else(self):
        self.redis.away = True
        await self.reports.start()
        self.reports.note("far.zz", Destination("mx.far.zz", "127.0.0.1"), self.demand(), None)
        await self.reports.turn()
        await self.reports.stop()
        assert list(self.reports._today.domains) == ["far.zz"]

    async def test_attack_28_what_is_counted_is_bounded(self):
        demand = self.demand()
        for number in range(DOMAINS + 10):
            self.reports.note(f"d{number}.zz", Destination("mx.zz", "192.0.2.1"), demand, None)
        for number in range(FAILURES + 10):
            destination = Destination(f"mx{number}.zz", "192.0.2.1")
            self.reports.note("d1.zz", destination, demand, Fault("validation-failure", "x"))
        today = self.reports._today
        assert len(today.domains) == DOMAINS
        assert len(today.domains["d1.zz"][0].failures) == FAILURES

    def test_who_is_to_be_told(self):
        assert recipients(("v=TLSRPTv1; rua=mailto:a@b.zz",)) == ("a@b.zz",)
        assert recipients(("v=TLSRPTv1;rua=https://b.zz/,mailto:a@b.zz,mailto:c@d.zz,mailto:e@f.zz",)) == (
            "a@b.zz",
            "c@d.zz",
        )
        assert recipients(("v=TLSRPTv1; rua=mailto:a@b.zz\r\nX: y",)) == ()
        for records in ((), ("v=spf1",), ("v=TLSRPTv1; rua=mailto:a@b.zz", "v=TLSRPTv1; rua=mailto:c@d.zz")):
            assert recipients(records) == ()
