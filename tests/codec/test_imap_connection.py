"""The client's stream becomes the same events however it is cut, and nothing in it grows without bound."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emailgency.codec.imap import commands as c
from emailgency.codec.imap.connection import (
    AppendEnd,
    BadCommand,
    Connection,
    Event,
    Fatal,
    Limits,
    Line,
    LiteralChunk,
    NeedContinuation,
    NextMessage,
    Request,
)


class Client:
    """Feeds a connection and does what a server would do: accepts literals up to `most`, expects lines."""

    def __init__(self, authenticated: bool = True, limits: Limits | None = None, most: int = 1000) -> None:
        self.connection = Connection(limits)
        self.connection.authenticated = authenticated
        self.most = most
        self.events: list[Event] = []

    def send(self, octets: bytes) -> list[Event]:
        """The events that these octets make."""
        before = len(self.events)
        self.connection.feed(octets)
        while (event := self.connection.next_event()) is not None:
            if isinstance(event, LiteralChunk) and isinstance(self.events[-1], LiteralChunk):
                self.events[-1] = LiteralChunk(self.events[-1].octets + event.octets)
                continue
            self.events.append(event)
            message = _message(event)
            if message is not None:
                if message.size <= self.most:
                    self.connection.accept_literal()
                else:
                    self.connection.refuse_literal()
            if isinstance(event, Request) and isinstance(event.command, c.Idle | c.Authenticate):
                self.connection.expect_line()
        return self.events[before:]


def _message(event: Event) -> c.Append | None:
    """Whose literal is to be decided about."""
    if isinstance(event, NextMessage):
        return event.message
    command = event.command if isinstance(event, Request) else None
    return command.message if isinstance(command, c.Replace) else command if isinstance(command, c.Append) else None


def _append(size: int, synchronising: bool = False, tag: bytes = b"a") -> Request:
    return Request(tag, c.Append("x", (), None, size, synchronising))


NOOP = Request(b"b", c.Noop())


def test_a_synchronising_literal_is_asked_for() -> None:
    client = Client(authenticated=False)
    assert client.send(b"a LOGIN {4}\r\n") == [NeedContinuation()]
    assert client.send(b"anna {3}\r\n") == [NeedContinuation()]
    assert client.send(b"s") == []
    assert client.send(b"ec\r\n") == [Request(b"a", c.Login("anna", "sec"))]


def test_a_non_synchronising_literal_is_not_asked_for() -> None:
    assert Client().send(b"a LOGIN {4+}\r\nanna {0+}\r\n\r\n") == [Request(b"a", c.Login("anna", ""))]


def test_append_gives_the_command_before_its_octets() -> None:
    client = Client()
    assert client.send(b"a APPEND x {5}\r\n") == [_append(5, synchronising=True)]
    assert client.send(b"hel") == [LiteralChunk(b"hel")]
    client.events.append(NeedContinuation())  # keeps the next chunk apart
    assert client.send(b"lo\r\nb NOOP\r\n") == [LiteralChunk(b"lo"), AppendEnd(), NOOP]


def test_append_takes_a_literal_for_the_mailbox_name() -> None:
    client = Client()
    assert client.send(b"a APPEND {1}\r\n") == [NeedContinuation()]
    assert client.send(b'x (\\Seen a) " 1-Jan-2026 00:00:00 +0000" {2+}\r\nhi\r\n') == [
        Request(b"a", c.Append("x", ("\\Seen", "a"), 1767225600, 2, False)),
        LiteralChunk(b"hi"),
        AppendEnd(),
    ]


def test_an_empty_append_has_no_octets() -> None:
    assert Client().send(b"a APPEND x {0+}\r\n\r\nb NOOP\r\n") == [_append(0), AppendEnd(), NOOP]


def test_a_literal_may_hold_what_looks_like_commands() -> None:
    octets = b"\r\nc LOGOUT\r\nd APPEND x {9+}\r\n"
    sent = b"a APPEND x {%d+}\r\n%b\r\nb NOOP\r\n" % (len(octets), octets)
    assert Client().send(sent) == [_append(len(octets)), LiteralChunk(octets), AppendEnd(), NOOP]


def test_text_behind_the_literal_of_append_spoils_it() -> None:
    client = Client()
    assert client.send(b"a APPEND x {2+}\r\nhi more\r\nb NOOP\r\n") == [
        _append(2),
        LiteralChunk(b"hi"),
        BadCommand(b"a", "unexpected argument"),
        NOOP,
    ]


def test_octets_of_a_refused_append_are_skipped() -> None:
    client = Client(most=10)
    assert client.send(b"a APPEND x {2000+}\r\n" + b"b NOOP\r\n" * 250 + b"\r\nb NOOP\r\n") == [_append(2000), NOOP]


def test_a_refused_append_that_would_never_end_ends_the_conversation() -> None:
    client = Client(limits=Limits(discard=5000), most=10)
    assert client.send(b"a APPEND x {50000000000+}\r\n") == [_append(50000000000), Fatal("the command is too long")]


def test_a_client_that_waits_does_not_send_the_octets_of_a_refused_append() -> None:
    client = Client(most=10)
    assert client.send(b"a APPEND x {2000}\r\nb NOOP\r\n") == [_append(2000, synchronising=True), NOOP]


def test_a_malformed_append_is_refused_and_its_octets_are_skipped() -> None:
    bad = [BadCommand(b"a", "a flag is missing or malformed"), NOOP]
    for announced in (b"{8+}\r\nc NOOP\r\n\r\n", b"{8}\r\n"):
        events = Client().send(b"a APPEND x (\\) " + announced + b"b NOOP\r\n")
        assert [type(event) for event in events] == [type(event) for event in bad]


def test_append_before_login_is_a_command_like_any_other() -> None:
    assert Client(authenticated=False).send(b"a APPEND x {3}\r\nabc\r\n") == [
        NeedContinuation(),
        BadCommand(b"a", "a message comes as a literal"),
    ]


def test_an_expected_line_is_no_command() -> None:
    client = Client()
    assert client.send(b"a IDLE\r\nDONE\r\nb NOOP\r\n") == [Request(b"a", c.Idle()), Line(b"DONE"), NOOP]
    assert client.send(b"a AUTHENTICATE PLAIN\r\n*\r\n") == [Request(b"a", c.Authenticate("PLAIN", None)), Line(b"*")]


def test_a_line_without_a_tag_is_refused() -> None:
    assert Client().send(b"\r\n") == [BadCommand(b"*", "a command begins with a tag")]


def test_a_bare_line_feed_ends_the_conversation() -> None:
    for octets in (b"a NOOP\n", b"\n", b"a LOGIN {1+}\r\nx\n", b"a IDLE\r\nDONE\n"):
        client = Client()
        assert client.send(octets)[-1] == Fatal("lines end in CRLF")
        assert client.send(b"b NOOP\r\n") == []


def test_commands_wait_until_they_are_asked_for() -> None:
    connection = Connection()
    connection.feed(b"a NOOP\r\nb NOOP\r\n")
    assert connection.next_event() == Request(b"a", c.Noop())
    assert connection.unread == len(b"b NOOP\r\n")
    assert not connection.full
    connection.feed(b"x" * 8192)
    assert connection.full


def test_octets_behind_starttls_can_be_seen() -> None:
    connection = Connection()
    connection.feed(b"a STARTTLS\r\nb NOOP\r\n")
    assert connection.next_event() == Request(b"a", c.Starttls())
    assert connection.unread


# ---- limits --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("announced", [b"{-1}", b"{1e12}", b"{5+x}", b"{}", b"{+}", b"{ 5}", b"{0x5}"])
def test_attack_26_what_is_no_literal_is_bad(announced: bytes) -> None:
    for line in (b"a LOGIN " + announced, b"a APPEND x " + announced, b"a SELECT " + announced):
        for authenticated in (True, False):
            events = Client(authenticated).send(line + b"\r\nb NOOP\r\n")
            assert [getattr(event, "condition", None) for event in events] == ["BAD", None]
            assert events[1:] == [NOOP]


@pytest.mark.parametrize("size", [b"65537", b"4294967296", b"1000000000000", b"9" * 20, b"9" * 60])
def test_attack_26_a_huge_literal_is_refused_before_it_is_sent(size: bytes) -> None:
    for authenticated in (True, False):
        events = Client(authenticated).send(b"a LOGIN {" + size + b"}\r\nb NOOP\r\n")
        assert isinstance(events[0], BadCommand)
        assert (events[0].tag, events[1:]) == (b"a", [NOOP])


def test_attack_26_a_huge_literal_that_does_not_wait_is_skipped_or_ends_it() -> None:
    limits = Limits(command=1000, discard=5000)
    after = b"x" * 4000 + b" more {10+}\r\n0123456789\r\nb NOOP\r\n"
    client = Client(limits=limits)
    assert client.send(b"a LOGIN {4000+}\r\n" + after) == [BadCommand(b"a", "the literal is too large"), NOOP]
    assert Client(limits=limits).send(b"a LOGIN {6000+}\r\n") == [Fatal("the command is too long")]
    assert Client().send(b"a SELECT {999999999999999999999999+}\r\n") == [Fatal("the command is too long")]


def test_attack_26_before_login_a_literal_holds_256_octets() -> None:
    good = b"a LOGIN {256+}\r\n" + b"x" * 256 + b" y\r\n"
    assert isinstance(Client(authenticated=False).send(good)[0], Request)
    assert Client(authenticated=False).send(b"a LOGIN {257}\r\n") == [BadCommand(b"a", "the literal is too large")]
    assert Client(authenticated=False).send(b"a LOGIN {257+}\r\n") == [Fatal("the literal is too large")]


def test_attack_26_many_small_literals_are_one_command_that_is_too_long() -> None:
    client = Client()
    events = client.send(b"a ID (" + b"{1+}\r\nx " * 20000)
    assert client.connection.unread < 100
    events += client.send(b")\r\nb NOOP\r\n")
    assert events == [BadCommand(b"a", "the command is too long"), NOOP]


@pytest.mark.parametrize("authenticated", [True, False])
def test_attack_26_memory_stays_flat_whatever_is_sent(authenticated: bool) -> None:
    client = Client(authenticated)
    most = 0
    for octets in (b"a LOGIN " + b"x" * 4096, b"x" * 4096, b'"' * 4096, b"{5+}\r\n" * 600):
        for _ in range(200):
            client.send(octets)
            most = max(most, client.connection.unread)
    assert most <= (65536 if authenticated else 8192)


def test_a_line_that_is_too_long_is_refused_and_skipped() -> None:
    client = Client(limits=Limits(command=100))
    assert client.send(b"a LOGIN " + b"x" * 200) == []
    assert client.send(b"x" * 50 + b"\r\nb NOOP\r\n") == [BadCommand(b"a", "the command is too long"), NOOP]
    assert Client(limits=Limits(line=100)).send(b"a IDLE\r\n" + b"x" * 200)[1:] == [Fatal("the line is too long")]


# ---- the same events however the stream is cut -----------------------------------------------------------------

_PIECES = st.sampled_from(
    [
        b"a ",
        b"b ",
        b"NOOP",
        b"LOGIN ",
        b"APPEND x ",
        b"IDLE",
        b"FETCH 1 ",
        b"FLAGS",
        b"SEARCH ",
        b"x ",
        b"abc",
        b"1:2",
        b"\r\n",
        b"\r\n",
        b"\r\n",
        b"\n",
        b"{3}\r\n",
        b"{3+}\r\n",
        b"{0+}\r\n",
        b"{400+}\r\n",
        b"{9+}\r\n",
        b"DONE",
        b"{",
        b"}",
        b"(",
        b")",
        b'"',
        b"\\",
        b" ",
        b"*",
        b"\0",
        b"\xff",
        b"a NOOP\r\n",
        b"b LOGIN a b\r\n",
        b"x" * 60,
    ]
)
_STREAMS = st.lists(_PIECES | st.binary(max_size=6), max_size=40).map(b"".join)
_SMALL = Limits(command=200, guest_literal=10, guest_command=100, line=50, discard=300)


@given(_STREAMS, st.lists(st.integers(0, 500), max_size=20), st.booleans())
def test_any_stream_gives_the_same_events_however_it_is_cut(
    stream: bytes, cuts: list[int], authenticated: bool
) -> None:
    whole = Client(authenticated, _SMALL, most=8)
    whole.send(stream)
    cut = Client(authenticated, _SMALL, most=8)
    places = [0, *sorted(cuts), len(stream)]
    for start, end in pairwise(places):
        cut.send(stream[start:end])
    assert cut.events == whole.events
    by_octets = Client(authenticated, _SMALL, most=8)
    for octet in stream:
        by_octets.send(bytes((octet,)))
        assert by_octets.connection.unread <= 201
    assert by_octets.events == whole.events


@given(st.binary(max_size=200))
def test_any_octets_make_events_and_nothing_else(octets: bytes) -> None:
    Client().send(octets)
    Client().send(b"a FETCH 1 " + octets + b"\r\n")
    Client().send(b"a SEARCH " + octets + b"\r\n")
    Client().send(b"a LIST " + octets + b"\r\n")
    Client().send(b"a APPEND " + octets + b" {3}\r\n")


# ---- several messages in one command, and one in the place of another ----------------------------------------


def test_several_messages_come_one_after_the_other() -> None:
    sent = (
        b"a APPEND x (\\Seen) {2+}\r\nhi"
        b' (a b) " 1-Jan-2026 00:00:00 +0000" ~{3+}\r\n\0\r\n'
        b" {1+}\r\nx\r\nb NOOP\r\n"
    )  # fmt: skip
    assert Client().send(sent) == [
        Request(b"a", c.Append("x", ("\\Seen",), None, 2, False)),
        LiteralChunk(b"hi"),
        NextMessage(c.Append("x", ("a", "b"), 1767225600, 3, False, binary=True)),
        LiteralChunk(b"\0\r\n"),
        NextMessage(c.Append("x", (), None, 1, False)),
        LiteralChunk(b"x"),
        AppendEnd(),
        NOOP,
    ]


def test_octets_of_a_refused_later_message_are_skipped_with_all_that_follows() -> None:
    sent = b"a APPEND x {2+}\r\nhi {2000+}\r\n" + b"b NOOP\r\n" * 250 + b" {3+}\r\nb N\r\nb NOOP\r\n"
    events = Client(most=10).send(sent)
    assert events == [_append(2), LiteralChunk(b"hi"), NextMessage(c.Append("x", (), None, 2000, False)), NOOP]


def test_a_replacement_is_one_message() -> None:
    one = c.Append("x", (), None, 2, False)
    assert Client().send(b"a UID REPLACE 7 x {2+}\r\nhi\r\nb NOOP\r\n") == [
        Request(b"a", c.Replace(one, 7, uid=True)),
        LiteralChunk(b"hi"),
        AppendEnd(),
        NOOP,
    ]
    assert Client().send(b"a REPLACE * x {2+}\r\nhi {2+}\r\nho\r\nb NOOP\r\n") == [
        Request(b"a", c.Replace(one, 0, uid=False)),
        LiteralChunk(b"hi"),
        BadCommand(b"a", "unexpected argument"),
        NOOP,
    ]


def test_the_utf8_form_ends_in_a_parenthesis() -> None:
    client = Client()
    client.connection.utf8 = True
    assert client.send(b"a APPEND x UTF8 (~{2+}\r\nhi)\r\nb NOOP\r\n") == [
        Request(b"a", c.Append("x", (), None, 2, False, binary=True, utf8=True)),
        LiteralChunk(b"hi"),
        AppendEnd(),
        NOOP,
    ]
    assert client.send(b"a APPEND x UTF8 (~{2+}\r\nhi\r\nb NOOP\r\n")[-2:] == [BadCommand(b"a", "expected )"), NOOP]


def test_a_command_that_ended_before_its_octets_leaves_the_conversation_whole() -> None:
    client = Client()
    assert client.send(b"a APPEND x {10+}\r\n01234")[-1] == LiteralChunk(b"01234")
    client.connection.refuse_literal()
    assert client.send(b"56789 {3+}\r\nabc\r\nb NOOP\r\n") == [NOOP]


_PIECES = st.sampled_from(
    [b"a APPEND x", b"a REPLACE 1 x", b"a UID REPLACE 2 x", b" {2+}\r\nhi", b" {2}\r\nhi", b" ~{2+}\r\n\0\n",
     b" (\\Seen)", b' " 1-Jan-2026 00:00:00 +0000"', b" UTF8 (~{2+}\r\nhi)", b" UTF8 (~{2+}\r\nhi", b" {0+}\r\n",
     b" {2000+}\r\n", b"\r\n", b"\r\n", b"\n", b")", b" {", b"}", b" ", b"\xff", b"b NOOP\r\n"]
)  # fmt: skip


@given(st.lists(_PIECES, max_size=10), st.booleans(), st.data())
def test_messages_cut_anywhere_make_the_same_events(pieces: list[bytes], utf8: bool, data: st.DataObject) -> None:
    octets = b"a APPEND x" + b"".join(pieces) + b"\r\n"
    whole, single, parts = Client(), Client(), Client()
    for client in (whole, single, parts):
        client.connection.utf8 = utf8
    whole.send(octets)
    for octet in octets:
        single.send(bytes((octet,)))
    cut = data.draw(st.integers(0, len(octets)))
    parts.send(octets[:cut])
    parts.send(octets[cut:])
    assert single.events == whole.events == parts.events
