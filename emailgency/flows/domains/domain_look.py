"""One look at what the DNS says of a domain, against what it should say (rows F4, G7)."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from msgspec import Struct
from twisted.internet.defer import Deferred, gatherResults

from emailgency.codec import mta_sts
from emailgency.codec.spf_terms import with_mechanism
from emailgency.flows.domains.dns_settings import Published
from emailgency.flows.domains.questions import MOST, Questions
from emailgency.flows.domains.spf_reach import spf_facts
from emailgency.model.directory import Customer, RelayMode
from emailgency.model.domain_check import Finding
from emailgency.model.errors import Temporary
from emailgency.net.dns import Answer, Dns, Status
from emailgency.net.egress import Egress
from emailgency.rules import domain_records as rules
from emailgency.rules.domain_records import MxHost, Pointing, StsFacts, Wish
from emailgency.rules.next_hop import MX_LIMIT, SMTP_PORT

HIDDEN = "(not public)"
_LONGEST = 500  # characters of one record that are shown


class Look(Struct, frozen=True):
    """`kept`: seconds until no cache of ours gives any of the answers again. `sure`: the resolver knows at least us."""

    findings: list[Finding]
    kept: float
    sure: bool = True


class DomainLook:
    """`policy` gives the MTA-STS policy of a domain, None when there is none; raises Temporary."""

    def __init__(
        self,
        dns: Dns,
        egress: Egress,
        our_names: Callable[[str], bool],
        host_name: str,
        published: Published,
        reactor: Any,
        policy: Callable[[str], Awaitable[bytes | None]],
    ) -> None:
        self.host_name = host_name
        self.mechanism = published.spf or f"a:{host_name}"
        self._dns = dns
        self._egress = egress
        self._our_names = our_names
        self._published = published
        self._reactor = reactor
        self._policy = policy

    async def records(self, wish: Wish, *, stranger: bool = False, most: int = MOST) -> Look:
        """MX, SPF, MTA-STS and the names of mail programs.

        For a stranger, who may name any domain, nobody's web server is asked anything, and names that lead nowhere
        on the internet stay ours to know: our resolver may see more than he does.
        """
        questions = Questions(self._dns, self._reactor, most)
        ours = await self.addresses(questions)
        hosts, exists = await self._mx(questions, wish, ours, stranger)
        start = Deferred.fromCoroutine
        spf_finding = start(self._spf(questions, wish.domain, ours))
        sts = start(self._sts(questions, wish, hosts or (), stranger))
        autoconfig = start(self._points(questions, f"autoconfig.{wish.domain}", "CNAME", ours))
        autodiscover = start(self._points(questions, f"_autodiscover._tcp.{wish.domain}", "SRV", ours))
        names = [rules.autoconfig(wish, await autoconfig), rules.autodiscover(wish, await autodiscover)]
        if stranger:
            names = [msgspec.structs.replace(one, found=()) for one in names]
        findings = [rules.mx(wish, hosts, exists), await spf_finding, rules.mta_sts(wish, await sts), *names]
        return Look(findings, questions.kept, sure=bool(ours))

    async def alternate(self, host: str) -> Look:
        """The alternate domain of a customer, which is the operator's to publish."""
        questions = Questions(self._dns, self._reactor)
        ours = await self.addresses(questions)
        answer = await questions.addresses(host)
        if answer.status is Status.FAILURE or (answer.records and not ours):
            return Look([rules.alternate(host, None)], questions.kept)
        pointing = Pointing(tuple(sorted(answer.records)), self._are_ours(answer.records, ours))
        return Look([rules.alternate(host, pointing)], questions.kept, sure=bool(ours))

    async def addresses(self, questions: Questions | None = None) -> frozenset[str]:
        """Those that our mail leaves from; none when the DNS does not answer."""
        if self._published.addresses:
            return frozenset(self._published.addresses)
        answer = await (questions or Questions(self._dns, self._reactor)).addresses(self.host_name)
        return frozenset(answer.records)

    # ---- facts -------------------------------------------------------------------------------------------

    async def _mx(
        self, questions: Questions, wish: Wish, ours: frozenset[str], stranger: bool
    ) -> tuple[tuple[MxHost, ...] | None, bool]:
        answer = await questions.ask(wish.domain, "MX")
        if answer.status is Status.FAILURE:
            return None, True
        ranked = sorted((int(one.partition(" ")[0]), one.partition(" ")[2]) for one in answer.records)[:MX_LIMIT]
        looked_up = [Deferred.fromCoroutine(self._host(questions, *rank, ours)) for rank in ranked]
        hosts = await gatherResults(looked_up, consumeErrors=True)
        if stranger:
            hosts = [msgspec.structs.replace(one, host=HIDDEN) if one.hidden and not one.ours else one for one in hosts]
        return tuple(hosts), answer.status is not Status.NO_SUCH_NAME

    async def _host(self, questions: Questions, preference: int, host: str, ours: frozenset[str]) -> MxHost:
        if not host:
            return MxHost(preference, "", ours=False)
        answer = await questions.addresses(host)
        return MxHost(
            preference,
            host,
            ours=self._our_names(host) or self._are_ours(answer.records, ours),
            lost=answer.status in (Status.NO_SUCH_NAME, Status.NO_DATA),
            hidden=bool(answer.records) and all(self._egress.check(one, SMTP_PORT) for one in answer.records),
        )

    async def _spf(self, questions: Questions, domain: str, ours: frozenset[str]) -> Finding:
        facts = await spf_facts(self._reactor, questions, domain, ours, self.mechanism)
        first = facts.records[0] if facts and facts.records else ""
        finding = rules.spf(domain, self.mechanism, facts, with_mechanism(first, self.mechanism))
        return msgspec.structs.replace(finding, found=tuple(text[:_LONGEST] for text in finding.found))

    async def _sts(
        self, questions: Questions, wish: Wish, hosts: tuple[MxHost, ...], stranger: bool
    ) -> StsFacts | None:
        answer = await questions.ask(f"_mta-sts.{wish.domain}", "TXT")
        if answer.status is Status.FAILURE:
            return None
        ids = [id for text in answer.records if (id := mta_sts.record_id(text))]
        if len(ids) != 1:  # RFC 8461 section 3.1: several are none
            return StsFacts()
        if stranger:
            return StsFacts(ids[0], looked=False)
        try:
            octets = await self._policy(wish.domain)
        except Temporary:
            return None
        found = mta_sts.policy(octets) if octets is not None else None
        if found is None:
            return StsFacts(ids[0])
        ours = [one.host for one in hosts if one.ours] or [wish.host]
        refused = tuple(host for host in ours if not found.allows(host))
        return StsFacts(ids[0], True, found.mode.value, found.mx, refused)

    async def _points(self, questions: Questions, name: str, kind: str, ours: frozenset[str]) -> Pointing | None:
        """Where a name leads that may be an alias, or have addresses of its own."""
        answer = await questions.ask(name, kind)
        if answer.status is Status.FAILURE:
            return None
        if answer.records:
            targets = [record.split()[-1].removesuffix(".").lower() for record in answer.records]
            return Pointing(_shown(answer), any(map(self._our_names, targets)))
        if kind != "CNAME" or answer.status is Status.NO_SUCH_NAME:
            return Pointing()
        answer = await questions.addresses(name)
        if answer.status is Status.FAILURE:
            return None
        return Pointing(_shown(answer), self._are_ours(answer.records, ours))

    def _are_ours(self, addresses: tuple[str, ...], ours: frozenset[str]) -> bool:
        return any(one in ours or self._egress.is_ours(one) for one in addresses)


def wish_of(customer: Customer, domain: str) -> Wish:
    """What the DNS of one of his domains should say."""
    return Wish(
        domain=domain,
        host=customer.alternate_domain,
        role=customer.role,
        own_server=customer.relay is not RelayMode.NONE,
        transport=customer.smtp_transport is not None,
    )


def domains_of(customer: Customer) -> tuple[str, ...]:
    """Those that he publishes himself."""
    return (customer.domain, *customer.domain_aliases)


def _shown(answer: Answer) -> tuple[str, ...]:
    return tuple(sorted(record[:_LONGEST] for record in answer.records[:MX_LIMIT]))
