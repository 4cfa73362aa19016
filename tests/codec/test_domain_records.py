"""Records and policies that others publish: read as the RFCs say, whatever octets they are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emailgency.codec import mta_sts, spf_terms
from emailgency.codec.mta_sts import Mode, Policy
from emailgency.codec.spf_terms import Term

POLICY = b"version: STSv1\r\nmode: enforce\r\nmx: Mail.Example.org\r\nmx: *.example.net\r\nmax_age: 86400\r\n"


def test_a_policy_is_read() -> None:
    found = mta_sts.policy(POLICY)
    assert found == Policy(Mode.ENFORCE, ("mail.example.org", "*.example.net"), 86400)
    assert mta_sts.policy(POLICY.replace(b"\r\n", b"\n")) == found
    assert mta_sts.policy(POLICY + b"mode: none\r\nfuture: value\r\n") == found


def test_a_wildcard_is_one_label() -> None:
    found = mta_sts.policy(POLICY)
    assert found
    hosts = ("mail.example.org", "MX.Example.NET.", "example.net", "a.b.example.net", "example.org")
    assert [found.allows(host) for host in hosts] == [True, True, False, False, False]


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"<html>",
        POLICY.replace(b"STSv1", b"STSv2"),
        POLICY.replace(b"86400", b"-1"),
        POLICY.replace(b"86400", b"99999999999"),
        POLICY.replace(b"enforce", b"force"),
        b"version: STSv1\nmode: enforce\nmax_age: 1\n",
    ],
)
def test_what_is_no_policy_is_none(octets: bytes) -> None:
    assert mta_sts.policy(octets) is None


def test_the_record_names_an_id() -> None:
    assert mta_sts.record_id("v=STSv1; id=20260101T000000;") == "20260101T000000"
    for text in ("v=STSv1; id=", "v=STSv1", "v=STSv2; id=1", "id=1; v=STSv1", "v=STSv1; id=" + "a" * 33):
        assert mta_sts.record_id(text) is None


def test_terms_of_spf() -> None:
    assert spf_terms.terms("v=spf1 mx -ip4:192.0.2.0/24 a/24 include:x.zz redirect=y.zz ~all") == [
        Term("+", "mx"),
        Term("-", "ip4", "192.0.2.0/24"),
        Term("+", "a", "/24"),
        Term("+", "include", "x.zz"),
        Term("=", "redirect", "y.zz"),
        Term("~", "all"),
    ]
    assert spf_terms.terms("v=spf1 m!x") is None
    assert spf_terms.is_record("V=SPF1")
    assert not spf_terms.is_record("v=spf10 mx")


def test_a_mechanism_goes_before_what_ends_the_search() -> None:
    add = spf_terms.with_mechanism
    assert add("v=spf1 mx -all", "a:us.zz") == "v=spf1 mx a:us.zz -all"
    assert add("v=spf1 redirect=x.zz", "a:us.zz") == "v=spf1 a:us.zz redirect=x.zz"
    assert add("v=spf1 mx", "a:us.zz") == "v=spf1 mx a:us.zz"


@given(st.binary(max_size=300), st.text(max_size=200))
def test_any_octets_are_read_or_not(octets: bytes, text: str) -> None:
    mta_sts.policy(octets)
    mta_sts.policy(POLICY + octets)
    mta_sts.record_id(text)
    spf_terms.terms(text)
    assert "a:us.zz" in spf_terms.with_mechanism(text, "a:us.zz").split()
