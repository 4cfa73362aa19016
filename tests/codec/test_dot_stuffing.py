"""Bodies on their way out: no line of theirs ends the message (RFC 5321 section 4.5.2)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emailgency.codec.smtp.dot_stuffing import DotStuffer

CHUNK = 1 << 16  # what the courier reads at a time


def undotted(stuffed):
    """What a strict receiver makes of it: the body, and what is left after the end of data."""
    body, end, rest = (b"\r\n" + stuffed).partition(b"\r\n.\r\n")
    assert end
    return (body + b"\r\n").replace(b"\r\n..", b"\r\n.")[2:], rest


@pytest.mark.parametrize(
    ("body", "received"),
    [
        (b"", b""),
        (b".", b".\r\n"),
        (b".\r\n", b".\r\n"),
        (b"..\r\n.\r\n", b"..\r\n.\r\n"),
        (b"a", b"a\r\n"),
        (b"a\r\n.\r\nMAIL FROM:<x@y>\r\n", b"a\r\n.\r\nMAIL FROM:<x@y>\r\n"),
        (b"a\n.\nb\r.\rc\r\n", b"a\r\n.\r\nb\r\n.\r\nc\r\n"),
        (b"a\r\r\n.\r\r\nb", b"a\r\n\r\n.\r\n\r\nb\r\n"),
        (b"a\r", b"a\r\n"),
    ],
)
def test_the_receiver_gets_the_body_and_nothing_else(body, received):
    for size in range(1, len(body) + 2):
        stuffer = DotStuffer()
        stuffed = b"".join(stuffer.encode(body[i : i + size]) for i in range(0, len(body), size))
        assert undotted(stuffed + stuffer.encode(b"", last=True)) == (received, b"")


@given(st.lists(st.sampled_from([b"\r", b"\n", b".", b"\r\n", b"x", b"\r\n.\r\n"])), st.data())
def test_no_body_ends_early_wherever_it_is_cut(parts, data):
    body = b"".join(parts)
    whole = DotStuffer().encode(body, last=True)
    _, rest = undotted(whole)
    assert rest == b""
    stuffer, out, at = DotStuffer(), [], 0
    while at < len(body):
        step = data.draw(st.integers(1, 5))
        out.append(stuffer.encode(body[at : at + step]))
        at += step
    assert b"".join(out) + stuffer.encode(b"", last=True) == whole


def test_attack_02_a_dot_line_at_every_chunk_offset_ends_no_message():
    """Three bodies of lines "." put one at each of 70,000 offsets; cut at 64 KiB and anywhere near it, one message."""
    for shift in range(3):
        body = b"x" * shift + b"\r\n" + b".\r\n" * 23_334
        for size in (CHUNK - 2, CHUNK - 1, CHUNK, CHUNK + 1, CHUNK + 2, 4096, 1021):
            stuffer = DotStuffer()
            out = b"".join(stuffer.encode(body[i : i + size]) for i in range(0, len(body), size))
            assert undotted(out + stuffer.encode(b"", last=True)) == (body, b"")
    for offset in range(CHUNK - 12, CHUNK + 4):
        body = b"x" * offset + b"\r\n.\r\nMAIL FROM:<ceo@bank.example>\r\n"
        stuffer = DotStuffer()
        out = stuffer.encode(body[:CHUNK]) + stuffer.encode(body[CHUNK:], last=True)
        assert undotted(out) == (body, b"")
