"""From and Sender of submitted mail, read so that no two programs can read them differently."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emailgency.codec.originators import fields, mailboxes, without
from emailgency.model.errors import Invalid
from tests.support.growth import grows_linearly

GOOD = [
    (b" a@b.zz", ["a@b.zz"]),
    (b" Paul <a@b.zz>", ["a@b.zz"]),
    (b' "Smith, Paul (x) <c@d.zz>" <a@b.zz>', ["a@b.zz"]),
    (b" =?utf-8?q?P=C3=A4ul?= <A@B.zz>,\r\n\tc@d.zz", ["a@b.zz", "c@d.zz"]),
    (b" (a comment (nested \\) ) here) a@b.zz (another <c@d.zz>)", ["a@b.zz"]),
    (b" Team: a@b.zz, Paul <c@d.zz>;", ["a@b.zz", "c@d.zz"]),
    (b' "a b"@b.zz', ['"a b"@b.zz']),
    ("Zoë <zoë@b.zz>".encode(), ["zoë@b.zz"]),
    (b" J. Doe <a@b.zz>", ["a@b.zz"]),
    (b" ,a@b.zz,,", ["a@b.zz"]),
    (b"", []),
]


@pytest.mark.parametrize(("value", "addresses"), GOOD)
def test_plain_fields_are_read(value, addresses):
    assert [str(address) for address in mailboxes(value)] == addresses


@pytest.mark.parametrize(
    "value",
    [
        b"a@b.zz <c@d.zz>",
        b"a@b.zz c@d.zz",
        b"<a@b.zz><c@d.zz>",
        b"<a@b.zz",
        b"a@b.zz>",
        b"(a@b.zz",
        b'"a@b.zz',
        b"a@b.zz)",
        b"<@x.zz:a@b.zz>",
        b"a",
        b"<>",
        b"a@b@c.zz",
        b"<a@b.zz\0>",
        b"\xff@b.zz",
        b"a@b.zz: c@d.zz",
        b"<<a@b.zz>>",
        b"a@b.zz\rc@d.zz",
    ],
)
def test_attack_43_what_could_be_read_twofold_is_refused(value):
    with pytest.raises(Invalid):
        mailboxes(value)


@given(st.binary(max_size=100))
def test_whatever_it_is_it_is_read_or_refused(value):
    try:
        mailboxes(value)
    except Invalid:
        pass
    else:
        assert fields(b"From:" + value.replace(b"\r", b"").replace(b"\n", b"") + b"\r\n")[0][0] == "from"


HEADER = b"From: a\r\nBCC : b\r\n\tc\r\nTo: d\r\nBcc: e\r\n"


def test_fields_are_found_and_taken_out_with_their_folds():
    assert [name for name, _ in fields(HEADER)] == ["from", "bcc", "to", "bcc"]
    assert without(HEADER, frozenset({"bcc"})) == b"From: a\r\nTo: d\r\n"
    assert without(b"Bcc: x\r\nTo: d\r\n", frozenset({"bcc"})) == b"To: d\r\n"
    assert without(HEADER, frozenset({"x"})) is HEADER


@pytest.mark.parametrize("unit", [b"(", b"a ", b"\\", b'"', b"<", b"a@b.zz,", b"()", b"\r\n ", b"a", b": "], ids=repr)
def test_the_time_of_a_field_grows_as_its_size(unit):
    def work(value):
        with contextlib.suppress(Invalid):
            mailboxes(value)
        without(b"From:" + value, frozenset({"from"}))

    value = unit * (10_000 // len(unit))
    assert grows_linearly(work, value, value * 4)
