"""A header that is not ASCII is noticed while the message comes, and its body may be what it likes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emailgency.codec.mime.eight_bit import HeaderLook
from emailgency.codec.mime.headers import header_end
from tests.support.growth import grows_linearly


def found(*pieces: bytes) -> bool:
    look = HeaderLook()
    for piece in pieces:
        look.feed(piece)
    return look.found


@pytest.mark.parametrize(
    ("message", "eight_bit"),
    [
        (b"A: b\r\n\r\n\xe9", False),
        (b"A: \xe9\r\n\r\n", True),
        (b"A: b\n\n\xe9", False),
        (b"A: b\n\r\n\xe9", False),
        (b"\r\n\xe9", False),
        (b"\n\xe9", False),
        (b"A: b\r\n\xe9", True),
        (b"\xe9", True),
        (b"", False),
    ],
)
def test_the_header_counts_and_not_the_body(message: bytes, eight_bit: bool) -> None:
    assert found(message) is eight_bit
    assert found(*(bytes([octet]) for octet in message)) is eight_bit


@given(st.lists(st.text("a\r\n\x80", max_size=4), max_size=8))
def test_pieces_tell_what_the_whole_tells(texts: list[str]) -> None:
    pieces = [text.encode("latin-1") for text in texts]
    whole = b"".join(pieces)
    assert found(*pieces) is found(whole) is (not whole[: header_end(whole, 0, len(whole))].isascii())


def test_attack_25_looking_is_linear() -> None:
    def look(pieces: list[bytes]) -> bool:
        return found(*pieces)

    assert grows_linearly(look, [b"a\n"] * 20_000, [b"a\n"] * 80_000)
