"""The grammar of RFC 7162 section 7, RFC 8474 section 7, RFC 8514 section 6 and RFC 5465 section 8."""

import itertools
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emailgency.codec.imap import commands as c
from emailgency.codec.imap import parser, responses
from emailgency.codec.imap import search_tree as tree
from emailgency.codec.imap.connection import BadCommand, Connection, Fatal, NeedContinuation, Request
from emailgency.codec.imap.fetch_modifiers import FetchModifiers
from emailgency.codec.imap.grammar import ProtocolError
from emailgency.codec.imap.modseqs import Resync
from emailgency.codec.imap.search_tree import EmailId, Modseq, ThreadId
from emailgency.codec.imap.sets import SequenceSet

UID_FLAGS = (c.Attribute.UID, c.Attribute.FLAGS)
MESSAGES = frozenset({"MESSAGENEW", "MESSAGEEXPUNGE"})


def some(*intervals: tuple[int, int]) -> SequenceSet:
    return SequenceSet(intervals)


GOOD = {
    "SELECT INBOX (CONDSTORE)": c.Select("INBOX", False, condstore=True),
    "EXAMINE INBOX (condstore)": c.Select("INBOX", True, condstore=True),
    "SELECT INBOX (QRESYNC (67890007 20050715194045000 41,43:211,214:541))": c.Select(
        "INBOX", False, resync=Resync(67890007, 20050715194045000, some((41, 41), (43, 211), (214, 541)))
    ),
    "SELECT INBOX (QRESYNC (67890007 90060115194045000 41:211 (1,30 5,9)))": c.Select(
        "INBOX",
        False,
        resync=Resync(67890007, 90060115194045000, some((41, 211)), some((1, 1), (30, 30)), some((5, 5), (9, 9))),
    ),
    "SELECT INBOX (QRESYNC (1 2 (1 3)) CONDSTORE)": c.Select(
        "INBOX", False, True, Resync(1, 2, None, some((1, 1)), some((3, 3)))
    ),
    "UID FETCH 1:5 (UID FLAGS) (CHANGEDSINCE 12345 VANISHED)": c.Fetch(
        some((1, 5)), UID_FLAGS, True, FetchModifiers(changed_since=12345, vanished=True)
    ),
    "FETCH 1 (MODSEQ EMAILID THREADID SAVEDATE)": c.Fetch(
        some((1, 1)), (c.Attribute.MODSEQ, c.Attribute.EMAILID, c.Attribute.THREADID, c.Attribute.SAVEDATE), False
    ),
    "STORE 7,5,9 (UNCHANGEDSINCE 320162338) +FLAGS.SILENT (\\Deleted)": c.Store(
        some((7, 7), (5, 5), (9, 9)), c.StoreMode.ADD, True, ("\\Deleted",), False, 320162338
    ),
    "UID STORE 1 (UNCHANGEDSINCE 0) FLAGS ()": c.Store(some((1, 1)), c.StoreMode.REPLACE, False, (), True, 0),
    'SEARCH MODSEQ "/flags/\\\\draft" all 620162338': c.Search(Modseq(620162338), False),
    "SEARCH MODSEQ 9223372036854775807": c.Search(Modseq((1 << 63) - 1), False),
    "SEARCH OR EMAILID M6d99 THREADID T-_1": c.Search(tree.Or(EmailId(b"M6d99"), ThreadId(b"T-_1")), False),
    "SEARCH SAVEDBEFORE 1-Feb-2026 SAVEDATESUPPORTED": c.Search(
        tree.And((tree.SavedDay(tree.When.BEFORE, date(2026, 2, 1)), tree.All())), False
    ),
    "STATUS INBOX (HIGHESTMODSEQ MAILBOXID)": c.Status("INBOX", ("HIGHESTMODSEQ", "MAILBOXID")),
    "NOTIFY NONE": c.Notify(()),
    "NOTIFY SET STATUS (SELECTED (MessageNew (UID FLAGS) MessageExpunge FlagChange)) (INBOXES NONE)": c.Notify(
        (c.Group("SELECTED", (), MESSAGES | {"FLAGCHANGE"}, UID_FLAGS), c.Group("INBOXES", (), frozenset())), True
    ),
    "NOTIFY SET (mailboxes INBOX (messagenew messageexpunge)) (subtree (a b/c) (MailboxName))": c.Notify(
        (c.Group("MAILBOXES", ("INBOX",), MESSAGES), c.Group("SUBTREE", ("a", "b/c"), frozenset({"MAILBOXNAME"})))
    ),
}
BAD = (
    "SELECT INBOX ()",
    "SELECT INBOX (CONDSTORE CONDSTORE)",
    "SELECT INBOX (QRESYNC)",
    "SELECT INBOX (QRESYNC (1 2 3:4 (1 2 3)))",
    "SELECT INBOX (QRESYNC (1 2 $))",
    "SELECT INBOX (QRESYNC (1 9223372036854775808))",
    "SELECT INBOX (QRESYNC (4294967296 1))",
    "FETCH 1 FLAGS (VANISHED)",
    "FETCH 1 FLAGS (CHANGEDSINCE 1 CHANGEDSINCE 1)",
    "FETCH 1 FLAGS (CHANGEDSINCE x)",
    "STORE 1 (UNCHANGEDSINCE 1)FLAGS ()",
    "STORE 1 () FLAGS ()",
    "SEARCH MODSEQ /flags/x all 1",
    "SEARCH EMAILID ()",
    "NOTIFY SET ()",
    "NOTIFY SET (PERSONAL ())",
    "NOTIFY SET (PERSONAL (MessageExpunge))",
    "NOTIFY SET (SELECTED (FlagChange MessageNew))",
    "NOTIFY SET (SUBTREE () (MailboxName))",
    "NOTIFY SET (PERSONAL (MailboxName)) (SELECTED NONE) (SELECTED NONE)",
    "NOTIFY NONE NONE",
)


@pytest.mark.parametrize("text", GOOD)
def test_a_command_is_understood(text):
    assert parser.parse(f"a {text}\r\n".encode()) == (b"a", GOOD[text])


@pytest.mark.parametrize("text", BAD)
def test_what_the_grammar_does_not_have_is_refused(text):
    with pytest.raises(ProtocolError):
        parser.parse(f"a {text}\r\n".encode())


def test_an_unknown_event_is_told_with_those_that_are_known():
    with pytest.raises(ProtocolError) as refused:
        parser.parse(b"a NOTIFY SET (PERSONAL (MessageNew MessageExpunge AnnotationChange))\r\n")
    assert (refused.value.condition, refused.value.code[:8]) == ("NO", b"BADEVENT")


@given(st.sampled_from(sorted(GOOD)), st.lists(st.integers(1, 120), max_size=6))
def test_a_command_cut_anywhere_is_the_same(text, cuts):
    octets = f"a {text}\r\n".encode()
    connection = Connection()
    connection.authenticated = True
    places = sorted({0, len(octets), *(cut % len(octets) for cut in cuts)})
    events = []
    for start, end in itertools.pairwise(places):
        connection.feed(octets[start:end])
        while (event := connection.next_event()) is not None:
            events.append(event)
    assert events == [Request(b"a", GOOD[text])]


@given(st.sampled_from(sorted(GOOD)), st.integers(0, 200), st.binary(max_size=4))
def test_a_damaged_command_gets_an_answer_and_nothing_else(text, place, octets):
    line = f"a {text}".encode()
    damaged = line[: place % len(line)] + octets.replace(b"\n", b"").replace(b"{", b"") + line[place % len(line) :]
    connection = Connection()
    connection.authenticated = True
    connection.feed(damaged + b"\r\n")
    event = connection.next_event()
    assert isinstance(event, Request | BadCommand | NeedContinuation | Fatal)


def test_responses_are_spelled_as_the_rfc_has_them():
    assert responses.vanished([405, 407, 408]) == b"* VANISHED 405,407:408\r\n"
    assert responses.modified([7, 9]) == b"MODIFIED 7,9"
    assert responses.search([2, 5], 917162500) == b"* SEARCH 2 5 (MODSEQ 917162500)\r\n"
    assert responses.changed_flags(1, 4, None, 12) == b"* 1 FETCH (UID 4 MODSEQ (12))\r\n"
    assert responses.changed_flags(1, 4, b"\\Seen", 12) == b"* 1 FETCH (UID 4 FLAGS (\\Seen) MODSEQ (12))\r\n"
    assert responses.mailbox_id("F2212") == b"MAILBOXID (F2212)"
    assert responses.save_date(0) == b"SAVEDATE NIL"
    assert responses.save_date(837596665) == b'SAVEDATE "17-Jul-1996 09:44:25 +0000"'
