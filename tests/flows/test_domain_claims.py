"""A domain is given to who proves it, to nobody else, and once."""

import secrets

from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredList
from twisted.trial.unittest import TestCase

from emailgency.flows.accounts.domain_claims import DomainClaims, Proof
from emailgency.model.directory import OPERATOR
from emailgency.model.errors import Invalid, Temporary
from tests.support.customers import AUTHOR
from tests.support.dns_case import DnsCase


class DomainClaimTests(TestCase):
    timeout = 60

    async def setUp(self) -> None:
        self.case = DnsCase()
        await self.case.begin()
        self.one = await self.case.customer()
        self.other = await self.case.customer("other.zz")
        self.claims = self.fresh()

    async def tearDown(self) -> None:
        await self.case.stop()

    def fresh(self, key: bytes = b"k" * 32) -> DomainClaims:
        return DomainClaims(self.case.accounts, self.case.dns, key, reactor)

    def publish(self, owner: str, domain: str, *more: str) -> None:
        claim = self.claims.claim(owner, domain)
        self.case.zone[claim.name, "TXT"] = [f'"{text}"' for text in (*more, claim.record)]

    async def names(self, customer) -> tuple[str, ...]:
        return (await self.case.accounts.get(customer.id)).domain_aliases

    async def refused(self, work, kind=Invalid) -> str:
        error = await self.assertFailure(Deferred.fromCoroutine(work), kind)
        return str(error)

    async def test_a_proven_domain_is_an_alias_from_now_on(self) -> None:
        self.publish(self.one.id, "more.zz", "v=spf1 -all", "unrelated")
        await self.claims.take(AUTHOR, self.one.id, " More.ZZ ")
        assert await self.names(self.one) == ("more.zz",)
        domain = await self.case.directory.domain("more.zz")
        assert domain.customer == self.one.id
        await self.claims.give_up(AUTHOR, self.one.id, "more.zz")
        assert await self.case.directory.domain("more.zz") is None

    async def test_the_record_is_the_same_after_a_restart_and_another_elsewhere(self) -> None:
        record = self.claims.claim(self.one.id, "more.zz").record
        assert self.fresh().claim(self.one.id, "more.zz").record == record
        assert self.fresh(secrets.token_bytes(32)).claim(self.one.id, "more.zz").record != record

    async def test_attack_45_nobodys_proof_serves_another(self) -> None:
        self.publish(self.one.id, "more.zz")
        assert "does not show" in await self.refused(self.claims.take(AUTHOR, self.other.id, "more.zz"))
        assert (await self.claims.look(self.other.id, "more.zz")).proof is Proof.MISSING
        record = self.claims.claim(self.one.id, "more.zz").record
        for domain in ("sub.more.zz", "zz.more", "emore.zz"):
            self.case.zone[f"_emailgency.{domain}", "TXT"] = [f'"{record}"']
            await self.refused(self.claims.take(AUTHOR, self.one.id, domain))
        assert await self.names(self.one) == await self.names(self.other) == ()

    async def test_attack_45_of_two_who_race_for_a_domain_one_wins(self) -> None:
        both = [self.claims.claim(one.id, "more.zz") for one in (self.one, self.other)]
        self.case.zone[both[0].name, "TXT"] = [f'"{claim.record}"' for claim in both]
        races = [Deferred.fromCoroutine(self.claims.take(AUTHOR, one.id, "more.zz")) for one in (self.one, self.other)]
        done = await DeferredList(races, consumeErrors=True)
        assert sorted(success for success, _ in done) == [False, True]
        assert sorted([await self.names(self.one), await self.names(self.other)]) == [(), ("more.zz",)]

    async def test_attack_45_domains_of_one_customer_claimed_at_once_are_all_kept(self) -> None:
        wanted = [f"n{number}.zz" for number in range(5)]
        for domain in wanted:
            self.publish(self.one.id, domain)
        await DeferredList(
            [Deferred.fromCoroutine(self.claims.take(AUTHOR, self.one.id, domain)) for domain in wanted],
            fireOnOneErrback=True,
        )
        assert sorted(await self.names(self.one)) == wanted

    async def test_attack_45_what_is_anothers_stays_his_and_is_told_only_with_a_proof(self) -> None:
        without = await self.refused(self.claims.take(AUTHOR, self.one.id, "other.zz"))
        nobodys = await self.refused(self.claims.take(AUTHOR, self.one.id, "nobodys.zz"))
        assert without.replace("other.zz", "X") == nobodys.replace("nobodys.zz", "X")
        self.publish(self.one.id, "other.zz")
        assert "here already" in await self.refused(self.claims.take(AUTHOR, self.one.id, "other.zz"))
        assert (await self.case.directory.domain("other.zz")).customer == self.other.id

    async def test_a_dns_that_does_not_answer_is_no_no(self) -> None:
        self.publish(self.one.id, "more.zz")
        self.case.silent("more.zz")
        assert (await self.claims.look(self.one.id, "more.zz")).proof is Proof.UNKNOWN
        await self.refused(self.claims.take(AUTHOR, self.one.id, "more.zz"), Temporary)

    async def test_attack_16_looking_again_and_again_is_bounded(self) -> None:
        for number in range(10):
            await self.claims.look(self.one.id, f"n{number}.zz")
        asked = len(self.case.server.asked)
        assert "Too many" in await self.refused(self.claims.look(self.one.id, "more.zz"))
        assert len(self.case.server.asked) == asked
        await self.claims.look(self.other.id, "more.zz")  # others are not held up

    async def test_what_is_no_domain_or_the_services_own_is_refused(self) -> None:
        for domain in ("", "zz", "a b.zz", "192.0.2.1", "x" * 300 + ".zz", ".".join(["a" * 60] * 4)):
            with self.assertRaises(Invalid):
                self.claims.claim(self.one.id, domain)
        self.publish(self.one.id, "x.emailgency.example")
        assert "service itself" in await self.refused(self.claims.take(AUTHOR, self.one.id, "x.emailgency.example"))

    async def test_the_operator_grants_and_asks_a_new_customer_for_a_proof(self) -> None:
        await self.claims.grant(AUTHOR, self.one.id, "granted.zz")
        assert await self.names(self.one) == ("granted.zz",)
        assert "does not show" in await self.refused(self.claims.require("new.zz"))
        self.publish(self.one.id, "new.zz")
        await self.refused(self.claims.require("new.zz"))  # a customer's proof is none of a new one's
        self.publish(OPERATOR, "new.zz")
        await self.claims.require("new.zz")
