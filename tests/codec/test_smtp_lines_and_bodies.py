"""Octets of commands and messages, however they are cut."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emailgency.codec.smtp.body import BARE_LINE_END, LONG_LINE, NUL_IN_MESSAGE, ChunkReader, DataReader
from emailgency.codec.smtp.lines import LineBuffer
from emailgency.codec.smtp.reply import ProtocolError
from tests.support.growth import grows_linearly


def read_data(pieces, line_limit=1000):
    """What a DataReader makes of the pieces: message, what came behind its end, fault."""
    reader, message, rest = DataReader(line_limit), [], None
    for piece in pieces:
        if rest is not None:
            rest += piece
            continue
        octets, rest = reader.feed(piece)
        message.append(octets)
    return b"".join(message), rest, reader.fault


def every_way(octets):
    yield [octets]
    yield [octets[i : i + 1] for i in range(len(octets))]
    for cut in range(1, len(octets)):
        yield [octets[:cut], octets[cut:]]


DATA = [
    (b".\r\n", b"", b""),
    (b"a\r\n.\r\n", b"a\r\n", b""),
    (b"\r\n.\r\n", b"\r\n", b""),
    (b"..\r\n.\r\nQUIT\r\n", b".\r\n", b"QUIT\r\n"),
    (b".a\r\n...b\r\n.\r\n", b"a\r\n..b\r\n", b""),
    (b"a\r\n..\r\n.\r\n.\r\n", b"a\r\n.\r\n", b".\r\n"),
    (b"a.\r\n.\r\n", b"a.\r\n", b""),
    (b"a\r\n\r\n\r\n.\r\nx", b"a\r\n\r\n\r\n", b"x"),
]


@pytest.mark.parametrize(("octets", "message", "rest"), DATA)
def test_data_is_the_same_however_it_is_cut(octets, message, rest):
    for pieces in every_way(octets):
        assert read_data(pieces) == (message, rest, None)


NO_END = [
    b"a\n.\n",
    b"a\n.\r\n",
    b"a\r\n.\n",
    b"a\r.\r",
    b"a\r\n.\r",
    b"a\r.\r\n",
    b"a\n\r.\r\n",
    b"a\r\r\n.\r\r\n",
    b"a\r\n\0.\r\n",
    b"a\r\n.\0\r\n",
    b"a\r\n. \r\n",
    b"a\n.\r\r\n",
    b"a\x85.\x85",
    b"a\r\n.\x0b\r\n",
]


@pytest.mark.parametrize("octets", NO_END)
def test_attack_01_only_crlf_dot_crlf_ends_data(octets):
    for pieces in every_way(octets + b"MAIL FROM:<x@y.zz>\r\n.\r\n"):
        message, rest, fault = read_data(pieces)
        assert rest == b""
        assert fault in (BARE_LINE_END, NUL_IN_MESSAGE) or b"MAIL" in message


@pytest.mark.parametrize(
    ("octets", "fault"),
    [
        (b"a\nb\r\n.\r\n", BARE_LINE_END),
        (b"a\rb\r\n.\r\n", BARE_LINE_END),
        (b"a\r\r\n.\r\n", BARE_LINE_END),
        (b"\n\r\n.\r\n", BARE_LINE_END),
        (b".\n\r\n.\r\n", BARE_LINE_END),
        (b"a\0b\r\n.\r\n", NUL_IN_MESSAGE),
        (b"a" * 1001 + b"\r\n.\r\n", LONG_LINE),
        (b"x\r\n" + b"a" * 1001 + b"\r\nx\r\n.\r\n", LONG_LINE),
        (b"a" * 1000 + b"\r\n.\r\n", None),
    ],
)
def test_an_unfit_message_is_read_to_its_end_and_named_so(octets, fault):
    for pieces in ([octets], [octets[i : i + 1] for i in range(len(octets))], [octets[:700], octets[700:]]):
        message, rest, found = read_data(pieces)
        assert (rest, found) == (b"", fault)
        assert not (fault and message.endswith(octets[:-3]))


@given(st.lists(st.text("a.\r\n", max_size=12), max_size=8), st.lists(st.integers(0, 60), max_size=6))
def test_what_a_client_stuffs_comes_out_as_it_was(lines, cuts):
    lines = [line.replace("\r", "").replace("\n", "") for line in lines]
    message = "".join(f"{line}\r\n" for line in lines).encode()
    wire = (
        "".join(f".{line}\r\n" if line.startswith(".") else f"{line}\r\n" for line in lines).encode() + b".\r\nNOOP\r\n"
    )
    places = [0, *sorted(min(cut, len(wire)) for cut in cuts), len(wire)]
    pieces = [wire[a:b] for a, b in pairwise(places)]
    assert read_data(pieces) == (message, b"NOOP\r\n", None)


@given(st.binary(max_size=200), st.lists(st.integers(0, 210), max_size=6))
def test_whatever_comes_means_the_same_however_it_is_cut(octets, cuts):
    octets += b"\r\n.\r\n"
    places = [0, *sorted(min(cut, len(octets)) for cut in cuts), len(octets)]
    whole, parts = read_data([octets]), read_data([octets[a:b] for a, b in pairwise(places)])
    assert (whole[1] is None) == (parts[1] is None)
    assert (whole[2] is None) == (parts[2] is None)
    if whole[2] is None:
        assert whole == parts


@pytest.mark.parametrize("size", [1, 3, 7, 1000])
def test_chunks_are_counted_and_checked_as_data_is(size):
    message = b"line one\r\n.\r\n..dots stay\r\nlast\r\n"
    reader, out = ChunkReader(1000), b""
    for at in range(0, len(message), size):
        chunk = message[at : at + size]
        reader.start(len(chunk))
        octets, rest = reader.feed(chunk + b"BDAT")
        assert rest == b"BDAT"
        out += octets
    assert out + reader.finish() == message
    assert reader.fault is None


@pytest.mark.parametrize(("message", "whole"), [(b"a", b"a\r\n"), (b"", b""), (b"a\r\n", b"a\r\n")])
def test_chunks_end_in_a_whole_line(message, whole):
    reader = ChunkReader(1000)
    reader.start(len(message))
    octets, _ = reader.feed(message)
    assert octets + reader.finish() == whole


@pytest.mark.parametrize("message", [b"a\r", b"a\rb\r\n", b"a\nb\r\n", b"\n"])
def test_attack_01_chunks_with_bare_line_ends_are_unfit(message):
    for size in (1, len(message)):
        reader = ChunkReader(1000)
        for at in range(0, len(message), size):
            reader.start(len(message[at : at + size]))
            reader.feed(message[at : at + size])
        reader.finish()
        assert reader.fault == BARE_LINE_END


def read_lines(pieces, limit=20):
    buffer, found = LineBuffer(), []
    for piece in pieces:
        buffer.put(piece)
        try:
            while (line := buffer.line(limit)) is not None:
                found.append(line)
        except ProtocolError as error:
            found.append(error.verdict.enhanced)
            if error.close:
                return [*found, "closed"]
            try:
                while (line := buffer.line(limit)) is not None:
                    found.append(line)
            except ProtocolError as again:
                return [*found, again.verdict.enhanced]
    return found


@pytest.mark.parametrize(
    ("octets", "lines"),
    [
        (b"NOOP\r\nRSET\r\n", [b"NOOP", b"RSET"]),
        (b"\r\n", [b""]),
        (b"a" * 18 + b"\r\nb\r\n", [b"a" * 18, b"b"]),
        (b"a" * 19 + b"\r\nb\r\n", ["5.5.6", b"b"]),
        (b"a" * 100 + b"\r\nb\r\n", ["5.5.6", b"b"]),
        (b"NOOP\nb\r\n", ["5.5.2", "closed"]),
        (b"NO\rOP\r\n", ["5.5.2", "closed"]),
        (b"\nb\r\n", ["5.5.2", "closed"]),
        (b"a" * 100 + b"\nb\r\n", ["5.5.2", "closed"]),
    ],
)
def test_lines_are_the_same_however_they_are_cut(octets, lines):
    for pieces in every_way(octets):
        assert read_lines(pieces) == lines


def test_attack_03_a_line_that_never_ends_costs_no_memory():
    buffer = LineBuffer()
    for _ in range(1000):
        buffer.put(b"a" * 65536)
        assert buffer.line(2048) is None
        assert len(buffer) == 0


@pytest.mark.parametrize(
    "unit", [b"a" * 70 + b"\r\n", b".\r\r\n", b"\r", b"\r\n", b"\r\n..", b"a", b".", b"\r\n.\r", b"\0"], ids=repr
)
@pytest.mark.parametrize("piece", [1, 65536])
def test_the_time_of_a_message_grows_as_its_size(unit, piece):
    octets = unit * ((5_000 if piece == 1 else 500_000) // len(unit))

    def work(octets):
        read_data([octets[at : at + piece] for at in range(0, len(octets), piece)], 1 << 20)

    assert grows_linearly(work, octets, octets * 4)
