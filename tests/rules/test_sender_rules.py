"""SPF by pyspf without its own DNS, and DMARC: what is asked, what it says, what it may cost."""

import time

import pytest

from emailgency.codec import dmarc as record
from emailgency.model.authentication import DmarcPolicy
from emailgency.rules import spf
from emailgency.rules.dmarc import evaluate
from emailgency.rules.spf import QUESTIONS, Question, Spf

ZONE = {
    Question("a.zz", "TXT"): ("other", "v=spf1 include:b.zz mx ptr:a.zz exists:%{i}.x.a.zz -all"),
    Question("b.zz", "TXT"): ("v=spf1 ip4:10.0.0.0/8 ip6:2001:db8::/32 ?all",),
    Question("a.zz", "MX"): ("10 mx.a.zz", "20 mx2.a.zz"),
    Question("mx.a.zz", "A"): ("203.0.113.1",),
    Question("mx2.a.zz", "A"): ("203.0.113.2",),
    Question("3.113.0.203.in-addr.arpa", "PTR"): ("out.a.zz.",),
    Question("out.a.zz", "A"): ("203.0.113.3",),
    Question("203.0.113.4.x.a.zz", "A"): ("127.0.0.2",),
    Question("soft.zz", "TXT"): ("v=spf1 ~all",),
    Question("twice.zz", "TXT"): ("v=spf1 -all", "v=spf1 +all"),
    Question("void.zz", "TXT"): ("v=spf1 a:x.void.zz a:y.void.zz a:z.void.zz -all",),
    Question("dead.zz", "TXT"): None,
    Question("huge.zz", "TXT"): ("v=spf1 " + "ip4:192.0.2.1 " * 4000 + "-all",),
    Question("verbose.zz", "TXT"): ("x" * 5000, "v=spf1 +all"),
    Question("says.zz", "TXT"): ("v=spf1 -all exp=why.says.zz",),
}


def check(ip: str, sender: str, helo: str = "helo.zz", zone: dict = ZONE) -> tuple[Spf, int]:
    facts: dict = {}
    while isinstance(result := spf.check(ip, sender, helo, facts), Question):
        facts[result] = zone.get(result, ())
    return result, len(facts)


@pytest.mark.parametrize(
    ("ip", "sender", "result"),
    [
        ("10.1.1.1", "u@a.zz", "pass"),
        ("::ffff:10.1.1.1", "u@a.zz", "pass"),
        ("2001:db8::1", "u@a.zz", "pass"),
        ("203.0.113.2", "u@A.zz", "pass"),
        ("203.0.113.3", '"x@y"@a.zz', "pass"),
        ("203.0.113.4", "u@a.zz", "pass"),
        ("203.0.113.5", "u@a.zz", "fail"),
        ("203.0.113.5", "u@soft.zz", "softfail"),
        ("203.0.113.5", "u@nobody.zz", "none"),
        ("203.0.113.5", "u@twice.zz", "permerror"),
        ("203.0.113.5", "u@void.zz", "permerror"),
        ("203.0.113.5", "u@dead.zz", "temperror"),
        ("203.0.113.5", "u@huge.zz", "permerror"),
        ("203.0.113.5", "u@verbose.zz", "pass"),
        ("203.0.113.5", "u@[192.0.2.1]", "none"),
        ("203.0.113.5", "u@localhost", "none"),
        ("203.0.113.5", f"u@{'x' * 70}.zz", "none"),
    ],
)
def test_spf_says_what_the_records_say(ip: str, sender: str, result: str) -> None:
    assert check(ip, sender)[0].result == result


def test_the_null_sender_is_its_machine() -> None:
    assert check("203.0.113.5", "", "soft.zz")[0] == Spf("softfail", "soft.zz")
    assert check("203.0.113.5", "", "[203.0.113.5]")[0].result == "none"


def test_an_explanation_is_never_asked_for() -> None:
    assert check("203.0.113.5", "u@says.zz") == (Spf("fail", "says.zz"), 1)


def test_attack_29_questions_and_time_are_bounded() -> None:
    wide = {Question(f"d{n}.zz", "MX"): tuple(f"{i} m{i}.d{n}.zz" for i in range(10)) for n in range(10)}
    wide[Question("wide.zz", "TXT")] = ("v=spf1 " + " ".join(f"mx:d{n}.zz" for n in range(10)) + " -all",)
    for n in range(10):
        wide |= {Question(f"m{i}.d{n}.zz", "A"): ("192.0.2.1",) for i in range(10)}
    started = time.process_time()
    result, asked = check("203.0.113.5", "u@wide.zz", zone=wide)
    assert result.result == "permerror"
    assert asked <= QUESTIONS + 1
    assert time.process_time() - started < 5


def organisation(domain: str) -> str:
    return ".".join(domain.split(".")[-2:])


RELAXED = DmarcPolicy("reject", "quarantine")
STRICT = DmarcPolicy("reject", "none", strict_dkim=True, strict_spf=True)


@pytest.mark.parametrize(
    ("policy", "spf_", "signatures", "result"),
    [
        (None, ("pass", "far.zz"), [], "none"),
        (RELAXED, ("pass", "out.far.zz"), [], "pass"),
        (STRICT, ("pass", "out.far.zz"), [], "fail"),
        (RELAXED, ("pass", "other.zz"), [("pass", "other.zz")], "fail"),
        (RELAXED, ("fail", "far.zz"), [("fail", "far.zz"), ("pass", "a.far.zz")], "pass"),
        (STRICT, ("fail", "far.zz"), [("pass", "a.far.zz")], "fail"),
        (STRICT, ("fail", "far.zz"), [("pass", "www.far.zz")], "pass"),
        (RELAXED, ("temperror", "far.zz"), [("fail", "far.zz")], "temperror"),
        (RELAXED, ("pass", ""), [("policy", "far.zz")], "fail"),
    ],
)
def test_dmarc_wants_one_who_speaks_for_the_author(policy, spf_, signatures, result) -> None:
    checked = evaluate("www.far.zz", policy, "far.zz", spf_, signatures, organisation)
    assert checked.result == result
    if policy:
        assert ("policy.dmarc", policy.subdomains) in checked.properties


@pytest.mark.parametrize(
    ("records", "policy"),
    [
        ((), None),
        (("v=spf1 -all",), None),
        (("v=DMARC1; p=reject",), DmarcPolicy("reject", "reject")),
        (("v=DMARC1;p=none;sp=reject;adkim=s;aspf=s;pct=10",), DmarcPolicy("none", "reject", True, True)),
        (("v=DMARC1; p=none", "v=DMARC1; p=reject"), None),
        (("v=DMARC1; p=nonsense; rua=mailto:a@b.zz",), DmarcPolicy("none", "none")),
        (("v=DMARC1; p=nonsense",), None),
        (("v=DMARC10; p=none",), None),
        (("v=DMARC1; p=none; p=reject",), None),
        (("v=DMARC1; p=reject; x=" + "y" * 3000,), None),
    ],
)
def test_a_record_is_read_or_counts_as_none(records, policy) -> None:
    assert record.read(records) == policy
