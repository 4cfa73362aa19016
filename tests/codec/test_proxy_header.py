"""PROXY headers of HAProxy and others, whole and octet by octet."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emailgency.codec.proxy import Header, Malformed, parse

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
V4 = SIGNATURE + b"\x21\x11\x00\x0c" + bytes([203, 0, 113, 7, 192, 0, 2, 1, 0x12, 0x34, 0, 25])
V4_TLV = SIGNATURE + b"\x21\x11\x00\x10" + bytes([203, 0, 113, 7, 192, 0, 2, 1, 0x12, 0x34, 0, 25]) + b"\x04\x00\x01x"
V6 = SIGNATURE + b"\x21\x21\x00\x24" + bytes.fromhex("20010db8000000000000000000000007") * 2 + b"\x12\x34\x00\x19"

GOOD = [
    (b"PROXY TCP4 203.0.113.7 192.0.2.1 4711 25\r\n", "203.0.113.7"),
    (b"PROXY TCP6 2001:db8::7 2001:db8::1 4711 25\r\n", "2001:db8::7"),
    (b"PROXY UNKNOWN\r\n", None),
    (b"PROXY UNKNOWN ff::1 ff::2 1 2\r\n", None),
    (V4, "203.0.113.7"),
    (V4_TLV, "203.0.113.7"),
    (V6, "2001:db8::7"),
    (SIGNATURE + b"\x20\x00\x00\x00", None),
    (SIGNATURE + b"\x21\x00\x00\x00", None),
]


@pytest.mark.parametrize(("octets", "source"), GOOD)
def test_a_good_header_names_the_client_and_ends_where_it_ends(octets, source):
    for length in range(len(octets)):
        assert parse(octets[:length]) is None
    assert parse(octets) == parse(octets + b"EHLO x\r\n") == Header(source, len(octets))


@pytest.mark.parametrize(
    "octets",
    [
        b"EHLO x\r\n",
        b"PROXY\r\n",
        b"PROXY \r\n",
        b"PROXY TCP4\r\n",
        b"PROXY TCP4 1.2.3 1.2.3.4 1 2\r\n",
        b"PROXY TCP4 1.2.3.4 1.2.3.4 x 2\r\n",
        b"PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n",
        b"PROXY TCP4 ::1 ::1 1 2\r\n",
        b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n",
        b"PROXY TCP4  1.2.3.4 1.2.3.4 1 2\r\n",
        b"PROXY " + b"x" * 101,
        b"PROXY TCP4 1.2.3.4 1.2.3.4 1 \xb2\r\n",
        V4.replace(b"\x21\x11", b"\x11\x11"),
        V4.replace(b"\x21\x11", b"\x22\x11"),
        V4.replace(b"\x21\x11", b"\x21\x12"),
        V4.replace(b"\x21\x11", b"\x21\x21"),
        SIGNATURE + b"\x21\x11\xff\xff",
        SIGNATURE + b"\x21\x11\x00\x04" + bytes(4),
    ],
)
def test_attack_38_anything_else_is_malformed(octets):
    with pytest.raises(Malformed):
        parse(octets)


@given(st.binary(max_size=60), st.sampled_from([b"", b"PROXY TCP4 ", SIGNATURE + b"\x21\x11"]))
def test_whatever_comes_is_a_header_or_malformed_or_too_short(octets, start):
    try:
        header = parse(start + octets)
    except Malformed:
        return
    assert header is None or header.length <= len(start + octets)
