"""Subject and Message-ID of a message that comes in, for whoever looks for it later."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emailgency.codec.trace import HeaderScan
from tests.support.growth import grows_linearly


def headline(header: bytes, *cuts: int) -> tuple[str, str]:
    scan = HeaderScan()
    at = 0
    for cut in (*sorted(cuts), len(header)):
        scan.feed(header[at:cut])
        at = cut
    return scan.headline()


@pytest.mark.parametrize(
    ("header", "subject", "id"),
    [
        (b"Subject: hello\r\nMessage-ID: <1@x>\r\n\r\n", "hello", "1@x"),
        (b"message-id:\r\n <2@x>\r\nSUBJECT :  a\r\n\tb  c\r\n\r\n", "a b c", "2@x"),
        (b"From: a@b\r\n\r\nSubject: in the body\r\n", "", ""),
        (b"Subject: first\r\nSubject: second\r\n\r\n", "first", ""),
        (b"X-Subject: no\r\nSubject:\r\nMessage-Id: bare\r\n\r\n", "", "bare"),
        (b"Subject: =?utf-8?q?Caf=C3=A9?= \xc3\xa9 \xff\r\n\r\n", "=?utf-8?q?Caf=C3=A9?= é \ufffd", ""),
        (b"Subject: " + b"x" * 5000 + b"\r\nMessage-ID: <" + b"y" * 999 + b">\r\n\r\n", "x" * 1000, "y" * 250),
        (b"", "", ""),
    ],
)
def test_what_people_look_for_is_read(header: bytes, subject: str, id: str) -> None:
    assert headline(header) == (subject, id)


@given(st.lists(st.integers(0, 80), max_size=6))
def test_it_is_the_same_however_it_is_cut(cuts: list[int]) -> None:
    header = b"A: b\r\nSubject: one\r\n two\r\nMessage-ID: <1@x>\r\n\r\nSubject: body\r\n"
    assert headline(header, *cuts) == ("one two", "1@x")


def test_attack_25_a_hostile_header_takes_linear_time() -> None:
    for part in (
        b"S",
        b"\r\nSubject",
        b"\r\nSubject: \r\n ",
        b"\r\nMessage-ID" + b" " * 200,
        b"\r\nSubject" + b"\t" * 99,
    ):

        def scanned(times: int, part: bytes = part) -> HeaderScan:
            scan = HeaderScan()
            scan.feed(part * (times * 50_000 // len(part)))
            return scan

        assert grows_linearly(HeaderScan.headline, scanned(1), scanned(4)), part
