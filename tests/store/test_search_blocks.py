"""Texts in blocks: what is found in them is what is in the messages, in time that grows with the texts only."""

import sqlite3
from array import array
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emailgency.codec.mime import search_text
from emailgency.codec.mime.headers import header_end
from emailgency.codec.mime.search_extract import FIELDS, HEAD, TEXT, extract
from emailgency.store.searching import database
from emailgency.store.searching.blocks import Block, column, in_named_field, reopened
from tests.support.growth import grows_linearly
from tests.support.mime_corpus import MESSAGES

_SHORT = st.text("ab\0", max_size=4)


@given(st.lists(_SHORT, max_size=8), st.text("ab", min_size=1, max_size=3))
def test_a_text_is_found_in_each_message_that_holds_it_and_in_no_two(texts: list[str], needle: str) -> None:
    found = column(text.encode() for text in texts).holding(needle.encode())
    assert found == [at for at, text in enumerate(texts) if needle in text]


def test_the_empty_text_is_in_each_field_that_is_there() -> None:
    assert column([b"\0", b"", b"\0a"]).holding(b"") == [0, 2]


@pytest.mark.parametrize("needle", [b"a", b"ab", b"ba" * 30, b"a" * 500])
def test_attack_27_looking_through_a_block_is_linear(needle: bytes) -> None:
    for text in (b"a", b"ab" * 10, b"a" * 400):
        assert grows_linearly(lambda texts: column(texts).holding(needle), [text] * 500, [text] * 2000)


_NEEDLES = ("a", "hello", "example", "müller", "b", "=", "text/plain", "zz", "<", "é", "\r\n", "bob@")


@pytest.mark.parametrize("name", sorted(MESSAGES))
def test_what_is_kept_of_a_message_is_what_is_found_in_it(name: str) -> None:
    message = MESSAGES[name]
    kept = extract(message)
    header = message[: header_end(message, 0, len(message))]
    assert kept.whole
    for needle in _NEEDLES:
        text, octets = search_text.Text(needle), needle.casefold().encode()
        for field in FIELDS:
            assert (octets in kept.fields[field]) == search_text.in_field(header, field, text), (field, needle)
        heads = column([kept.head])
        for field in ("content-type", "x-none", "date", "subject", "received"):
            found = in_named_field(field, octets)(heads) == [0]
            assert found == search_text.in_field(header, field, text), (field, needle)
        assert (octets in kept.body) == any(search_text.in_body(message, text, with_header=False)), needle
        in_all = octets in kept.head or octets in kept.body
        assert in_all == any(search_text.in_body(message, text, with_header=True)), needle


@settings(max_examples=60)
@given(st.binary(max_size=300), st.sampled_from(["utf-8", "utf-16", "iso-2022-jp", "gbk", "x"]), st.text(max_size=3))
def test_any_octets_are_kept_as_they_are_read(octets: bytes, charset: str, needle: str) -> None:
    message = (
        b"Subject: " + octets[:40] + b"\r\nContent-Type: text/plain; charset=" + charset.encode() + b"\r\n\r\n" + octets
    )
    kept, text = extract(message), search_text.Text(needle.replace("\0", ""))
    if text.folded:
        folded = text.folded.encode("utf-8", "replace")
        assert (folded in kept.body) == any(search_text.in_body(message, text, with_header=False))


def test_of_a_long_message_nothing_is_kept_but_what_it_is_sorted_by() -> None:
    header = b"Subject: Re: long\r\n"
    kept = extract(header + b"\r\n" + b"x" * (TEXT + 1))
    assert (kept.whole, kept.body, kept.keys.subject) == (False, b"", "LONG")
    assert kept.fields["subject"] == b"\0re: long"
    kept = extract(header + b"X: " + b"y" * HEAD + b"\r\n\r\nz")
    assert (kept.whole, kept.head, kept.fields["subject"]) == (False, b"", b"")


def test_a_block_that_is_not_full_is_opened_again_as_it_was() -> None:
    block = Block(array("I"), [])
    for uid, message in enumerate(list(MESSAGES.values())[:20], 1):
        block.add(uid, extract(message))
    again = reopened(block.fields(7), block.texts(), block.keys())
    assert again == block


@given(st.text(min_size=3, max_size=60), st.text(max_size=5), st.text(max_size=5))
@settings(max_examples=100)
def test_trigrams_lead_to_each_text_that_holds_a_needle(needle: str, before: str, after: str) -> None:
    needle, before, after = (
        text.replace("\0", "").encode("utf-8", "replace").decode() for text in (needle, before, after)
    )
    grams = database.grams_of(needle)
    if grams is None:
        return
    with sqlite3.connect(":memory:") as cache:
        cache.executescript(database._GRAMS)
        cache.execute("INSERT INTO grams (rowid, text) VALUES (1, ?)", (before + needle + after,))
        assert cache.execute("SELECT rowid FROM grams WHERE grams MATCH ?", (grams,)).fetchall() == [(1,)]


def test_a_cache_of_another_version_is_begun_anew(tmp_path: Path) -> None:
    path = str(tmp_path / "search.sqlite")
    with sqlite3.connect(path) as cache:
        cache.execute("CREATE TABLE block (something TEXT)")
        cache.execute("PRAGMA user_version = 99")
    with database.reading(path) as none:
        assert none is None
    with database.writing(path) as cache:
        assert cache.execute("SELECT count(*) FROM block").fetchone() == (0,)
    with database.reading(path) as some:
        assert some is not None
