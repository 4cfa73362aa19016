"""The grammar of ESEARCH, SORT, THREAD, WITHIN and PARTIAL, and what is answered."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emailgency.codec.imap import commands as c
from emailgency.codec.imap import found, parser
from emailgency.codec.imap import search_tree as k
from emailgency.codec.imap.fetch_modifiers import FetchModifiers
from emailgency.codec.imap.grammar import ProtocolError
from emailgency.codec.imap.return_options import Partial, Returns
from emailgency.codec.imap.sets import SequenceSet
from emailgency.codec.imap.sort_criteria import Algorithm, Criterion, Key
from tests.support.growth import grows_linearly

ALL = k.All()
ONE = SequenceSet(((1, 1),))


def _returns(*words: str, partial: Partial | None = None, page: bytes = b"") -> Returns:
    return Returns(frozenset(words), partial, page)


GOOD: dict[str, c.Command] = {
    "SEARCH RETURN () ALL": c.Search(ALL, uid=False, returns=_returns()),
    "UID SEARCH return (min MAX Count) CHARSET UTF-8 ALL": c.Search(
        ALL, True, _returns("MIN", "MAX", "COUNT"), charset=True
    ),
    "SEARCH RETURN (SAVE ALL) $": c.Search(
        k.Numbers(SequenceSet((), saved=True), False), False, _returns("SAVE", "ALL")
    ),
    "SEARCH RETURN (PARTIAL 1:500) ALL": c.Search(
        ALL, False, _returns(partial=Partial(1, 500, backwards=False), page=b"1:500")
    ),
    "SEARCH RETURN (COUNT PARTIAL -100:-1 SAVE) ALL": c.Search(
        ALL, False, _returns("COUNT", "SAVE", partial=Partial(1, 100, backwards=True), page=b"-100:-1")
    ),
    "SEARCH OLDER 5 YOUNGER 4294967295": c.Search(k.And((k.Within(True, 5), k.Within(False, 4294967295))), False),
    "SORT (SUBJECT) UTF-8 ALL": c.Sort((Criterion(Key.SUBJECT, False),), ALL, uid=False),
    "UID SORT (REVERSE DATE ARRIVAL reverse date) US-ASCII ALL": c.Sort(
        (Criterion(Key.DATE, True), Criterion(Key.ARRIVAL, False)), ALL, uid=True
    ),
    "SORT RETURN (MIN) (DISPLAYFROM DISPLAYTO CC TO FROM SIZE) UTF-8 ALL": c.Sort(
        tuple(Criterion(key, False) for key in (Key.DISPLAYFROM, Key.DISPLAYTO, Key.CC, Key.TO, Key.FROM, Key.SIZE)),
        ALL,
        False,
        _returns("MIN"),
    ),
    "THREAD REFERENCES UTF-8 ALL": c.Thread(Algorithm.REFERENCES, ALL, uid=False),
    "UID THREAD orderedsubject us-ascii ALL": c.Thread(Algorithm.ORDEREDSUBJECT, ALL, uid=True),
    "FETCH 1 UID (PARTIAL -1:-30)": c.Fetch(ONE, (c.Attribute.UID,), False, FetchModifiers(Partial(1, 30, True))),
}

BAD = (
    "SEARCH RETURN",
    "SEARCH RETURN (",
    "SEARCH RETURN ()",
    "SEARCH RETURN (MIN) ",
    "SEARCH RETURN (MIN)ALL",
    "SEARCH RETURN (MIN,MAX) ALL",
    "SEARCH RETURN ( MIN) ALL",
    "SEARCH RETURN (CONTEXT) ALL",
    "SEARCH RETURN (PARTIAL) ALL",
    "SEARCH RETURN (PARTIAL 1) ALL",
    "SEARCH RETURN (PARTIAL 1:) ALL",
    "SEARCH RETURN (PARTIAL 1:*) ALL",
    "SEARCH RETURN (PARTIAL 1:-2) ALL",
    "SEARCH RETURN (PARTIAL 01:2) ALL",
    "SEARCH RETURN (PARTIAL 1:2 ALL) ALL",
    "SEARCH $,1",
    "SEARCH OLDER",
    "SEARCH OLDER 0",
    "SEARCH OLDER 4294967296",
    "SORT",
    "SORT SUBJECT UTF-8 ALL",
    "SORT () UTF-8 ALL",
    "SORT (REVERSE) UTF-8 ALL",
    "SORT (REVERSE REVERSE DATE) UTF-8 ALL",
    "SORT (SUBJECT)UTF-8 ALL",
    "SORT (SUBJECT) UTF-8",
    "SORT (" + " ".join(["DATE"] * 33) + ") UTF-8 ALL",
    "THREAD",
    "THREAD REFERENCES ALL",
    "THREAD REFS UTF-8 ALL",
    "THREAD (REFERENCES) UTF-8 ALL",
    "FETCH 1 UID ()",
    "FETCH 1 UID (PARTIAL 1:2",
    "FETCH 1 UID (PARTIAL 1:2) x",
)


@pytest.mark.parametrize("text", GOOD)
def test_a_command_is_what_it_says(text: str) -> None:
    assert parser.parse(f"a {text}\r\n".encode()) == (b"a", GOOD[text])


@pytest.mark.parametrize("text", BAD)
def test_what_is_not_in_the_grammar_is_refused(text: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        parser.parse(f"a {text}\r\n".encode())
    assert caught.value.condition == "BAD"


@given(st.integers(1, 30), st.integers(1, 30), st.booleans(), st.integers(0, 40))
def test_a_page_is_cut_from_either_end(first: int, last: int, backwards: bool, count: int) -> None:
    places = list(range(1, count + 1))
    low, high = sorted((first, last))
    expected = [place for place in places if low <= (count + 1 - place if backwards else place) <= high]
    assert Partial(low, high, backwards).cut(places) == expected


def test_extended_answers() -> None:
    told = found.extended(b"A1", True, _returns("MIN", "MAX", "COUNT", "ALL"), [2, 3, 4, 9])
    assert told == b'* ESEARCH (TAG "A1") UID MIN 2 MAX 9 COUNT 4 ALL 2:4,9\r\n'
    assert found.extended(b"A1", False, _returns("MIN", "MAX", "ALL"), []) == b'* ESEARCH (TAG "A1")\r\n'
    assert (
        found.extended(b"A1", False, _returns(), [9, 2, 3], b" MODSEQ 7")
        == b'* ESEARCH (TAG "A1") ALL 9,2:3 MODSEQ 7\r\n'
    )
    page = _returns(partial=Partial(2, 3, backwards=False), page=b"3:2")
    assert found.extended(b"A1", False, page, [5, 6, 7]) == b'* ESEARCH (TAG "A1") PARTIAL (3:2 6:7)\r\n'
    assert found.extended(b"A1", False, page, [5]) == b'* ESEARCH (TAG "A1") PARTIAL (3:2 NIL)\r\n'
    assert found.sorted_numbers([]) == b"* SORT\r\n"


_WORDS = st.sampled_from(
    [word for text in (*GOOD, *BAD) for word in text.encode().replace(b"(", b" ( ").replace(b")", b" ) ").split(b" ")]
    + [b" ", b" ", b"{3}\r\nabc", b"\xff", b"-", b":"]
)


@given(st.sampled_from(["SEARCH", "UID SEARCH", "SORT", "THREAD", "UID SORT", "FETCH"]), st.lists(_WORDS, max_size=14))
def test_any_words_make_a_command_or_a_refusal(name: str, words: list[bytes]) -> None:
    for joined in (b" ".join(words), b"".join(words)):
        with suppress(ProtocolError):
            parser.parse(b"a " + name.encode() + b" " + joined + b"\r\n")


@pytest.mark.parametrize(
    ("start", "piece", "end"),
    [
        (b"SEARCH RETURN (", b"MIN ", b") ALL"),
        (b"SEARCH RETURN (PARTIAL ", b"1", b":2) ALL"),
        (b"SORT (", b"REVERSE DATE ", b") UTF-8 ALL"),
        (b"SORT (DATE) UTF-8 ", b"NOT ", b"ALL"),
        (b"THREAD REFERENCES UTF-8 ", b"OLDER 1 ", b"ALL"),
        (b"FETCH 1 (UID) (", b"PARTIAL 1:2 ", b")"),
    ],
)
def test_attack_27_parsing_is_linear(start: bytes, piece: bytes, end: bytes) -> None:
    def parse(count: int) -> None:
        with suppress(ProtocolError):
            parser.parse(b"a " + start + piece * count + end + b"\r\n")

    assert grows_linearly(parse, 1000, 4000)
