"""codec.records: one line a record."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emailgency.codec import records

JSON = st.binary(max_size=60).filter(lambda octets: b"\n" not in octets)


@given(st.lists(JSON), st.lists(st.integers(0, 400)))
def test_split_anywhere_gives_the_same_records(contents: list[bytes], cuts: list[int]) -> None:
    octets = b"".join(map(records.encode, contents))
    reader, got = records.Reader(), []
    edges = [0, *sorted(cut for cut in cuts if cut < len(octets)), len(octets)]
    for start, end in pairwise(edges):
        got += reader.feed(octets[start:end])
    assert got == contents
    assert reader.position == len(octets)
    assert reader.torn == b""


@given(st.lists(JSON, min_size=1), st.data())
def test_a_torn_last_line_is_held_back_and_its_place_told(contents: list[bytes], data: st.DataObject) -> None:
    whole = b"".join(map(records.encode, contents[:-1]))
    last = records.encode(contents[-1])
    torn = last[: data.draw(st.integers(0, len(last) - 1))]
    reader = records.Reader()
    assert reader.feed(whole + torn) == contents[:-1]
    assert (reader.position, reader.torn) == (len(whole), torn)


@given(st.lists(JSON, min_size=1), st.data())
def test_a_changed_octet_is_reported_and_the_lines_behind_it_are_still_read(
    contents: list[bytes], data: st.DataObject
) -> None:
    lines = [records.encode(content) for content in contents]
    bad = data.draw(st.integers(0, len(lines) - 1))
    at = data.draw(st.integers(0, len(lines[bad]) - 2))
    value = data.draw(st.integers(0, 255).filter(lambda octet: octet not in (10, lines[bad][at])))
    changed = lines[bad][:at] + bytes([value]) + lines[bad][at + 1 :]
    reader = records.Reader()
    with pytest.raises(records.Corrupt) as caught:
        reader.feed(b"".join([*lines[:bad], changed, *lines[bad + 1 :]]))
    assert caught.value.position == sum(map(len, lines[:bad]))
    assert caught.value.line == changed[:-1]
    assert caught.value.records + reader.feed(b"") == contents[:bad] + contents[bad + 1 :]
