"""The grammars of LIST with options, METADATA and QUOTA: what they understand, what they refuse, and at what cost."""

from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emailgency.codec.imap import annotations, parser, quotas, responses
from emailgency.codec.imap import commands as c
from emailgency.codec.imap.annotations import GetMetadata, SetMetadata
from emailgency.codec.imap.connection import BadCommand, Connection, Event, NeedContinuation, Request
from emailgency.codec.imap.grammar import ProtocolError
from emailgency.codec.imap.quotas import GetQuota, GetQuotaRoot, Resource, SetQuota
from tests.support.growth import grows_linearly

UNDERSTOOD: dict[bytes, c.Command] = {
    b'LIST "" *': c.List("", ("*",)),
    b'LIST () "" *': c.List("", ("*",), extended=True),
    b'list (subscribed recursivematch) "" %': c.List("", ("%",), ("SUBSCRIBED", "RECURSIVEMATCH"), extended=True),
    b'LIST (REMOTE SPECIAL-USE) a (b "c d" %)': c.List(
        "a", ("b", "c d", "%"), ("REMOTE", "SPECIAL-USE"), extended=True
    ),
    b'LIST "" * RETURN ()': c.List("", ("*",), extended=True),
    b'LIST "" * RETURN (SUBSCRIBED CHILDREN SPECIAL-USE)': c.List(
        "", ("*",), returns=("SUBSCRIBED", "CHILDREN", "SPECIAL-USE"), extended=True
    ),
    b'LIST "" * RETURN (STATUS (messages unseen) CHILDREN)': c.List(
        "", ("*",), (), ("STATUS", "CHILDREN"), ("MESSAGES", "UNSEEN"), extended=True
    ),
    b"CREATE x (USE (\\sent \\Drafts))": c.Create("x", ("\\Sent", "\\Drafts")),
    b"STATUS x (SIZE DELETED DELETED-STORAGE APPENDLIMIT size)": c.Status(
        "x", ("SIZE", "DELETED", "DELETED-STORAGE", "APPENDLIMIT")
    ),
    b'GETMETADATA "" /shared/comment': GetMetadata("", ("/shared/comment",)),
    b"GETMETADATA inbox (/PRIVATE/Comment /shared/vendor/a.b/c)": GetMetadata(
        "INBOX", ("/private/comment", "/shared/vendor/a.b/c")
    ),
    b"GETMETADATA (MAXSIZE 5 DEPTH 1) x /shared/a": GetMetadata("x", ("/shared/a",), 1, 5),
    b"GETMETADATA x (depth infinity) (/shared/a)": GetMetadata("x", ("/shared/a",), 1024, None),
    b'SETMETADATA x (/shared/a "1" /shared/b NIL /shared/c {2}\r\nab)': SetMetadata(
        "x", (("/shared/a", b"1"), ("/shared/b", None), ("/shared/c", b"ab"))
    ),
    b"SETMETADATA x (/shared/a ~{3+}\r\n\0\r\n)": SetMetadata("x", (("/shared/a", b"\0\r\n"),)),
    b'GETQUOTA ""': GetQuota(""),
    b'GETQUOTAROOT "a b"': GetQuotaRoot("a b"),
    b'SETQUOTA "" (STORAGE 9223372036854775807 MESSAGE 1)': SetQuota(""),
}
REFUSED = (
    b'LIST (RECURSIVEMATCH) "" *',
    b'LIST (SUBSCRIBED  REMOTE) "" *',
    b'LIST (X) "" *',
    b'LIST "" * RETURN (X)',
    b'LIST "" * RETURN (STATUS)',
    b'LIST "" * RETURN STATUS',
    b'LIST "" ()',
    b'LIST "" (a  b)',
    b'LIST "" (' + b" ".join([b"%"] * 65) + b")",
    b"GETMETADATA x ()",
    b"GETMETADATA x /a",
    b"GETMETADATA x /privat",
    b"SETMETADATA x (/private NIL)",
    b"GETMETADATA x /private/a/",
    b"GETMETADATA x /private//a",
    b'GETMETADATA x "/private/a*"',
    b"GETMETADATA x /private/\xc3\xa9",
    b"GETMETADATA x /private/" + b"a" * 250,
    b"GETMETADATA (DEPTH 2) x /private/a",
    b"GETMETADATA (MAXSIZE -1) x /private/a",
    b"SETMETADATA x ()",
    b"SETMETADATA x (/private/a)",
    b"SETMETADATA x (/private/a b)",
    b"SETMETADATA x (" + b" ".join([b"/private/a%d NIL" % number for number in range(129)]) + b")",
    b"GETQUOTA",
    b"SETQUOTA x (STORAGE 10000000000000000000000)",
    b"SETQUOTA x (STORAGE)",
)


@pytest.mark.parametrize("octets", UNDERSTOOD)
def test_what_a_client_may_say_is_understood(octets: bytes) -> None:
    assert parser.parse(b"a " + octets + b"\r\n") == (b"a", UNDERSTOOD[octets])


@pytest.mark.parametrize("octets", REFUSED)
def test_what_no_grammar_allows_is_refused(octets: bytes) -> None:
    with pytest.raises(ProtocolError):
        parser.parse(b"a " + octets + b"\r\n")


def _events(pieces: list[bytes]) -> list[Event]:
    connection = Connection()
    connection.authenticated = True
    events: list[Event] = []
    for piece in pieces:
        connection.feed(piece)
        while (event := connection.next_event()) is not None:
            events.append(event)
    return events


STREAM = b"".join(b"t%d %b\r\n" % (number, octets) for number, octets in enumerate([*UNDERSTOOD, *REFUSED]))
WHOLE = _events([STREAM])


def test_every_command_of_the_stream_has_its_event() -> None:
    assert sum(isinstance(event, Request) for event in WHOLE) == len(UNDERSTOOD)
    assert sum(isinstance(event, BadCommand) for event in WHOLE) == len(REFUSED)
    assert sum(isinstance(event, NeedContinuation) for event in WHOLE) == 1


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_the_stream_means_the_same_however_it_is_cut(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(STREAM)]
    assert _events([STREAM[start:end] for start, end in pairwise(places)]) == WHOLE


def test_the_stream_means_the_same_octet_by_octet() -> None:
    assert _events([STREAM[at : at + 1] for at in range(len(STREAM))]) == WHOLE


WORDS = st.sampled_from(
    [
        b"LIST", b"GETMETADATA", b"SETMETADATA", b"GETQUOTA", b"SETQUOTA", b"CREATE", b"STATUS", b"RETURN", b"(", b")",
        b" ", b'""', b"*", b"%", b"SUBSCRIBED", b"RECURSIVEMATCH", b"SPECIAL-USE", b"STATUS (MESSAGES)", b"/private/a",
        b"/shared/", b"DEPTH", b"MAXSIZE", b"1", b"infinity", b"NIL", b'"x"', b"~{1}\r\nx", b"{2}\r\nab", b"{9}\r\n",
        b"\\Sent", b"USE", b"\0", b"\xff", b"INBOX", b"99999999999",
    ]
)  # fmt: skip


@given(st.lists(WORDS, max_size=25))
def test_attack_26_whatever_is_said_is_understood_or_refused(words: list[bytes]) -> None:
    with suppress(ProtocolError):
        parser.parse(b"a " + b"".join(words) + b"\r\n")


LONG = {
    "patterns": lambda n: b'LIST "" (' + b"%*" * n + b")",
    "selection": lambda n: b"LIST (" + b"SUBSCRIBED " * n + b'REMOTE) "" *',
    "returned": lambda n: b'LIST "" * RETURN (' + b"SUBSCRIBED " * n + b"CHILDREN)",
    "entry": lambda n: b"GETMETADATA x /private" + b"/a" * n,
    "entries": lambda n: b"GETMETADATA x (" + b"/private/a " * n + b"/private/a)",
    "value": lambda n: b'SETMETADATA x (/private/a "' + b"x" * n + b'")',
    "same entry": lambda n: b"SETMETADATA x (" + b"/private/a NIL " * n + b"/private/a NIL)",
    "resources": lambda n: b"SETQUOTA x (" + b"A 1 " * n,
    "uses": lambda n: b"CREATE x (USE (" + b"\\Sent " * n + b"\\Sent))",
    "status": lambda n: b"STATUS x (" + b"SIZE " * n + b"SIZE)",
}


@pytest.mark.parametrize("what", LONG)
def test_attack_27_the_cost_grows_with_the_length_and_no_faster(what: str) -> None:
    def read(octets: bytes) -> None:
        with suppress(ProtocolError):
            parser.parse(b"a " + octets + b"\r\n")

    assert grows_linearly(read, LONG[what](2000), LONG[what](8000))


# ---- what the server says ----------------------------------------------------------------------------------


def test_values_are_spelled_so_that_they_come_out_again() -> None:
    values = {"/private/a": b"x", "/private/b": None, "/private/c": b'"\r\n', "/private/d": b"\0", "/private/e": b""}
    said = annotations.metadata(b"INBOX", values)
    assert said == (
        b'* METADATA INBOX (/private/a "x" /private/b NIL /private/c {3}\r\n"\r\n'
        b' /private/d ~{1}\r\n\0 /private/e "")\r\n'
    )


def test_names_in_extended_data_are_spelled_like_others() -> None:
    told = responses.listed(["\\HasNoChildren"], "/", "Neu & alt", old_name="Entwürfe")
    assert told == b'* LIST (\\HasNoChildren) "/" "Neu &- alt" ("OLDNAME" (Entw&APw-rfe))\r\n'
    told = responses.listed([], "/", "a", child_info=["SUBSCRIBED", "SPECIAL-USE"])
    assert told == b'* LIST () "/" a ("CHILDINFO" ("SUBSCRIBED" "SPECIAL-USE"))\r\n'


def test_quotas_are_spelled_as_the_rfc_does() -> None:
    assert quotas.quota("", [Resource("STORAGE", 10, 512)]) == b'* QUOTA "" (STORAGE 10 512)\r\n'
    assert quotas.quota_root(b"INBOX", ["a b", "c"]) == b'* QUOTAROOT INBOX "a b" c\r\n'
