"""Which mail a hold rule holds (row D1)."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emailgency.model.directory import HoldRule
from emailgency.model.errors import Invalid
from emailgency.rules.holds import checked, fits, holding


@pytest.mark.parametrize(
    ("pattern", "address", "does"),
    [
        ("", "anybody@x.zz", True),
        ("", "", True),
        ("anna@x.zz", "Anna@X.zz", True),
        ("anna@x.zz", "joanna@x.zz", False),
        ("x.zz", "anna@x.zz", True),
        ("@x.zz", "anna@x.zz", True),
        ("x.zz", "anna@sub.x.zz", False),
        ("*.x.zz", "anna@sub.x.zz", True),
        ("*@x.zz", "anna@x.zz", True),
        ("news*@x.zz", "newsletter@x.zz", True),
        ("a*b*c@x.zz", "aXbYc@x.zz", True),
        ("a*b*c@x.zz", "aXcYb@x.zz", False),
        ("ab*ba@x.zz", "aba@x.zz", False),
        ("*", "", True),
        ("<>", "", True),
        ("<>", "anna@x.zz", False),
        ("x.zz", "", False),
    ],
)
def test_a_pattern_is_an_address_or_a_domain_with_stars(pattern, address, does):
    assert fits(checked(pattern), address) is does


@given(st.text("ab*@.", max_size=12), st.text("ab", max_size=8), st.sampled_from(["a.b", "b.a"]))
def test_a_star_is_what_it_is_elsewhere(pattern, local, domain):
    pattern = checked(pattern.removeprefix("@"))
    if not pattern:
        return
    whole = f"{local}@{domain}" if "@" in pattern else domain
    if "@" in pattern and not pattern.startswith("@"):
        expected = re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), whole) is not None
        assert fits(pattern, f"{local}@{domain}") is expected


def test_many_stars_cost_no_more_than_they_are_long():
    pattern, started = checked("*a" * 150 + "b@x.zz"), time.process_time()
    for _ in range(200):
        assert not fits(pattern, "a" * 300 + "@x.zz")
    assert time.process_time() - started < 2.0


@pytest.mark.parametrize("pattern", ["a b@x.zz", "a\nb", "x" * 400])
def test_what_is_no_pattern_is_refused(pattern):
    with pytest.raises(Invalid):
        checked(pattern)


def test_a_rule_with_sender_and_recipient_holds_what_fits_both():
    both, everything = HoldRule(id="1", sender="x.zz", recipient="anna@y.zz"), HoldRule(id="2")
    assert holding([both], "s@x.zz", "anna@y.zz") is both
    assert holding([both], "s@x.zz", "paul@y.zz") is None
    assert holding([both, everything], "", "paul@y.zz") is everything
