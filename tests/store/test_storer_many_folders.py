"""Opening ten thousand folders costs syncs only where numbers are given, and what was known of them is known again."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from emailgency.store.storing.maildirs import Maildirs
from emailgency.store.storing.uids import Uids

COUNT = 30


class Disk:
    """A data folder, and how often something in it was synced."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path = path
        self.syncs = 0
        self.root = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        for name in ("fsync", "fdatasync"):
            monkeypatch.setattr(os, name, self._synced)

    def _synced(self, descriptor: int) -> None:
        self.syncs += 1

    def foreign(self, name: str) -> None:
        """A Maildir of another program, long ago."""
        for subfolder in ("new", "cur", "tmp"):
            os.makedirs(self.path / name / subfolder)
            os.utime(self.path / name / subfolder, (1e9, 1e9))

    def opened(self, maildirs: Maildirs) -> dict[str, tuple[int, int, int]]:
        """UIDVALIDITY, UIDNEXT and HIGHESTMODSEQ by name, as STATUS would tell them."""
        found = {}
        for number in range(COUNT):
            maildir = maildirs.get(f"m{number}")
            assert maildir is not None
            maildir.look()
            maildir.date_changes()
            found[f"m{number}"] = (maildir.uids.validity, maildir.uids.next, maildir.uids.highest)
            maildirs.trim(lambda: ())
        return found


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    disk = Disk(tmp_path, monkeypatch)
    yield disk
    os.close(disk.root)


def test_folders_are_opened_and_closed_without_a_sync_when_no_number_is_given(disk: Disk) -> None:
    for number in range(COUNT):
        disk.foreign(f"m{number}")
    first = Maildirs(disk.root, limit=3)
    first.validities.take(time.time())  # a block of them is reserved
    disk.syncs = 0
    known = disk.opened(first)
    first.settle()
    assert disk.syncs == 0
    assert disk.opened(Maildirs(disk.root, limit=3)) == known
    assert disk.syncs == 0


def test_the_first_uid_of_such_a_folder_syncs_its_file_and_its_name(disk: Disk) -> None:
    disk.foreign("m0")
    maildir = Maildirs(disk.root).get("m0")
    assert maildir is not None
    disk.syncs = 0
    maildir.uids.take()
    assert disk.syncs == 2
    for _ in range(500):
        maildir.uids.take()
    assert disk.syncs == 2


def test_a_folder_whose_messages_have_uids_gets_a_uidvalidity_that_stays(disk: Disk) -> None:
    disk.foreign("m0")
    (disk.path / "m0" / "cur" / "1.a.b,S=1,U=7:2,").write_bytes(b"x")
    maildirs = Maildirs(disk.root)
    maildirs.validities.take(time.time())
    disk.syncs = 0
    assert maildirs.get("m0") is not None
    assert disk.syncs == 2


def test_folders_that_others_have_changed_cost_one_sync_each(disk: Disk) -> None:
    for number in range(COUNT):
        disk.foreign(f"m{number}")
    before = disk.opened(Maildirs(disk.root, limit=0))
    for number in range(COUNT):
        os.utime(disk.path / f"m{number}" / "cur", (1e9 + 1, 1e9 + 1))
    disk.syncs = 0
    after = disk.opened(Maildirs(disk.root, limit=0))
    assert disk.syncs <= COUNT
    for name, (validity, uidnext, highest) in after.items():
        assert (validity, uidnext) == before[name][:2]
        assert highest > before[name][2]


def test_half_a_line_is_never_followed_by_another(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    disk.foreign("m0")
    maildir = Maildirs(disk.root).get("m0")
    assert maildir is not None
    validity, first = maildir.uids.validity, maildir.uids.take()
    write, left = os.write, [20]

    def full(descriptor: int, octets: bytes) -> int:
        if not left[0]:
            raise OSError(28, "No space left on device")
        step = write(descriptor, octets[: left[0]])
        left[0] -= step
        return step

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space"):
        maildir.uids.reserve(maildir.uids.next + 5000)
    monkeypatch.setattr(os, "write", write)
    maildir.uids.reserve(maildir.uids.next + 5000)
    again = Uids.load(maildir.subfolder(""))
    assert again is not None
    assert (again.validity, again.next) == (validity, first + 5001)
