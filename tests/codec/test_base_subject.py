"""RFC 5256 section 2.1 and RFC 5051: subjects and strings as SORT and THREAD compare them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emailgency.codec.collation import casemap
from emailgency.codec.mime import sent_date, sort_keys
from emailgency.codec.mime.base_subject import BaseSubject, base_subject
from tests.support.growth import grows_linearly

SUBJECTS = {
    "hello": ("hello", False),
    "Re: hello": ("hello", True),
    "RE:Fwd: fW : hello": ("hello", True),
    "Re: [list] Re: hello (fwd)": ("hello", True),
    "hello (fwd) (FWD)  ": ("hello", True),
    "[list] hello": ("hello", False),
    "[list]": ("[list]", False),
    "[one] [two]": ("[two]", False),
    "Re: [list]": ("[list]", True),
    "Re[2]: hello": ("hello", True),
    "Re [a]: hello": ("hello", True),
    "[fwd: Re: hello]": ("hello", True),
    "[Fwd: [FWD: hello ] ]": ("hello", True),
    "[a] Re: [b] fw: hello": ("hello", True),
    "Reply: hello": ("Reply: hello", False),
    "fwd hello": ("fwd hello", False),
    "hello [list]": ("hello [list]", False),
    " \t a \r\n  b\tc ": ("a b c", False),
    "Re:": ("", True),
    "": ("", False),
    "(fwd)": ("", True),
    "[fwd:]": ("", True),
    "[[a]] b": ("[[a]] b", False),
}


@pytest.mark.parametrize("subject", SUBJECTS)
def test_what_a_subject_is_about(subject: str) -> None:
    assert base_subject(subject) == BaseSubject(*SUBJECTS[subject])


@given(st.lists(st.sampled_from(["re:", "Fwd:", "[a]", "[fwd:", "]", "(fwd)", " ", "x", "[", "Re[1]:", "ß", "İ"])))
def test_any_subject_has_a_base_that_is_its_own(words: list[str]) -> None:
    once = base_subject("".join(words)).text
    assert base_subject(once).text == once


@pytest.mark.parametrize("piece", ["[a]", "re:", "[fwd:", "(fwd)", "re", " ", "[", "[a] re ", "re [a]"])
def test_attack_27_subjects_cost_time_in_proportion(piece: str) -> None:
    assert grows_linearly(lambda text: base_subject(text + "x" + "]" * len(text)), piece * 4000, piece * 16_000)


def test_strings_compare_by_title_case_and_compatible_letters() -> None:
    assert casemap("hello") == casemap("HELLO") == "HELLO"
    assert casemap("Ärger") == casemap("äRGER") == casemap("A\u0308rger")
    assert casemap("\u01c6") == casemap("\u01c5") == casemap("\u01c4")  # dž in three cases
    assert casemap("ﬁ") == "fi"  # its title case is no single letter; then it is decomposed
    assert casemap("ß") == "ß"
    assert casemap("①") == "1"


DATES = {
    b"Fri, 20 Nov 2026 10:00:00 +0100": 1795165200,
    b"20 Nov 2026 10:00 -0130": 1795174200,
    b"20 Nov 26 09:00:00 GMT": 1795165200,
    b"20 Nov 2026 04:00:00 EST": 1795165200,
    b"20 Nov 2026 09:00:00": 1795165200,
    b"20 Nov 2026 25:00:00 +0000": 1795132800,
    b"20 Nov 2026": 1795132800,
    b"20 Nov 2026 09:00:00 +9999": 1795165200,
    b"20 Nov 2026 08:59:60 +0000": 1795165199,
    b"31 Feb 2026 09:00:00 +0000": None,
    b"some day": None,
    b"": None,
}


@pytest.mark.parametrize("value", DATES)
def test_when_it_was_sent(value: bytes) -> None:
    sent = sent_date.read(value)
    assert (None if sent is None else sent.at) == DATES[value]


@given(st.binary(max_size=60))
def test_any_octets_are_a_date_or_none(value: bytes) -> None:
    sent_date.read(b"1 Jan 2026 " + value)
    sort_keys.read(b"Date: " + value + b"\r\nReferences: " + value + b"\r\nFrom: " + value + b"\r\n\r\n")


def test_what_is_sorted_and_threaded_by() -> None:
    keys = sort_keys.read(
        b'From: "Zo\xc3\xab" <Anna@x.zz>, b@x.zz\r\nTo: team: c@x.zz;\r\nSubject: Re: =?utf-8?q?=C3=A4?=\r\n'
        b'Message-ID: <"a.b"@c>\r\nReferences: junk <1@x> <2@x>\r\n <3@x>\r\nIn-Reply-To: <9@x>\r\n\r\n'
    )
    assert (keys.sender, keys.to, keys.cc) == ("ANNA", "TEAM", "")
    assert (keys.shown_sender, keys.shown_to) == (casemap("Zoë"), "TEAM")
    assert (keys.subject, keys.reply) == (casemap("ä"), True)
    assert (keys.id, keys.references) == ("a.b@c", ("1@x", "2@x", "3@x"))
    assert (keys.day, keys.sent) == (None, None)
    assert sort_keys.read(b"In-Reply-To: <9@x> <8@x>\r\n\r\n").references == ("9@x",)
    assert sort_keys.read(b"From: a@b.zz\r\n\r\n").shown_sender == "A@B.ZZ"


def test_attack_27_of_endless_references_the_oldest_and_the_latest_count() -> None:
    header = b"References: " + b" ".join(b"<%d@x>" % number for number in range(20_000)) + b"\r\n\r\n"
    references = sort_keys.read(header).references
    assert len(references) == 1000
    assert references[:2] == ("0@x", "1@x")
    assert references[-1] == "19999@x"
