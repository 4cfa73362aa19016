"""Reading the change journal backwards, a page at a time."""

import os

import pytest
from twisted.internet import reactor

from emailgency.store.directory.audit import Audit
from emailgency.store.directory.changes import Change
from emailgency.store.directory.journal import Journal


@pytest.fixture
def folder(tmp_path) -> str:
    """Changes 1 to 90: every third is another customer's; segments begin at 1, 31 and 61."""
    path = os.path.join(tmp_path, "journal")
    journal = Journal(path)
    journal.open()
    for position in range(1, 91):
        who = "other" if position % 3 == 0 else "mine"
        journal.append(
            Change(position, 1.0 * position, "paul", "console", f'change {position} "customer":"mine"', who, ())
        )
        if position in (30, 60):
            journal.snapshot()
    journal.close()
    return path


def pages(folder: str, most: int) -> list[list[int]]:
    audit = Audit(reactor, folder)
    found, before = [], None
    while True:
        page = audit._page("mine", before, most)
        found.append([change.position for change in page.changes])
        if page.older is None:
            return found
        before = page.older


@pytest.mark.parametrize("most", [1, 7, 20, 59, 60, 100])
def test_pages_hold_every_change_of_the_customer_once_the_newest_first(folder: str, most: int) -> None:
    found = pages(folder, most)
    assert [one for page in found for one in page] == [position for position in range(90, 0, -1) if position % 3]
    assert all(len(page) <= most for page in found)


def test_a_page_reads_no_further_than_its_bound(folder: str, monkeypatch) -> None:
    monkeypatch.setattr("emailgency.store.directory.audit._OCTETS", 10)
    assert list(map(len, pages(folder, 100))) == [20, 20, 20, 0]


def test_what_never_happened_and_what_is_torn_is_not_told(folder: str) -> None:
    with open(os.path.join(folder, "000000000061.log"), "rb") as file:
        lines = file.read().splitlines(keepends=True)
    with open(os.path.join(folder, "000000000089.log"), "wb") as file:  # 89 and 90 were taken back, 89 came again
        file.write(lines[28] + lines[29][:20])
    assert pages(folder, 100)[0][:3] == [89, 88, 86]


def test_an_empty_journal_has_one_empty_page(tmp_path) -> None:
    assert pages(os.path.join(tmp_path, "none"), 10) == [[]]
