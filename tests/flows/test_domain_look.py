"""What is said of a domain's records, and what to type instead: each case as the DNS would answer it."""

import os

from twisted.trial.unittest import TestCase

from emailgency.flows.domains.domain_look import HIDDEN, wish_of
from emailgency.flows.domains.questions import MOST
from emailgency.model.directory import PREMIUM, RelayMode, Role
from emailgency.model.domain_check import Standing
from emailgency.rules.next_hop import Lack
from tests.support.customers import AUTHOR
from tests.support.dns_case import HOST, OURS, THEIRS, DnsCase

ALTERNATE = "mydomainzz.emailgency.example"


class DomainLookTests(TestCase):
    timeout = 60

    async def setUp(self) -> None:
        self.case = DnsCase()
        await self.case.begin()
        self.customer = await self.case.customer()
        self.case.publish()

    async def tearDown(self) -> None:
        await self.case.stop()

    async def finding(self, kind: str, **given):
        wish = wish_of(self.customer, "mydomain.zz")
        look = await self.case.look.records(wish, **given)
        return next(one for one in look.findings if one.kind == kind)

    async def said(self, kind: str, **given):
        found = await self.finding(kind, **given)
        return found.standing, str(found.words)

    def mx(self, *records: str) -> None:
        self.case.zone["mydomain.zz", "MX"] = list(records)

    def txt(self, *texts: str) -> None:
        self.case.zone["mydomain.zz", "TXT"] = [f'"{text}"' for text in texts]

    async def primary(self, **given) -> None:
        self.customer = await self.case.accounts.set(
            AUTHOR, self.customer.id, plan=PREMIUM.name, role=Role.PRIMARY, **given
        )

    # ---- MX

    async def test_a_backup_stands_behind(self) -> None:
        assert (await self.finding("mx")).standing is Standing.GOOD
        assert (await self.finding("mx")).to_add == ()

    async def test_without_us_it_says_what_to_add(self) -> None:
        self.mx("10 mail.mydomain.zz.", "30 mail2.mydomain.zz.")
        self.case.zone["mail2.mydomain.zz", "A"] = [THEIRS]
        found = await self.finding("mx")
        assert found.standing is Standing.MISSING
        assert found.to_add == (f"40 {ALTERNATE}",)
        assert found.to_remove == ()

    async def test_a_backup_that_stands_first_is_wrong(self) -> None:
        self.mx(f"5 {ALTERNATE}.", "10 mail.mydomain.zz.")
        found = await self.finding("mx")
        assert (found.standing, found.to_add, found.to_remove) == (
            Standing.WRONG,
            (f"20 {ALTERNATE}",),
            (f"5 {ALTERNATE}",),
        )
        assert "before your own server" in str(found.words)
        self.mx(f"10 {ALTERNATE}.", "10 mail.mydomain.zz.")
        assert "half of your mail" in (await self.said("mx"))[1]
        self.mx(f"10 {ALTERNATE}.")
        words = (await self.said("mx"))[1]
        assert "only MX" in words
        assert Lack.OURS.value in words  # as the loop shield says it

    async def test_behind_the_last_preference_there_is_room_made(self) -> None:
        self.mx("65535 mail.mydomain.zz.")
        assert (await self.finding("mx")).wanted == ("10 mail.mydomain.zz", f"20 {ALTERNATE}")

    async def test_other_names_of_ours_and_our_very_address_count_as_us(self) -> None:
        self.mx("10 mail.mydomain.zz.", "20 backup.mydomain.zz.")
        self.case.zone["backup.mydomain.zz", "A"] = [OURS]
        assert (await self.finding("mx")).standing is Standing.GOOD
        self.mx("10 mail.mydomain.zz.", f"20 {HOST}.")
        assert (await self.finding("mx")).standing is Standing.GOOD

    async def test_a_primary_comes_first_and_knows_the_way(self) -> None:
        await self.primary()
        assert (await self.finding("mx")).wanted == (f"10 {ALTERNATE}", "20 mail.mydomain.zz")
        self.mx(f"10 {ALTERNATE}.", "20 mail.mydomain.zz.")
        assert "SMTP transport" in (await self.said("mx"))[1]
        await self.primary(smtp_transport="mail.mydomain.zz")
        assert (await self.finding("mx")).standing is Standing.GOOD
        self.mx(f"10 {ALTERNATE}.")
        assert (await self.finding("mx")).standing is Standing.GOOD

    async def test_who_has_no_server_needs_us_alone(self) -> None:
        self.customer = await self.case.accounts.set(AUTHOR, self.customer.id, relay=RelayMode.NONE)
        assert (await self.finding("mx")).wanted == (f"10 {ALTERNATE}",)
        self.mx(f"10 {ALTERNATE}.")
        assert (await self.finding("mx")).standing is Standing.GOOD

    async def test_no_mx_null_mx_and_no_domain_are_three_things(self) -> None:
        del self.case.zone["mydomain.zz", "MX"]
        found = await self.finding("mx")
        assert (found.standing, found.wanted) == (Standing.MISSING, ("10 mydomain.zz", f"20 {ALTERNATE}"))
        self.mx("0 .")
        assert "null MX" in (await self.said("mx"))[1]
        self.case.zone.clear()
        assert "knows no domain" in (await self.said("mx"))[1]

    async def test_an_mx_without_an_address_is_named(self) -> None:
        self.mx("10 mail.mydomain.zz.", "15 gone.mydomain.zz.", f"20 {ALTERNATE}.")
        found = await self.finding("mx")
        assert (found.standing, found.to_remove) == (Standing.WRONG, ("15 gone.mydomain.zz",))

    async def test_an_mx_inside_a_private_network_is_told_to_its_owner_and_to_nobody_else(self) -> None:
        self.mx("10 inner.mydomain.zz.", f"20 {ALTERNATE}.")
        self.case.zone["inner.mydomain.zz", "A"] = ["10.1.2.3"]
        assert "inner.mydomain.zz leads" in (await self.said("mx"))[1]
        found = await self.finding("mx", stranger=True)
        assert found.found == (f"10 {HIDDEN}", f"20 {ALTERNATE}")
        assert "inner" not in str(found)

    async def test_attack_16_forty_mx_hosts_cost_a_bounded_number_of_questions(self) -> None:
        self.mx(*(f"{number} n{number}.mydomain.zz." for number in range(40)))
        self.txt("v=spf1 " + " ".join(f"include:i{number}.mydomain.zz" for number in range(9)))
        for number in range(9):
            self.case.zone[f"i{number}.mydomain.zz", "TXT"] = ['"v=spf1 mx:mydomain.zz ~all"']
        await self.case.look.records(wish_of(self.customer, "mydomain.zz"))
        assert len(self.case.server.asked) <= MOST

    # ---- SPF

    async def test_spf_lets_us_send_however_it_says_so(self) -> None:
        self.case.zone["spf.emailgency.example", "TXT"] = [f'"v=spf1 ip4:{OURS} -all"']
        for text in (
            "v=spf1 mx -all",  # we are an MX
            f"v=spf1 a:{HOST} -all",
            f"v=spf1 ip4:{OURS.rpartition('.')[0]}.0/24 ~all",
            "v=spf1 include:spf.emailgency.example -all",
            "v=spf1 redirect=spf.emailgency.example",
        ):
            self.txt(text, "some-verification=xyz")
            assert await self.said("spf") == (Standing.GOOD, "SPF lets us send for your people."), text

    async def test_spf_without_us_says_the_whole_record_to_type(self) -> None:
        self.txt("v=spf1 ip4:203.0.113.5 -all")
        found = await self.finding("spf")
        assert found.standing is Standing.MISSING
        assert found.to_add == (f"v=spf1 ip4:203.0.113.5 a:{HOST} -all",)
        assert found.to_remove == ("v=spf1 ip4:203.0.113.5 -all",)
        self.txt("unrelated")
        assert (await self.finding("spf")).to_add == (f"v=spf1 mx a:{HOST} ~all",)

    async def test_what_receivers_cannot_use_is_said(self) -> None:
        self.txt("v=spf1 mx ~all", "v=spf1 -all")
        assert "2 SPF records" in (await self.said("spf"))[1]
        self.txt("v=spf1 ip4:300.1.1.1 -all")
        assert "cannot be read" in (await self.said("spf"))[1]
        self.txt("v=spf1 " + " ".join(f"a:a{number}.mydomain.zz" for number in range(12)) + " -all")
        for number in range(12):
            self.case.zone[f"a{number}.mydomain.zz", "A"] = ["192.0.2.1"]
        assert "more than 10" in (await self.said("spf"))[1]

    async def test_an_include_that_does_not_answer_is_no_verdict(self) -> None:
        self.txt("v=spf1 include:spf.silent.zz -all")
        self.case.silent("silent.zz")
        assert (await self.finding("spf")).standing is Standing.UNKNOWN

    # ---- MTA-STS

    async def test_a_policy_that_forbids_us_is_told_before_mail_is_lost(self) -> None:
        assert (await self.finding("mta_sts")).standing is Standing.GOOD
        self.case.zone["_mta-sts.mydomain.zz", "TXT"] = ['"v=STSv1; id=20260101"']
        policy = b"version: STSv1\r\nmode: enforce\r\nmx: *.mydomain.zz\r\nmax_age: 86400\r\n"
        self.case.policies["mydomain.zz"] = policy
        found = await self.finding("mta_sts")
        assert found.standing is Standing.WRONG
        assert found.to_add == (f"mx: {ALTERNATE}",)
        assert "forbids" in str(found.words)
        self.case.policies["mydomain.zz"] = policy.replace(b"enforce", b"testing")
        assert "being tested" in (await self.said("mta_sts"))[1]
        self.case.policies["mydomain.zz"] = policy.replace(b"enforce", b"none")
        assert (await self.finding("mta_sts")).standing is Standing.GOOD
        self.case.policies["mydomain.zz"] = policy + b"mx: *.emailgency.example\n"
        assert (await self.finding("mta_sts")).standing is Standing.GOOD

    async def test_a_policy_nobody_can_fetch_now_is_no_verdict_and_none_is_one(self) -> None:
        self.case.zone["_mta-sts.mydomain.zz", "TXT"] = ['"v=STSv1; id=20260101"']
        assert (await self.finding("mta_sts")).standing is Standing.UNKNOWN
        for broken in (None, b"<html>", b"version: STSv1\nmode: enforce\nmax_age: 1\n", os.urandom(100_000)):
            self.case.policies["mydomain.zz"] = broken
            assert (await self.finding("mta_sts")).standing is Standing.WRONG

    async def test_attack_15_for_a_stranger_nobodys_web_server_is_asked(self) -> None:
        self.case.zone["_mta-sts.mydomain.zz", "TXT"] = ['"v=STSv1; id=20260101"']
        self.patch(self.case.look, "_policy", None)
        found = await self.finding("mta_sts", stranger=True)
        assert found.standing is Standing.DOUBTFUL
        assert ALTERNATE in str(found.words)

    # ---- names

    async def test_names_of_mail_programs_are_the_customers_to_give(self) -> None:
        found = await self.finding("autoconfig")
        assert (found.standing, found.to_add) == (Standing.OPTIONAL, (f"{ALTERNATE}.",))
        self.case.zone["autoconfig.mydomain.zz", "CNAME"] = [f"{ALTERNATE}."]
        assert (await self.finding("autoconfig")).standing is Standing.GOOD
        del self.case.zone["autoconfig.mydomain.zz", "CNAME"]
        self.case.zone["autoconfig.mydomain.zz", "A"] = ["203.0.113.77"]
        found = await self.finding("autoconfig")
        assert (found.standing, found.wanted, found.found) == (Standing.OPTIONAL, (), ("203.0.113.77",))
        assert (await self.finding("autoconfig", stranger=True)).found == ()
        assert (await self.finding("autodiscover")).to_add == (f"0 0 443 {ALTERNATE}.",)
        self.case.zone["_autodiscover._tcp.mydomain.zz", "SRV"] = [f"0 0 443 {ALTERNATE}."]
        assert (await self.finding("autodiscover")).standing is Standing.GOOD
