"""Mod-sequences (RFC 7162): they grow over every end of the storer; when something is uncertain, all has changed."""

import os
import shutil
from array import array
from typing import Any

import pytest

from emailgency.codec import maildir
from emailgency.store import layout
from emailgency.store.storing import modseqs
from emailgency.store.storing.messages import Copy, CreateFolder, Expunge, Open, SetFlags, Vanished
from emailgency.store.storing.replies import Changed, Gone, Opened
from emailgency.store.storing.uids import Uids
from tests.support.storer import StorerProcess

BOX = layout.mailbox("c", "m1")
ARCHIVE = layout.folder(BOX, ("Archive",))


class Box:
    """Three messages; what they are like, by UID."""

    def __init__(self, tmp_path: Any) -> None:
        self.data = str(tmp_path)
        self.begin()
        for index in range(3):
            self.storer.deliver(b"message %d" % index, "m1")
        self.storer.ask(CreateFolder(self.storer.number(), ARCHIVE, quiet=True))

    def begin(self) -> None:
        self.storer = StorerProcess(self.data)

    def again(self) -> None:
        self.storer.stop()
        self.begin()

    def open(self, folder: str = BOX) -> Opened:
        reply = self.storer.ask(Open(self.storer.number(), folder))
        assert isinstance(reply, Opened)
        return reply

    def modseqs(self, folder: str = BOX) -> dict[int, int]:
        opened = self.open(folder)
        assert opened.highest >= max(array("Q", opened.modseqs), default=0)
        return dict(zip([maildir.uid_of(name) for _, name in opened.names], array("Q", opened.modseqs), strict=True))

    def files(self, *uids: int) -> tuple[tuple[int, str], ...]:
        return tuple((uid, name) for _, name in self.open().names if (uid := maildir.uid_of(name)) in uids)

    def flag(self, letters: str, *uids: int) -> Changed:
        messages = tuple((uid, name, letters) for uid, name in self.files(*uids))
        reply = self.storer.ask(SetFlags(self.storer.number(), BOX, messages))
        assert isinstance(reply, Changed)
        return reply

    def expunge(self, *uids: int) -> Changed:
        reply = self.storer.ask(Expunge(self.storer.number(), BOX, self.files(*uids)))
        assert isinstance(reply, Changed)
        return reply

    def vanished(self, since: int) -> Gone:
        reply = self.storer.ask(Vanished(self.storer.number(), BOX, since))
        assert isinstance(reply, Gone)
        return reply

    def disk(self, name: str) -> str:
        return os.path.join(self.data, BOX, name)


@pytest.fixture
def box(tmp_path):
    made = Box(tmp_path)
    yield made
    made.storer.close()


def test_every_change_has_a_greater_one_and_changes_nothing_else(box):
    first = box.modseqs()
    assert sorted(first.values()) == list(first.values())
    assert len(set(first.values())) == 3
    flagged = box.flag("S", 2)
    assert flagged.modseq > max(first.values())
    assert box.modseqs() == {**first, 2: flagged.modseq}
    gone = box.expunge(1)
    assert gone.modseq > flagged.modseq
    assert box.open().highest == gone.modseq
    moved = box.storer.ask(Copy(box.storer.number(), BOX, ARCHIVE, box.files(2), move=True))
    assert isinstance(moved, Changed)
    assert moved.modseq > gone.modseq
    assert box.modseqs(ARCHIVE) == {1: moved.placed[0].modseq}
    assert box.vanished(first[3]) == Gone(box.vanished(0).number - 1, True, (1, 2))
    assert box.vanished(gone.modseq).uids == (2,)


def test_a_clean_stop_keeps_all_of_it(box):
    box.flag("S", 2)
    gone = box.expunge(1)
    before, highest = box.modseqs(), box.open().highest
    for _ in range(3):
        box.again()
        assert (box.modseqs(), box.open().highest) == (before, highest)
        assert box.vanished(gone.modseq - 1).uids == (1,)
    assert box.flag("F", 3).modseq > highest


def test_what_is_older_than_the_folders_memory_is_not_known(box):
    assert not box.vanished(1).known


@pytest.mark.parametrize("clock", [0, -7200])
def test_after_a_kill_everything_counts_as_changed(box, clock, monkeypatch):
    box.open()
    box.again()
    box.flag("S", 2)
    highest = box.open().highest
    box.storer.kill()
    real = modseqs.Uids.take_modseq.__globals__["_now"]
    monkeypatch.setitem(modseqs.Uids.take_modseq.__globals__, "_now", lambda: real() + clock * 1_000_000)
    box.begin()
    assert min(box.modseqs().values()) > highest
    assert not box.vanished(highest).known


@pytest.mark.parametrize("harm", ["flags", "unlink", "keywords", "modseqs", "truncate", "missing"])
def test_what_somebody_did_while_we_were_away_is_never_passed_over(box, harm):
    box.flag("S", 2)
    highest = box.open().highest
    box.storer.stop()
    (name,) = os.listdir(box.disk("cur"))
    if harm == "flags":
        os.rename(box.disk(f"cur/{name}"), box.disk(f"cur/{name}F"))
    elif harm == "unlink":
        os.unlink(box.disk(f"cur/{name}"))
    elif harm == "keywords":
        with open(box.disk("dovecot-keywords"), "w") as file:
            file.write("0 other\n")
    elif harm == "missing":
        os.unlink(box.disk(modseqs.NAME))
    else:
        with open(box.disk(modseqs.NAME), "r+b") as file:
            file.truncate(20 if harm == "truncate" else 0)
    box.begin()
    assert min(box.modseqs().values()) > highest
    assert not box.vanished(highest).known


def test_a_copied_folder_remembers_nothing(box):
    box.flag("S", 2)
    highest = box.open().highest
    box.storer.stop()
    folder = os.path.join(box.data, BOX)
    shutil.copytree(folder, f"{folder}-copy", copy_function=shutil.copy2)
    shutil.rmtree(folder)
    os.rename(f"{folder}-copy", folder)
    box.begin()
    assert min(box.modseqs().values()) > highest


def test_a_neighbours_changes_get_theirs_when_they_are_told(box):
    third = box.files(3)
    (name, *_) = sorted(os.listdir(box.disk("new")))
    os.rename(box.disk(f"new/{name}"), box.disk(f"cur/{name}:2,F"))
    messages = tuple((uid, name, "S") for uid, name in third)
    answered = box.storer.ask(SetFlags(box.storer.number(), BOX, messages))
    assert isinstance(answered, Changed)
    told = box.modseqs()
    assert told[1] > answered.modseq
    assert box.open().highest == told[1]


def test_the_memory_of_expunges_is_bounded(tmp_path):
    descriptor = os.open(tmp_path, os.O_RDONLY)
    known = modseqs.Modseqs(descriptor, Uids.make(descriptor, 1, 1))
    known.reset()
    for uid in range(1, modseqs.GONE + 2):
        known.gone((uid,), known.numbers.take_modseq())
    assert known.vanished(known.floor) is None
    left = known.vanished(known.since)
    assert left is not None
    assert list(left)[-1] == modseqs.GONE + 1
    assert len(left) == modseqs.GONE // 2
    known.put_away()
    assert known.vanished(known.numbers.highest - 1) is not None
    os.close(descriptor)
