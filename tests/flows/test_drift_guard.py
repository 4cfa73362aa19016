"""What changes in the DNS of a customer's domain is told, once and in words; what only seems to change is not."""

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from emailgency.flows.domains.dns_settings import DriftSettings
from emailgency.flows.domains.domain_look import domains_of
from emailgency.flows.domains.drift_guard import AT_ONCE, DriftGuard
from emailgency.model.domain_check import Standing
from emailgency.model.errors import Temporary
from emailgency.store.experience import dns_history
from emailgency.store.experience.dns_history import DnsHistory
from tests.support.asynchronous import until
from tests.support.customers import AUTHOR
from tests.support.dns_case import DnsCase

HOUR, MINUTE = 3600.0, 60.0


class DriftGuardTests(TestCase):
    timeout = 60

    async def setUp(self) -> None:
        self.case = DnsCase()
        await self.case.begin()
        self.customer = await self.case.customer()
        self.case.publish()
        self.guard = self.fresh()

    async def tearDown(self) -> None:
        await until(lambda: not self.guard.history._file.busy)
        await self.case.stop()

    def fresh(self) -> DriftGuard:
        """As after a restart."""
        history = DnsHistory(reactor, self.case.data)
        history.start()
        guard = DriftGuard(
            self.case.directory,
            self.case.look,
            history,
            lambda: self.case.now,
            DriftSettings(interval=HOUR, confirm=6 * MINUTE),
            lambda: 0.5,
        )
        self.told = []
        guard.listeners.append(self.told.append)
        return guard

    async def pass_by(self, seconds: float) -> None:
        """Time, with a turn each five minutes."""
        end = self.case.now + seconds
        while self.case.now < end:
            self.case.now = min(end, self.case.now + 5 * MINUTE)
            await self.guard.turn()

    def mx(self):
        return self.guard.history.last(self.customer.id, "mydomain.zz", "mx")

    async def test_a_domain_in_order_is_no_news(self) -> None:
        await self.guard.turn()
        await self.pass_by(3 * HOUR)
        assert self.told == []
        assert {one.standing for one in self.guard.history.latest(self.customer.id)} == {Standing.GOOD}
        assert self.mx().after == ("10 mail.mydomain.zz", "20 mydomainzz.emailgency.example")

    async def test_a_change_is_told_once_with_what_was_and_since_when(self) -> None:
        await self.guard.turn()
        self.case.zone["mydomain.zz", "MX"] = ["10 mail.mydomain.zz."]
        before = self.case.now
        await self.pass_by(4 * HOUR)
        [change] = self.told
        assert change.kind == "mx"
        assert change.worse
        assert change.before == change.good == ("10 mail.mydomain.zz", "20 mydomainzz.emailgency.example")
        assert change.after == ("10 mail.mydomain.zz",)
        assert before < change.at <= before + 1.2 * HOUR
        assert "We are not among the MX records" in str(change.words)
        self.case.publish()
        await self.pass_by(4 * HOUR)
        assert len(self.told) == 2
        assert self.told[1].better

    async def test_what_is_gone_again_soon_was_no_change(self) -> None:
        await self.guard.turn()
        for _ in range(3):
            self.case.zone["mydomain.zz", "MX"] = ["5 elsewhere.zz."]
            await self.guard.check(self.customer, "mydomain.zz")
            self.case.publish()
            await self.pass_by(2 * HOUR)
        assert self.told == []

    async def test_flapping_is_told_at_most_once_a_confirmation(self) -> None:
        await self.guard.turn()
        for number in range(24):
            self.case.publish(mx=[f"10 mail{number % 2}.mydomain.zz.", "20 mydomainzz.emailgency.example."])
            self.case.zone[f"mail{number % 2}.mydomain.zz", "A"] = ["203.0.113.9"]
            self.case.now += 4 * MINUTE
            await self.guard.check(self.customer, "mydomain.zz")
        assert self.told == []

    async def test_a_dns_that_does_not_answer_is_no_drift(self) -> None:
        await self.guard.turn()
        self.case.silent("zz")
        await self.pass_by(3 * HOUR)
        assert self.told == []
        assert self.mx().standing is Standing.GOOD

    async def test_addresses_that_cannot_be_looked_up_make_no_drift_of_the_rest(self) -> None:
        await self.guard.turn()
        self.case.silent("mail.mydomain.zz")
        await self.pass_by(3 * HOUR)
        assert self.told == []

    async def test_our_own_name_that_cannot_be_looked_up_accuses_nobody(self) -> None:
        await self.guard.turn()
        self.case.silent("emailgency.example")
        await self.pass_by(3 * HOUR)
        assert self.told == []

    async def test_a_resolver_that_denies_everything_accuses_nobody(self) -> None:
        await self.guard.turn()
        self.case.zone.clear()
        await self.pass_by(3 * HOUR)
        assert self.told == []
        assert self.mx().standing is Standing.GOOD

    async def test_a_directory_that_is_away_stops_nothing(self) -> None:
        async def away() -> None:
            raise Temporary("Redis is away")

        await self.guard.turn()
        self.patch(self.case.directory, "customers", away)
        await self.pass_by(HOUR)
        assert self.told == []

    async def test_no_confirmation_comes_out_of_a_cache(self) -> None:
        self.case.server.ttl = 1800
        await self.guard.turn()
        self.case.zone["mydomain.zz", "MX"] = ["10 mail.mydomain.zz."]
        self.case.dns._cache.clear()
        self.case.now += HOUR
        await self.guard.check(self.customer, "mydomain.zz")  # seen; the cache gives the same for half an hour
        self.case.now += 10 * MINUTE
        await self.guard.check(self.customer, "mydomain.zz")
        assert self.told == []
        self.case.now += 30 * MINUTE
        await self.guard.check(self.customer, "mydomain.zz")
        assert len(self.told) == 1

    async def test_no_record_is_asked_for_more_often_than_its_ttl_allows(self) -> None:
        self.case.server.ttl = 3600
        await self.guard.turn()
        asked = len(self.case.server.asked)
        for _ in range(20):
            await self.guard.check(self.customer, "mydomain.zz")
        negative = [one for one in self.case.server.asked[asked:] if one[0] not in {n for n, _ in self.case.zone}]
        assert self.case.server.asked[asked:] == negative  # without an SOA it is not known how long a no holds

    async def test_what_was_known_outlives_a_restart(self) -> None:
        await self.guard.turn()
        await until(lambda: not self.guard.history._file.busy)
        self.case.zone["mydomain.zz", "TXT"] = ['"v=spf1 mx -all"']
        self.case.zone["mydomain.zz", "MX"] = ["10 mail.mydomain.zz."]
        self.guard = self.fresh()
        await self.pass_by(3 * HOUR)
        assert {change.kind for change in self.told} == {"mx", "spf"}
        assert all(change.worse for change in self.told)

    async def test_every_domain_is_watched_and_one_that_goes_is_forgotten(self) -> None:
        self.case.publish("other.zz", mx=["10 mail.other.zz.", "20 mydomainzz.emailgency.example."])
        customer = await self.case.accounts.set(AUTHOR, self.customer.id, domain_aliases=("other.zz",))
        assert domains_of(customer) == ("mydomain.zz", "other.zz")
        await self.pass_by(10 * MINUTE)
        assert {one.domain for one in self.guard.history.latest(customer.id)} == {
            "mydomain.zz",
            "other.zz",
            "mydomainzz.emailgency.example",
        }
        await self.case.accounts.set(AUTHOR, self.customer.id, domain_aliases=())
        await self.pass_by(10 * MINUTE)
        assert "other.zz" not in {one.domain for one in self.guard.history.latest(customer.id)}
        await self.case.accounts.remove(AUTHOR, self.customer.id)
        await self.pass_by(10 * MINUTE)
        assert self.guard.history.customers() == []

    async def test_an_alternate_domain_that_leads_elsewhere_is_told(self) -> None:
        await self.guard.turn()
        self.case.zone["mydomainzz.emailgency.example", "A"] = ["203.0.113.99"]
        await self.pass_by(3 * HOUR)
        assert {change.kind for change in self.told} == {"alternate"}

    async def test_a_first_look_at_a_domain_that_is_not_ready_alarms_nobody(self) -> None:
        await self.case.customer("new.zz")
        await self.guard.turn()
        assert self.told == []
        [found] = [
            one for one in self.guard.history.latest((await self.case.accounts.find("new.zz")).id) if one.kind == "mx"
        ]
        assert found.standing is Standing.WRONG

    async def test_a_listener_that_fails_keeps_nothing_from_the_others(self) -> None:
        await self.guard.turn()
        self.guard.listeners.insert(0, lambda change: 1 / 0)
        self.case.zone["mydomain.zz", "MX"] = ["10 mail.mydomain.zz."]
        await self.pass_by(3 * HOUR)
        assert len(self.told) == 1
        self.flushLoggedErrors(ZeroDivisionError)

    async def test_a_domain_that_cannot_be_looked_at_keeps_nothing_from_the_others(self) -> None:
        policies = self.case.policies

        async def policy(domain: str) -> bytes | None:
            if domain == "faulty.zz":
                raise UnicodeError("no name of a host")
            return policies.get(domain)

        self.patch(self.case.look, "_policy", policy)
        self.case.zone["_mta-sts.faulty.zz", "TXT"] = ['"v=STSv1; id=1"']
        await self.case.accounts.set(AUTHOR, self.customer.id, domain_aliases=("faulty.zz",))
        other = await self.case.customer("more.zz")
        self.case.publish("more.zz")
        await self.guard.turn()
        assert self.guard.history.last(other.id, "more.zz", "mx").standing is Standing.GOOD
        assert self.mx().standing is Standing.GOOD
        assert len(self.flushLoggedErrors(UnicodeError)) == 1

    async def test_a_server_that_stops_looks_at_no_further_domain(self) -> None:
        looked = []

        async def check(customer, domain):
            looked.append(domain)

        self.patch(self.guard, "check", check)
        self.guard.stopping = lambda: len(looked) == 1
        await self.case.customer("more.zz")
        await self.guard.turn()
        assert len(looked) == 1

    async def test_history_is_bounded(self) -> None:
        self.patch(dns_history, "CHANGES", 3)
        guard = self.fresh()
        for number in range(10):
            self.case.publish(mx=[f"{number} mail.mydomain.zz.", "20 mydomainzz.emailgency.example."])
            self.case.now += HOUR
            await guard.check(self.customer, "mydomain.zz")
            self.case.now += HOUR
            await guard.check(self.customer, "mydomain.zz")
        assert len([one for one in guard.history.of(self.customer.id) if one.kind == "mx"]) == 3
        self.patch(dns_history, "RECORDS", 3)
        other = await self.case.customer("more.zz")
        self.case.publish("more.zz")
        await guard.check(other, "more.zz")
        assert guard.history.customers() == [other.id]
        await until(lambda: not guard.history._file.busy)

    async def test_one_turn_asks_a_bounded_number_of_domains(self) -> None:
        looked = []

        async def check(customer, domain):
            looked.append(domain)

        self.patch(self.guard, "check", check)
        aliases = tuple(f"n{number}.zz" for number in range(AT_ONCE - 5))
        await self.case.accounts.set(AUTHOR, self.customer.id, domain_aliases=aliases)
        for name in ("a.zz", "b.zz", "c.zz"):
            await self.case.customer(name)
        await self.guard.turn()
        assert len(looked) == AT_ONCE
        await self.guard.turn()
        assert len(set(looked)) == AT_ONCE - 5 + 8
