"""Whether a domain's SPF lets our addresses send (RFC 7208), as a receiver would see it."""

from typing import Any

from emailgency.background import in_thread
from emailgency.codec.spf_terms import is_record, terms
from emailgency.flows.domains.questions import Questions
from emailgency.net.dns import Status
from emailgency.rules.domain_records import SpfFacts
from emailgency.rules.spf import Facts, Question, Spf, check

ADDRESSES = 4  # of ours that are tried: an operator's IPv4 and IPv6, twice


async def spf_facts(
    reactor: Any, questions: Questions, domain: str, ours: frozenset[str], mechanism: str
) -> SpfFacts | None:
    """None: the DNS does not answer. `ours`: addresses our mail leaves from, `mechanism`: what stands for them."""
    answer = await questions.ask(domain, "TXT")
    if answer.status is Status.FAILURE:
        return None
    records = tuple(text for text in answer.records if is_record(text))
    if len(records) != 1:
        return SpfFacts(records, reached=False)
    if _names(records[0], mechanism):
        return SpfFacts(records, reached=True)
    facts: dict[Question, tuple[str, ...] | None] = {}
    results = [await _as_seen(reactor, questions, domain, ip, facts) for ip in sorted(ours)[:ADDRESSES]]
    if any(one.result == "permerror" for one in results):
        deep = any("many" in one.reason.lower() for one in results)
        return SpfFacts(records, broken="spf deep" if deep else "spf garbled")
    if not results or any(one.result == "temperror" for one in results):
        return SpfFacts(records)
    return SpfFacts(records, reached=all(one.result == "pass" for one in results))


async def _as_seen(
    reactor: Any, questions: Questions, domain: str, ip: str, facts: dict[Question, tuple[str, ...] | None]
) -> Spf:
    """By whom we bring mail of postmaster@ the domain. `facts` grow: what one address needs the next may need too."""
    while True:
        known: Facts = dict(facts)
        result: Spf | Question = await in_thread(reactor, check, ip, f"postmaster@{domain}", domain, known)
        if isinstance(result, Spf):
            return result
        answer = await questions.ask(result.name, result.kind)
        facts[result] = None if answer.status is Status.FAILURE else answer.records


def _names(record: str, mechanism: str) -> bool:
    """Whether the mechanism itself stands in it, and nothing ends the search before."""
    wanted = mechanism.lower().removeprefix("+")
    for term in terms(record) or []:
        if term.qualifier == "+" and f"{term.name}:{term.value}".lower().removesuffix(":") == wanted:
            return True
        if term.name == "all" and term.qualifier != "=":
            return False
    return False
