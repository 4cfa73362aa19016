"""Content-Transfer-Encodings: decoded the same wherever the octets are cut, in linear time, holding little back."""

from base64 import encodebytes
from quopri import encodestring
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emailgency.codec.mime import transfer
from tests.support.growth import grows_linearly

KNOWN = (b"base64", b"quoted-printable", b"7bit", b"8bit", b"binary", b"")
_PIECES = st.lists(
    st.sampled_from(
        [b"=", b"==", b"=4", b"=41", b"=zz", b"=\r\n", b"=\n", b"=\r", b"= \r\n", b" ", b"\t", b"   \r\n", b"\r\n",
         b"\n", b"\r", b"a", b"QUJD", b"YQ==", b"\0", b"\xff", b"-", b" " * 997, b" " * 500, b" " * 1200]
    ),
    max_size=12,
)  # fmt: skip


def decode(encoding: bytes, *pieces: bytes) -> bytes:
    decoder = transfer.decoder(encoding)
    assert decoder is not None
    return b"".join([*[decoder.feed(piece) for piece in pieces], decoder.end()])


@pytest.mark.parametrize("encoding", KNOWN)
@given(pieces=_PIECES)
def test_the_result_is_the_same_wherever_the_octets_are_cut(encoding: bytes, pieces: list[bytes]) -> None:
    whole = decode(encoding, b"".join(pieces))
    assert decode(encoding, *pieces) == whole
    assert decode(encoding, *[bytes((octet,)) for octet in b"".join(pieces)]) == whole


@given(st.binary(max_size=3000), st.integers(1, 200))
def test_what_was_encoded_is_decoded(octets: bytes, size: int) -> None:
    for encoding, encoded in ((b"BASE64", encodebytes(octets)), (b"Quoted-Printable", encodestring(octets))):
        pieces = [encoded[at : at + size] for at in range(0, len(encoded), size)]
        assert decode(encoding, *pieces) == octets


@pytest.mark.parametrize(
    ("encoding", "octets", "decoded"),
    [
        (b"base64", b"SGVs\r\nbG8=\r\n", b"Hello"),
        (b"base64", b"SGVsbG8", b"Hello"),
        (b"base64", b"SGVsbG8=SGVsbG8=", b"Hello"),
        (b"base64", b"S-G!V\0s bG\xff8", b"Hello"),
        (b"base64", b"SGVsb", b"Hel"),
        (b"base64", b"=", b""),
        (b"quoted-printable", b"a=20=\r\n b  \r\n", b"a  b\r\n"),
        (b"quoted-printable", b"Gr=c3=BC=C3=9Fe =\n!", b"Gr\xc3\xbc\xc3\x9fe !"),
        (b"quoted-printable", b"a=3D41", b"a=41"),
        (b"quoted-printable", b"a==41", b"a=A"),
        (b"quoted-printable", b"a=zz=4", b"a=zz=4"),
        (b"quoted-printable", b"a=\rb\nc", b"a=\rb\nc"),
        (b"quoted-printable", b"a=", b"a"),
        (b"8bit", b"\xff\r\n=41", b"\xff\r\n=41"),
    ],
)
def test_broken_encodings_lose_as_little_as_can_be(encoding: bytes, octets: bytes, decoded: bytes) -> None:
    assert decode(encoding, octets) == decoded


@pytest.mark.parametrize("encoding", [b"x-uuencode", b"uuencode", b"gzip", b"base64 ", b"nonsense"])
def test_an_encoding_we_do_not_know_is_said_to_be_so(encoding: bytes) -> None:
    assert transfer.decoder(encoding) is None


@pytest.mark.parametrize(
    "octets", [b" ", b"=", b"=\r", b"==", b"=4", b"a \t", b"\r", b" \r", b"=\r\n", b"QUJD", b"\xff"]
)
@pytest.mark.parametrize("encoding", [b"base64", b"quoted-printable"])
def test_attack_25_decoding_is_linear_and_holds_little_back(encoding: bytes, octets: bytes) -> None:
    def work(size: int) -> None:
        decoder = transfer.decoder(encoding)
        assert decoder is not None
        piece = (octets * 65536)[:65536]
        for _ in range(size):
            decoder.feed(piece)
            assert len(vars(decoder)["_rest"]) <= transfer.HELD
        decoder.end()

    assert grows_linearly(work, 4, 16)


def test_random_octets_are_decoded_in_pieces_as_in_one() -> None:
    octets = Random(7).randbytes(300_000)
    for encoding in (b"base64", b"quoted-printable"):
        pieces = [octets[at : at + 65536] for at in range(0, len(octets), 65536)]
        assert decode(encoding, *pieces) == decode(encoding, octets)
