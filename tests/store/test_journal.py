"""The change journal: what was acknowledged is there, whatever the disk and the kernel do."""

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emailgency.model.directory import Plan
from emailgency.store.directory.changes import ABSENT, Change, Edit, edit
from emailgency.store.directory.journal import Broken, Journal, apply


def change(position: int, name: str = "p", mailboxes: int | None = None) -> Change:
    plan = Plan(name=name, mailboxes=position if mailboxes is None else mailboxes)
    return Change(position, 1.5, "op", "console", "test", None, (edit("plan", f"{name}{position}", None, plan),))


def opened(folder: Path) -> Journal:
    journal = Journal(str(folder))
    journal.open()
    return journal


def keys(journal: Journal) -> list[str]:
    return sorted(journal.tables()[0].get("plan", {}))


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = opened(tmp_path / "journal")
    for position in (1, 2, 3):
        journal.append(change(position))
    yield journal
    journal.close()


def folder_of(journal: Journal) -> Path:
    return Path(journal._folder)


def test_what_was_appended_is_replayed(journal: Journal) -> None:
    again = opened(folder_of(journal))
    assert again.mark == journal.mark
    assert keys(again) == ["p1", "p2", "p3"]
    assert [each.position for each in again.history()] == [1, 2, 3]
    assert [each.position for each in again.history(after=2)] == [3]


def test_files_are_private(journal: Journal) -> None:
    assert folder_of(journal).stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder_of(journal).iterdir()} == {0o600}


def test_a_torn_last_record_is_cut_off_and_writing_goes_on(journal: Journal) -> None:
    (segment,) = folder_of(journal).glob("*.log")
    whole = segment.read_bytes()
    for cut in range(1, 40):
        segment.write_bytes(whole[:-cut])
        again = opened(folder_of(journal))
        assert again.mark.position == 2
        again.append(change(3, "q"))
        assert keys(opened(folder_of(journal))) == ["p1", "p2", "q3"]
        again.close()
        for path in folder_of(journal).glob("*.log"):
            path.unlink()
    assert cut == 39


def test_a_rotten_record_is_reported_never_skipped(journal: Journal) -> None:
    (segment,) = folder_of(journal).glob("*.log")
    octets = bytearray(segment.read_bytes())
    octets[60] ^= 1
    segment.write_bytes(octets)
    with pytest.raises(Broken, match="log: bad record at octet 0"):
        opened(folder_of(journal))


def test_a_missing_segment_is_noticed(journal: Journal) -> None:
    journal.close()
    journal.append(change(4))
    journal.close()
    journal.append(change(5))
    (folder_of(journal) / "000000000004.log").unlink()
    with pytest.raises(Broken):
        opened(folder_of(journal))


def test_positions_follow_each_other(journal: Journal) -> None:
    for position in (1, 3, 5):
        with pytest.raises(Broken):
            journal.append(change(position))


def test_two_histories_that_part_share_no_mark(journal: Journal, tmp_path: Path) -> None:
    other = opened(tmp_path / "other")
    for position in (1, 2):
        other.append(change(position))
    assert other.mark.position == 2
    assert other.append(change(3, "q")).position == journal.mark.position
    assert other.mark != journal.mark


def fail_once(number: int, real: Callable[..., object]) -> Callable[..., object]:
    failed = []

    def failing(*arguments: object) -> object:
        if not failed:
            failed.append(1)
            raise OSError(number, os.strerror(number))
        return real(*arguments)

    return failing


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC, errno.EROFS])
def test_a_failed_sync_takes_the_change_back_and_the_file_is_not_synced_again(
    journal: Journal, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fdatasync", fail_once(number, os.fdatasync))
    with pytest.raises(OSError):
        journal.append(change(4, "lost"))
    assert journal.mark.position == 3
    journal.append(change(4, "kept"))
    assert len(list(folder_of(journal).glob("*.log"))) == 2
    assert keys(opened(folder_of(journal))) == ["kept4", "p1", "p2", "p3"]


def test_a_taken_back_record_that_stayed_on_the_disk_never_happened(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fdatasync", fail_once(errno.EIO, os.fdatasync))
    monkeypatch.setattr(os, "ftruncate", fail_once(errno.EIO, os.ftruncate))
    with pytest.raises(OSError):
        journal.append(change(4, "lost"))
    journal.append(change(4, "kept"))
    journal.append(change(5, "kept"))
    assert keys(opened(folder_of(journal))) == ["kept4", "kept5", "p1", "p2", "p3"]


def test_short_writes_are_carried_on(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[:7]))
    journal.append(change(4))
    assert keys(opened(folder_of(journal))) == ["p1", "p2", "p3", "p4"]


def test_a_half_written_record_is_taken_back(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    write, count = os.write, iter(range(10))

    def full(fd: int, data: bytes) -> int:
        if next(count) == 1:
            raise OSError(errno.ENOSPC, "full")
        return write(fd, data[:20])

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError):
        journal.append(change(4))
    monkeypatch.setattr(os, "write", write)
    journal.append(change(4, "kept"))
    assert keys(opened(folder_of(journal))) == ["kept4", "p1", "p2", "p3"]


def test_a_snapshot_shortens_the_replay_and_changes_nothing(journal: Journal) -> None:
    before = journal.tables()
    journal.snapshot()
    assert journal.size_after_snapshot() == 0
    assert journal.tables() == before
    journal.append(change(4))
    again = opened(folder_of(journal))
    assert again.mark == journal.mark
    assert keys(again) == ["p1", "p2", "p3", "p4"]
    assert [each.position for each in again.history()] == [1, 2, 3, 4]


@pytest.mark.parametrize("harm", ["missing", "torn"])
def test_without_its_snapshot_the_journal_still_tells_all(journal: Journal, harm: str) -> None:
    journal.snapshot()
    journal.append(change(4))
    path = folder_of(journal) / "snapshot.json"
    if harm == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:50])
    assert keys(opened(folder_of(journal))) == ["p1", "p2", "p3", "p4"]


def test_a_deleting_edit_deletes() -> None:
    tables: dict[str, dict[str, object]] = {}
    first = change(1)
    apply(tables, first.edits)
    apply(tables, (Edit("plan", "p1", first.edits[0].after, ABSENT),))
    assert tables == {"plan": {}}


WRITER = """
import sys
from emailgency.store.directory.journal import Journal
from tests.store.test_journal import change
journal = Journal(sys.argv[1])
journal.open()
position = journal.mark.position
while True:
    position += 1
    journal.append(change(position))
    if position % 7 == 0:
        journal.snapshot()
    print(position, flush=True)
"""


def test_killed_at_any_moment_no_acknowledged_change_is_lost(tmp_path: Path) -> None:
    folder, acknowledged = tmp_path / "journal", 0
    for lines in (1, 3, 8, 20):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(folder)], stdout=subprocess.PIPE, cwd=os.getcwd())
        assert writer.stdout is not None
        for _ in range(lines):
            acknowledged = int(writer.stdout.readline())
        writer.send_signal(signal.SIGKILL)
        acknowledged = max([acknowledged, *map(int, writer.stdout.read().split())])
        writer.stdout.close()
        writer.wait()
        journal = opened(folder)
        assert journal.mark.position in (acknowledged, acknowledged + 1)
        assert len(keys(journal)) == journal.mark.position


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=20), st.lists(st.integers(0, 20), max_size=3)
)
def test_replay_is_the_same_with_and_without_snapshots(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, bool]], snapshots: list[int]
) -> None:
    plain, summed = (opened(tmp_path_factory.mktemp(name) / "journal") for name in ("plain", "summed"))
    for position, (key, present) in enumerate(steps, 1):
        edits = (edit("plan", key, None, Plan(name=key, mailboxes=position) if present else None),)
        for journal in (plain, summed):
            journal.append(Change(position, 0.0, "a", "b", "c", None, edits))
        if position in snapshots:
            summed.snapshot()
    assert plain.tables() == summed.tables()
    assert opened(folder_of(summed)).mark == plain.mark
    plain.close()
    summed.close()
