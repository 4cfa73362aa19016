"""Signatures that others find good, and that hold for nothing but what was signed."""

import re
from itertools import pairwise

import dkim as dkimpy
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st

from emailgency.codec.canonical import BodyHash
from emailgency.codec.dkim import announces, record, signature

KEY = rsa.generate_private_key(65537, 2048)
HEADER = (
    b"From: Paul <paul@mydomain.zz>\r\nTo: anna@far.example,\r\n\tbert@far.example\r\nSubject:   many   blanks \r\n"
    b"Date: Sun, 22 Nov 2026 13:00:00 +0000\r\nMessage-ID: <1@mydomain.zz>\r\nX-Other: not signed\r\n"
)


def signed(header: bytes, body: bytes) -> bytes:
    whole = BodyHash()
    whole.feed(body)
    field = signature(header, whole.digest(), domain="mydomain.zz", selector="eg1", key=KEY, at=1_700_000_000)
    return field + header + b"\r\n" + body


def good(message: bytes) -> bool:
    """What dkimpy says of it."""
    return bool(dkimpy.verify(message, dnsfunc=lambda name, timeout=5: record(KEY).encode()))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\r\n",
        b"\r\n\r\n\r\n",
        b"text\r\n",
        b"text without end",
        b"text  with \t blanks \t\r\n\r\n \t\r\nmore\r\n\r\n\r\n",
        b"\r\n\r\nlater\r\n",
        b"eight bits \xc3\xa4\r\n",
    ],
)
def test_another_program_finds_the_signature_good(body: bytes) -> None:
    message = signed(HEADER, body)
    assert good(message)
    assert max(map(len, message[: message.index(b"From:")].split(b"\r\n"))) <= 100


def test_what_travel_does_to_blanks_does_not_matter() -> None:
    message = signed(HEADER, b"a  b \r\n")
    assert good(message.replace(b"many   blanks", b"many blanks").replace(b"a  b", b"a b"))


@pytest.mark.parametrize("change", [(b"Paul <paul@", b"Mary <mary@"), (b"anna@", b"anne@"), (b"hello", b"hullo")])
def test_what_is_changed_is_no_longer_good(change: tuple[bytes, bytes]) -> None:
    assert not good(signed(HEADER, b"hello\r\n").replace(*change))


@pytest.mark.parametrize("field", [b"From: mary@mydomain.zz\r\n", b"Subject: pay me\r\n", b"To: you@far.example\r\n"])
def test_attack_43_a_second_field_cannot_be_put_in(field: bytes) -> None:
    message = signed(HEADER, b"hello\r\n")
    assert good(message)
    assert not good(field + message)
    assert not good(message.replace(b"X-Other", field + b"X-Other"))


def test_fields_that_repeat_are_signed_from_below() -> None:
    assert good(signed(HEADER + b"References: <a@b>\r\nReferences: <c@d>\r\n", b"x\r\n"))


def test_a_field_that_was_signed_as_missing_may_not_be_added() -> None:
    header = b"From: paul@mydomain.zz\r\nDate: Sun, 22 Nov 2026 13:00:00 +0000\r\n"
    assert good(signed(header, b"x\r\n"))
    assert not good(b"Subject: added\r\n" + signed(header, b"x\r\n"))


TEXT = st.lists(st.sampled_from([b" ", b"\t", b"a", b"\r\n", b".", b"\r\n\r\n", b"\n", b"\r"]), max_size=60).map(
    b"".join
)


@given(TEXT, st.lists(st.integers(0, 120), max_size=6))
def test_the_body_counts_the_same_however_it_is_cut(body: bytes, cuts: list[int]) -> None:
    whole, pieces = BodyHash(), BodyHash()
    whole.feed(body)
    bounds = sorted({0, len(body), *(min(cut, len(body)) for cut in cuts)})
    for start, end in pairwise(bounds):
        pieces.feed(body[start:end])
    assert pieces.digest() == whole.digest()


def test_a_record_is_known_again_however_the_dns_cuts_and_spaces_it() -> None:
    ours = record(KEY)
    spaced = re.sub("p=(.{30})", r"p= \1 ", ours)
    assert announces(ours, ours)
    assert announces(spaced, ours)
    other = record(rsa.generate_private_key(65537, 2048))
    assert not any(announces(text, ours) for text in ("", "v=spf1 -all", "v=DKIM1; p=", "p", other))
    assert not announces("v=DKIM1; p=", "v=DKIM1; p=")  # a key that was taken back
