"""Text of strangers on paper: whatever it is, a sheet comes out, and says what it can."""

import re
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emailgency.codec.sheet_pdf import Sheet

HOSTILE = (
    "\x00\x1b[31m\u202e\u2066 {nb} %s **bold** <b>x</b> \\( ) /Type /Page endobj \ud800",
    "日本語 العربية עברית 🎉",
    "W" * 5000,
    " " * 3000,
    "a\nb\rc\u2028d",
    "",
)


def sheet(*values: str) -> bytes:
    made = Sheet("Where is it?", "as of now", 1_795_366_806.0, "en")
    for value in values:
        made.heading(value)
        made.small_heading(value)
        made.pairs([("From", value), (value, "To"), ("nothing", "")])
        made.table(["When", "For", "What", "Words"], (18, 24, 18, 40), [[value] * 4, ["a", "b", "c", value]])
    return made.octets("marks")


def drawn(octets: bytes) -> bytes:
    """What the streams of a file hold."""
    streams = re.findall(rb"stream\n(.*?)\nendstream", octets, re.DOTALL)
    return b"".join(zlib.decompress(one) for one in streams if one[:1] == b"x")


@pytest.mark.parametrize("value", HOSTILE)
def test_attack_21_no_text_breaks_a_sheet(value: str) -> None:
    octets = sheet(value)
    assert octets.startswith(b"%PDF-")
    assert octets.rstrip().endswith(b"%%EOF")
    assert b"/JavaScript" not in octets
    assert b"/URI" not in octets


@settings(max_examples=4, deadline=None)  # 0.3 s each
@given(st.text(max_size=60))
def test_any_text_will_do(value: str) -> None:
    assert sheet(value).startswith(b"%PDF-")


def test_letters_of_many_scripts_are_shown_as_they_are() -> None:
    plain, marked = sheet("Café Straße Привет Ελλάδα tiếng Việt"), sheet("日本")
    assert drawn(plain) != drawn(marked)
    assert len(drawn(plain)) > 1000
