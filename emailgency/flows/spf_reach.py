"""Whether a domain's SPF lets our addresses send (RFC 7208), as far as its owner must know: walked, never obeyed.

No sender stands behind the question, so macros are not followed; a record that has them and does not reach us by other
means leaves us unsure.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from emailgency.codec.spf_terms import Term, is_record, terms
from emailgency.flows.questions import Questions
from emailgency.net.dns import Status
from emailgency.rules.domain_records import SpfFacts

LOOKUPS = 10  # RFC 7208 section 4.6.4
_ASK = frozenset({"include", "a", "mx", "ptr", "exists", "redirect"})  # terms that cost one

Address = IPv4Address | IPv6Address


class _Broken(Exception):
    """The record is a permanent error to every receiver; holds a key of WORDS."""


class _Silent(Exception):
    """The DNS does not answer."""


async def spf_facts(questions: Questions, domain: str, ours: frozenset[str], mechanism: str) -> SpfFacts | None:
    """None: the DNS does not answer. `ours`: addresses our mail leaves from, `mechanism`: what stands for them."""
    answer = await questions.ask(domain, "TXT")
    if answer.status is Status.FAILURE:
        return None
    records = tuple(text for text in answer.records if is_record(text))
    if len(records) != 1:
        return SpfFacts(records, reached=False)
    walk = _Walk(questions, mechanism)
    try:
        passed = await walk.passed(domain, records[0], {ip_address(one) for one in ours})
    except _Broken as error:
        return SpfFacts(records, broken=str(error))
    except _Silent:
        return SpfFacts(records)
    reached = walk.named or (bool(ours) and len(passed) == len(ours))
    if not reached and not ours:
        return SpfFacts(records)  # our own addresses are what nobody knows
    return SpfFacts(records, reached=reached, unsure=walk.macros)


class _Walk:
    """One record and what it includes."""

    def __init__(self, questions: Questions, mechanism: str) -> None:
        self.named = False  # the mechanism itself stands there
        self.macros = False
        self._questions = questions
        self._mechanism = mechanism.lower().lstrip("+")
        self._left = LOOKUPS

    async def passed(self, domain: str, record: str, addresses: set[Address]) -> set[Address]:
        """Those of `addresses` that the record lets send."""
        found = terms(record)
        if found is None:
            raise _Broken("spf garbled")
        passed: set[Address] = set()
        rest = set(addresses)
        for term in found:
            if term.qualifier == "=":
                continue
            if term.qualifier == "+" and _spelled(term) == self._mechanism:
                self.named = True
                return passed | rest
            matched = await self._matched(term, domain, rest)
            rest -= matched
            if term.qualifier == "+":
                passed |= matched
            if not rest and addresses:
                return passed
        redirect = next((one.value for one in found if one.qualifier == "=" and one.name == "redirect"), "")
        if redirect and not any(one.name == "all" for one in found):
            passed |= await self._of_other(redirect, rest)
        return passed

    async def _matched(self, term: Term, domain: str, addresses: set[Address]) -> set[Address]:
        if term.name == "all":
            return addresses
        if term.name in ("ip4", "ip6"):
            return {one for one in addresses if one in _network(term.value)}
        if "%" in term.value or term.name in ("ptr", "exists"):
            self._pay()
            self.macros = True
            return set()
        if term.name == "include":
            return await self._of_other(term.value, addresses)
        if term.name not in ("a", "mx"):
            raise _Broken("spf garbled")
        self._pay()
        target, _, prefix = term.value.partition("/")
        hosts = [target or domain]
        if term.name == "mx":
            hosts = [record.partition(" ")[2] for record in await self._records(target or domain, "MX")][:LOOKUPS]
        networks = []
        for host in hosts:
            networks += [_around(one, prefix) for one in await self._addresses(host)]
        return {one for one in addresses if any(one in network for network in networks)}

    async def _of_other(self, name: str, addresses: set[Address]) -> set[Address]:
        """By `include` or `redirect`."""
        if "%" in name:
            self._pay()
            self.macros = True
            return set()
        self._pay()
        records = [text for text in await self._records(name, "TXT") if is_record(text)]
        if len(records) != 1:  # section 5.2: none there is a permanent error
            raise _Broken("spf garbled")
        return await self.passed(name, records[0], addresses)

    def _pay(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise _Broken("spf deep")

    async def _records(self, name: str, kind: str) -> tuple[str, ...]:
        answer = await self._questions.ask(name, kind)
        if answer.status is Status.FAILURE:
            raise _Silent
        return answer.records

    async def _addresses(self, host: str) -> tuple[str, ...]:
        answer = await self._questions.addresses(host)
        if answer.status is Status.FAILURE:
            raise _Silent
        return answer.records


def _spelled(term: Term) -> str:
    return f"{term.name}:{term.value}".lower() if term.value and not term.value.startswith("/") else term.name


def _network(text: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(text, strict=False)
    except ValueError:
        raise _Broken("spf garbled") from None


def _around(address: str, prefix: str) -> IPv4Network | IPv6Network:
    """`prefix` as SPF writes it behind a name: "24", "24//64", "/64"."""
    four, _, six = prefix.partition("/") if not prefix.startswith("/") else ("", "", prefix[1:])
    version = ip_address(address).version
    length = (four if version == 4 else six.lstrip("/")) or ("32" if version == 4 else "128")
    return _network(f"{address}/{length}")
