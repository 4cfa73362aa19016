"""Marks of messages are combined as sets are, and searches that use them find what each message says."""

import os

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import TestCase

from emailgency.servers.imap import marks
from emailgency.store.searching import memory
from tests.support.imap import MESSAGE, Office
from tests.support.mime_corpus import MESSAGES

_SETS = st.sets(st.integers(0, 99))


@given(_SETS, _SETS)
def test_marks_are_sets_of_positions(left: set[int], right: set[int]) -> None:
    one, other = marks.at(left, 100), marks.at(right, 100)
    assert marks.positions(marks.both(one, other)) == sorted(left & right)
    assert marks.positions(marks.either(one, other)) == sorted(left | right)
    assert marks.positions(marks.without(one, other)) == sorted(left - right)
    assert marks.both(one, marks.every(100)) == one
    assert marks.positions(marks.none(100)) == []


@given(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99)).map(sorted), max_size=4))
def test_marks_within_spans_are_those_of_their_positions(spans: list[list[int]]) -> None:
    inside = {position for first, end in spans for position in range(first, end)}
    assert marks.within([(first, end) for first, end in spans], 100) == marks.at(inside, 100)


def test_a_view_without_messages_has_no_marks() -> None:
    assert marks.either(marks.none(0), marks.every(0)) == b""


class Searches(TestCase):
    async def setUp(self) -> None:
        self.patch(memory, "FEW", 10**6)  # no index: messages are read, or known from FETCH
        self.office = await Office().start()
        await self.office.folders.create(self.office.path(), quiet=True)

    async def tearDown(self) -> None:
        await self.office.stop()

    def put(self, name: str, message: bytes, fields: str = "", letters: str = "") -> None:
        with open(f"{self.office.disk()}/cur/1700000000.{name}.x{fields}:2,{letters}", "wb") as file:
            file.write(message)

    async def test_what_fetch_has_summarised_is_searched_as_if_it_were_read(self) -> None:
        for number, message in enumerate(MESSAGES.values()):
            self.put(f"m{number:04}", message)
        client = await self.office.member(folder="INBOX")
        keys = [
            f"{field} {needle}".encode()
            for field in ("SUBJECT", "FROM", "TO", "CC", "BCC", "HEADER Message-ID", "HEADER Date")
            for needle in ("a", "hello", "example.NET", '""', "zzz", "<", '"=?"')
        ]
        read = [await client.ok(b"SEARCH " + key) for key in keys]
        await client.ok(b"FETCH 1:* ENVELOPE")
        count = len(os.listdir(f"{self.office.disk()}/cur"))
        (folder,) = (session.selected.folder for session in self.office.server.sessions if session.selected)
        assert len(folder.summaries) == count
        assert [await client.ok(b"SEARCH " + key) for key in keys] == read

    async def test_sizes_of_files_that_do_not_say_theirs_are_asked_of_the_disk(self) -> None:
        self.put("a", b"x" * 10, ",S=10")
        self.put("b", b"x" * 20)
        self.put("c", b"x" * 30)
        client = await self.office.member(folder="INBOX")
        for _ in range(2):
            assert await client.ok(b"SEARCH LARGER 10") == [b"* SEARCH 2 3"]
            assert await client.ok(b"SEARCH SMALLER 30") == [b"* SEARCH 1 2"]
            assert await client.ok(b"SEARCH NOT LARGER 20") == [b"* SEARCH 1 2"]

    async def test_flags_are_those_of_the_messages_that_are_left_to_the_client(self) -> None:
        for number, letters in enumerate(("S", "", "FS", "T", "F")):
            self.put(f"m{number}", MESSAGE, letters=letters)
        client, other = await self.office.member(folder="INBOX"), await self.office.member(folder="INBOX")
        assert await client.ok(b"SEARCH UNSEEN") == [b"* SEARCH 2 4 5"]
        assert await client.ok(b"SEARCH OR FLAGGED NOT SEEN 1:4") == [b"* SEARCH 2 3 4"]
        assert await client.ok(b"SEARCH ANSWERED") == [b"* SEARCH"]
        assert await client.ok(b"UID SEARCH NOT ANSWERED") == [b"* SEARCH 1 2 3 4 5"]
        await other.ok(b"EXPUNGE")
        assert await client.ok(b"SEARCH DELETED") == [b"* SEARCH"]  # 4 has gone, 5 keeps its number
        assert await client.ok(b"SEARCH FLAGGED UNSEEN") == [b"* SEARCH 5"]
