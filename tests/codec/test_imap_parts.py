"""Sets, wildcards, modified UTF-7 and responses, each by itself."""

import fnmatch
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emailgency.codec.imap import mutf7, responses, sets, strings
from emailgency.codec.imap.patterns import Pattern
from emailgency.codec.imap.sets import STAR, SequenceSet

# ---- sets ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "largest", "resolved"),
    [
        (b"1", 5, [(1, 1)]),
        (b"*", 5, [(5, 5)]),
        (b"1:*", 5, [(1, 5)]),
        (b"*:3", 5, [(3, 5)]),
        (b"7:*", 5, [(5, 5)]),
        (b"7", 5, []),
        (b"1:4294967295", 5, [(1, 5)]),
        (b"3,1,2", 5, [(1, 3)]),
        (b"1:2,4:5,3", 5, [(1, 5)]),
        (b"5,1:2,2:3", 5, [(1, 3), (5, 5)]),
        (b"1:*", 0, []),
        (b"*", 0, []),
    ],
)
def test_a_set_is_clipped_to_the_mailbox(text: bytes, largest: int, resolved: list[tuple[int, int]]) -> None:
    found = sets.parse(text)
    assert found is not None
    assert found.resolve(largest) == resolved


def test_numbers_beyond_the_mailbox_are_noticed() -> None:
    assert [SequenceSet((pair,)).beyond(5) for pair in ((1, 5), (6, 6), (1, 6), (1, STAR), (6, STAR))] == [
        False,
        True,
        True,
        False,
        True,
    ]


@given(st.lists(st.integers(1, 40), max_size=30))
def test_compressed_sets_give_the_same_numbers_in_the_same_order(numbers: list[int]) -> None:
    text = sets.compress(numbers)
    found: list[int] = []
    for element in text.split(b",") if text else ():
        low, _, high = element.partition(b":")
        found += range(int(low), int(high or low) + 1)
    assert found == numbers


# ---- wildcards -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("*", "INBOX a a/b a/b/c"),
        ("%", "INBOX a"),
        ("a/%", "a/b"),
        ("a/*", "a/b a/b/c"),
        ("a*", "a a/b a/b/c"),
        ("%/%", "a/b"),
        ("*%", "INBOX a a/b a/b/c"),
        ("%b", ""),
        ("*b", "a/b"),
        ("inbox", "INBOX"),
        ("InB%", "INBOX"),
        ("A", ""),
        ("", ""),
        ("*c*", "a/b/c"),
    ],
)
def test_wildcards_match_as_the_rfc_says(pattern: str, names: str) -> None:
    compiled = Pattern(pattern, "/")
    assert [name for name in ("INBOX", "a", "a/b", "a/b/c") if compiled.matches(name)] == names.split()


@given(st.text("ab/*%", max_size=12), st.text("ab/", max_size=12))
def test_wildcards_match_what_a_backtracking_matcher_matches(pattern: str, name: str) -> None:
    expression = "".join({"*": ".*", "%": "[^/]*"}.get(character, character) for character in pattern)
    assert Pattern(pattern, "/").matches(name) == bool(re.fullmatch(expression, name))


@given(st.text("abc*", max_size=20), st.text("abc", max_size=20))
def test_a_star_is_the_star_of_file_names(pattern: str, name: str) -> None:
    assert Pattern(pattern, "/").matches(name) == fnmatch.fnmatchcase(name, pattern)


# ---- modified UTF-7 ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "encoded"),
    [
        ("INBOX", b"INBOX"),
        ("R&D", b"R&-D"),
        ("&é&", b"&-&AOk-&-"),
        ("Entwürfe", b"Entw&APw-rfe"),
        ("~peter/mail/台北/日本語", b"~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
        ("😀", b"&2D3eAA-"),
    ],
)
def test_names_are_spelled_in_modified_utf_7(name: str, encoded: bytes) -> None:
    assert mutf7.encode(name) == encoded
    assert mutf7.decode(encoded) == name


@given(st.text(st.characters(exclude_categories=("Cs", "Cc"))))
def test_every_name_comes_back(name: str) -> None:
    assert mutf7.decode(mutf7.encode(name)) == name


@given(st.text("&-AGEw,+/b", max_size=12).map(str.encode) | st.binary(max_size=8))
def test_a_name_has_one_spelling(octets: bytes) -> None:
    try:
        name = mutf7.decode(octets)
    except ValueError:
        return
    assert mutf7.encode(name) == octets


@pytest.mark.parametrize(
    "octets", [b"&", b"&AGE-", b"&AOk", b"&AO-", b"&AOl-", b"a\x01", b"\xff", b"&2D0-", b"&AOk-&AOk-"]
)
def test_a_malformed_name_is_refused(octets: bytes) -> None:
    with pytest.raises(ValueError):
        mutf7.decode(octets)


# ---- responses -----------------------------------------------------------------------------------------------


def test_strings_are_quoted_where_they_can_be() -> None:
    assert strings.string(b'a "b" \\') == b'"a \\"b\\" \\\\"'
    assert strings.string(b"a\r\nb") == b"{4}\r\na\r\nb"
    assert strings.string(b"\xfc") == b"{1}\r\n\xfc"
    assert strings.string(b"a\0b") == b"{5}\r\na\xef\xbf\xbdb"
    assert strings.astring(b"a]b") == b"a]b"
    assert strings.astring(b"nil") == b'"nil"'
    assert strings.astring(b"") == b'""'
    assert strings.nstring(None) == b"NIL"


def test_responses_are_spelled_as_the_rfc_spells_them() -> None:
    assert responses.tagged(b"a", "OK", "done", b"READ-WRITE") == b"a OK [READ-WRITE] done\r\n"
    assert responses.untagged("BYE", "so long") == b"* BYE so long\r\n"
    assert responses.listed(["\\HasNoChildren"], "/", "Entwürfe") == b'* LIST (\\HasNoChildren) "/" Entw&APw-rfe\r\n'
    assert responses.listed([], None, "a b", b"LSUB") == b'* LSUB () NIL "a b"\r\n'
    assert responses.status("INBOX", {"MESSAGES": 3, "UNSEEN": 1}) == b"* STATUS INBOX (MESSAGES 3 UNSEEN 1)\r\n"
    assert responses.search([2, 84]) == b"* SEARCH 2 84\r\n"
    assert responses.search([]) == b"* SEARCH\r\n"
    assert responses.permanent_flags(["\\Seen"], new_keywords=True) == b"PERMANENTFLAGS (\\Seen \\*)"
    assert responses.copy_uid(7, [1, 2, 5], [8, 9, 10]) == b"COPYUID 7 1:2,5 8:10"
    assert responses.date_attribute(1767225600) == b'INTERNALDATE "01-Jan-2026 00:00:00 +0000"'
    assert responses.fetch_start(2) + responses.size_attribute(7) + responses.FETCH_END == (
        b"* 2 FETCH (RFC822.SIZE 7)\r\n"
    )
    assert responses.section_attribute(b"BODY[1]", b"ab") == b"BODY[1] {2}\r\nab"
    assert responses.section_attribute(b"BODY[9]", None) == b"BODY[9] NIL"


@given(st.text())
def test_attack_17_no_text_leaves_its_line(words: str) -> None:
    line = responses.tagged(b"a", "NO", words)
    assert re.fullmatch(rb"a NO [\x20-\x7e]+\r\n", line)
