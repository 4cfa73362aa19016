"""The spool journal is read behind its writer: every record, in its order, whatever state the file is in."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emailgency.store import layout
from emailgency.store.ledger.following import Following
from emailgency.store.spool import records as spool_records
from emailgency.store.spool.records import Ended

LINES = [spool_records.encode(Ended((f"6b{number:010x}",))) for number in range(8)]


class Journal:
    def __init__(self, data: str) -> None:
        self.data = data
        os.makedirs(f"{data}/{layout.JOURNAL}", exist_ok=True)

    def write(self, segment: int, octets: bytes) -> None:
        with open(f"{self.data}/{layout.segment(segment)}", "ab") as file:
            file.write(octets)

    def remove(self, segment: int) -> None:
        os.unlink(f"{self.data}/{layout.segment(segment)}")


@pytest.fixture
def journal(tmp_path) -> Journal:
    return Journal(str(tmp_path))


def read(following: Following) -> list[str]:
    return [id for piece in following.pieces() if not piece.again for record in piece.records for id in record.ids]


IDS = [f"6b{number:010x}" for number in range(8)]


@given(cuts=st.lists(st.integers(0, sum(map(len, LINES))), max_size=6), turn=st.integers(0, 8))
def test_it_is_the_same_however_it_was_written(tmp_path_factory, cuts: list[int], turn: int) -> None:
    journal = Journal(str(tmp_path_factory.mktemp("journal")))
    following, found = Following(journal.data, (0, 0)), []
    octets, at = b"".join(LINES), 0
    turned = sum(map(len, LINES[:turn]))
    for cut in (*sorted({*cuts, turned}), len(octets)):
        journal.write(1 if at < turned else 2, octets[at:cut])
        at = cut
        found += read(following)
    assert found == IDS


def test_a_torn_record_waits_for_its_end_and_is_passed_over_when_there_is_none(journal: Journal) -> None:
    following = Following(journal.data, (0, 0))
    assert read(following) == []
    journal.write(3, LINES[0] + LINES[1][:20])
    assert read(following) == IDS[:1]
    assert following.position == (3, len(LINES[0]))
    journal.write(4, LINES[2])
    assert read(following) == IDS[2:3]


def test_a_rotten_record_is_passed_over(journal: Journal) -> None:
    journal.write(
        1, LINES[0] + b"00000000 {}\n" + LINES[1] + spool_records.records.encode(b'{"record":"new"}') + LINES[2]
    )
    following = Following(journal.data, (0, 0))
    assert read(following) == IDS[:3]
    assert len(following.complaints) == 1  # the one that is whole, and no record of ours


def test_what_was_marked_is_only_looked_at_again(journal: Journal) -> None:
    journal.write(1, LINES[0])
    journal.write(2, LINES[1])
    first = Following(journal.data, (0, 0))
    read(first)
    again = Following(journal.data, first.position)
    assert [piece.again for piece in again.pieces()] == [True, True]
    journal.write(2, LINES[2])
    assert read(again) == IDS[2:3]


def test_segments_that_went_unread_are_told(journal: Journal) -> None:
    journal.write(1, LINES[0])
    following = Following(journal.data, (0, 0))
    read(following)
    journal.remove(1)
    journal.write(4, LINES[1])
    assert read(following) == IDS[1:2]
    assert following.complaints == ["journal segments up to 3 went before the ledger had read them"]
    assert Following(journal.data, (1, 5)).complaints == following.complaints
