"""POP3's stream becomes the same events however it is cut; commands are read as the RFCs have them."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emailgency.codec.pop3 import commands as c
from emailgency.codec.pop3 import responses
from emailgency.codec.pop3.connection import LINE, BadCommand, Connection, Event, Fatal, Line, Request
from emailgency.codec.pop3.top import Top
from tests.support.growth import grows_linearly


def events(*pieces: bytes) -> list[Event]:
    """What a server sees that expects a line behind each AUTH."""
    connection = Connection()
    seen: list[Event] = []
    for piece in pieces:
        connection.feed(piece)
        while (event := connection.next_event()) is not None:
            seen.append(event)
            if isinstance(event, Request) and isinstance(event.command, c.Auth):
                connection.expect_line()
    return seen


@pytest.mark.parametrize(
    ("line", "command"),
    [
        (b"USER paul@mydomain.zz", c.User("paul@mydomain.zz")),
        (b"user paul", c.User("paul")),
        ("USER jürgen".encode(), c.User("jürgen")),
        (b"PASS two  words ", c.Pass("two  words ")),
        (b"AUTH", c.Auth()),
        (b"AUTH plain", c.Auth("PLAIN")),
        (b"AUTH PLAIN =", c.Auth("PLAIN", b"=")),
        (b"LIST", c.List()),
        (b"LIST 007", c.List(7)),
        (b"UIDL 1 ", c.Uidl(1)),
        (b"RETR 4294967296", c.Retr(4294967296)),
        (b"TOP 1 0", c.Top(1, 0)),
        (b"Dele 3", c.Dele(3)),
        (b"QUIT ", c.Quit()),
    ],
)
def test_commands_are_read(line: bytes, command: c.Command) -> None:
    assert c.parse(line) == command


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b" USER x",
        b"APOP paul c4c9334bac560ecc979e58001b3e22fb",
        b"USER",
        b"USER \xff",
        b"PASS",
        b"RETR",
        b"RETR -1",
        b"RETR 1 2",
        b"RETR " + b"1" * 400,
        b"RETR \xd9\xa1",
        b"TOP 1",
        b"TOP 1 -1",
        b"LIST x",
        b"STAT 1",
        b"AUTH PLAIN a b",
        b"AUTH \x01",
        b"QUIT now",
    ],
)
def test_nonsense_is_no_command(line: bytes) -> None:
    with pytest.raises(c.ProtocolError):
        c.parse(line)


STREAM = (
    b"CAPA\r\nUSER paul\r\nPASS a b\r\nAUTH PLAIN\r\n*\r\nAUTH LOGIN =\r\ncGF1bA==\r\nnope\r\nTOP 1 5\r\n"
    b"PASS \0\r\nRETR x\r\nSTAT\r\nlone\nQUIT\r\n"
)


def test_a_stream_becomes_events() -> None:
    seen = events(STREAM)
    assert seen[:4] == [Request(c.Capa()), Request(c.User("paul")), Request(c.Pass("a b")), Request(c.Auth("PLAIN"))]
    assert seen[4:7] == [Line(b"*"), Request(c.Auth("LOGIN", b"=")), Line(b"cGF1bA==")]
    assert [type(event) for event in seen[7:]] == [BadCommand, Request, BadCommand, BadCommand, Request, Fatal]


@given(st.lists(st.integers(0, len(STREAM)), max_size=8))
def test_however_it_is_cut_the_events_are_the_same(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(STREAM)]
    assert events(*(STREAM[a:b] for a, b in itertools.pairwise(places))) == events(STREAM)


@given(st.binary(max_size=300), st.integers(0, 300))
def test_any_octets_are_survived_and_mean_the_same_in_two_pieces(octets: bytes, cut: int) -> None:
    octets = octets.replace(b"\xff", b"\r\n").replace(b"\xfe", b"RETR 1\r\n")
    assert events(octets[:cut], octets[cut:]) == events(octets)


@pytest.mark.parametrize("line", [b"STAT\n", b"STAT\rSTAT\r\n", b"\n", b"STAT\r\r\n"])
def test_only_crlf_ends_a_line(line: bytes) -> None:
    assert events(line + b"QUIT\r\n") == [Fatal("Lines end in CRLF.")]


def test_a_line_without_end_is_bounded_and_the_end() -> None:
    connection = Connection()
    connection.feed(b"x" * (LINE - 1))
    assert connection.next_event() is None
    connection.feed(b"x" * 2)
    assert connection.full
    assert isinstance(connection.next_event(), Fatal)
    connection.feed(b"QUIT\r\n")
    assert (connection.next_event(), connection.unread) == (None, 0)


def test_reading_is_linear() -> None:
    assert grows_linearly(events, b"NOOP\r\n" * 5000, b"NOOP\r\n" * 20000)
    assert grows_linearly(lambda octets: events(*(octets[at : at + 1] for at in range(len(octets)))), *lines(3000))


def lines(length: int) -> tuple[bytes, bytes]:
    return b"PASS " + b"x" * length, b"PASS " + b"x" * 4 * length


def shown(message: bytes, count: int, *cuts: int) -> bytes:
    top = Top(count)
    places = [0, *sorted(cuts), len(message)]
    out = b""
    for start, end in itertools.pairwise(places):
        if not top.done:
            out += top.take(message[start:end])
    return out


MESSAGE = b"A: b\r\nC: d\r\n\r\none\r\ntwo\r\n\r\nfour"


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (0, b"A: b\r\nC: d\r\n\r\n"),
        (1, b"A: b\r\nC: d\r\n\r\none\r\n"),
        (3, b"A: b\r\nC: d\r\n\r\none\r\ntwo\r\n\r\n"),
        (4, MESSAGE),
        (9999999999, MESSAGE),
    ],
)
def test_top_shows_the_header_and_so_many_lines(count: int, expected: bytes) -> None:
    assert shown(MESSAGE, count) == expected


@given(st.integers(0, 6), st.lists(st.integers(0, len(MESSAGE)), max_size=6))
def test_top_is_the_same_however_the_message_is_cut(count: int, cuts: list[int]) -> None:
    assert shown(MESSAGE, count, *cuts) == shown(MESSAGE, count)


def test_top_of_odd_messages() -> None:
    assert shown(b"\r\nbody\r\nmore\r\n", 1) == b"\r\nbody\r\n"
    assert shown(b"A: b\r\nno empty line", 0) == b"A: b\r\nno empty line"
    assert shown(b"", 5) == b""
    assert shown(b"A: b\n\none\ntwo\n", 1) == b"A: b\n\none\n"


def test_responses() -> None:
    assert responses.err("Taken.", "IN-USE") == b"-ERR [IN-USE] Taken.\r\n"
    assert responses.challenge(b"Username:") == b"+ VXNlcm5hbWU6\r\n"
    assert responses.challenge(b"") == b"+ \r\n"
    assert responses.many("x", ["a", "b"]) == b"+OK x\r\na\r\nb\r\n.\r\n"
