"""Alternate-domain labels (row A9)."""

from itertools import islice

import idna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emailgency.rules.labels import RESERVED, labels


def first(domain: str, count: int = 1) -> list[str]:
    return list(islice(labels(domain), count))


def test_dots_go() -> None:
    assert first("mydomain.zz") == ["mydomainzz"]
    assert first("my.sub-domain.co.zz") == ["mysub-domaincozz"]


def test_attack_44_who_comes_second_gets_a_suffix() -> None:
    assert first("a.bc", 3) == first("ab.c", 3) == ["abc", "abc-2", "abc-3"]


def test_reserved_words_are_never_given() -> None:
    assert first("ww.w") == ["www-2"]
    assert first("post.master") == ["postmaster-2"]
    assert "www" in RESERVED


def test_international_names_are_one_a_label() -> None:
    (label,) = first("xn--exmple-cua.zz")
    assert idna.decode(label) == "exämplezz"


def test_a_name_cannot_pretend_to_be_international() -> None:
    assert first("x.n--abc.zz") == ["xnabczz"]


@pytest.mark.parametrize("domain", ["a" * 63 + ".zz", ".".join(["a" * 60] * 4), "xn--" + "a" * 20 + ".zz"])
def test_labels_fit(domain: str) -> None:
    for label in first(domain, 12):
        assert len(label) <= 63
        assert not label.startswith("-")
        assert not label.endswith("-")


@settings(max_examples=150, deadline=None)
@given(st.lists(st.text(alphabet="abcéüßжمهא中-1", min_size=1, max_size=30), min_size=2, max_size=4))
def test_every_domain_gets_distinct_valid_labels(parts: list[str]) -> None:
    try:
        domain = idna.encode(".".join(parts), uts46=True).decode("ascii")
    except idna.IDNAError:
        return
    found = first(domain, 4)
    assert len(set(found)) == 4
    for label in found:
        assert 0 < len(label) <= 63
        assert label not in RESERVED
        assert set(label) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
