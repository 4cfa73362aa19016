"""The storer process: what mail programs note about folders (METADATA), and the lists of folders it keeps."""

import os
import shutil

import pytest

from emailgency.store import layout
from emailgency.store.backup.files import Copier
from emailgency.store.backup.maildirs import copy_customers
from emailgency.store.storing.annotations import SPECIAL_USE
from emailgency.store.storing.messages import (
    Annotate,
    CreateFolder,
    DeleteFolder,
    Folders,
    ReadAnnotations,
    RenameFolders,
    Subscriptions,
)
from emailgency.store.storing.replies import Annotations, Done, Failed, FolderList, Refused, Unchanged
from emailgency.store.verify import verify
from tests.support.storer import StorerProcess

BOX = layout.mailbox("c", "m1")
WORK = layout.folder(BOX, ("Work",))
LABOUR = layout.folder(BOX, ("Labour",))


@pytest.fixture(autouse=True)
def folders(storer: StorerProcess) -> None:
    for folder in (BOX, WORK):
        storer.ask(CreateFolder(storer.number(), folder))


def note(storer: StorerProcess, folder: str, most: int = 10, octets: int = 1000, server: bool = False, **entries):
    named = tuple((f"/private/{name}", value) for name, value in entries.items())
    return storer.ask(Annotate(storer.number(), folder, named, most, octets, server))


def read(storer: StorerProcess, folder: str, server: bool = False) -> dict[str, bytes]:
    reply = storer.ask(ReadAnnotations(storer.number(), folder, server))
    assert isinstance(reply, Annotations), reply
    return dict(reply.entries)


def test_notes_are_kept_changed_and_taken_away(storer: StorerProcess) -> None:
    assert isinstance(note(storer, WORK, a=b"1", b=b"\0\xff"), Done)
    assert isinstance(note(storer, WORK, a=b"2", b=None, c=b""), Done)
    assert read(storer, WORK) == {"/private/a": b"2", "/private/c": b""}
    assert read(storer, BOX) == {}


def test_notes_about_the_server_are_not_those_about_inbox(storer: StorerProcess) -> None:
    note(storer, BOX, a=b"folder")
    note(storer, BOX, server=True, a=b"server")
    assert read(storer, BOX) == {"/private/a": b"folder"}
    assert read(storer, BOX, server=True) == {"/private/a": b"server"}


def test_beyond_a_limit_none_of_the_entries_is_noted(storer: StorerProcess) -> None:
    note(storer, WORK, a=b"1")
    for reply in (note(storer, WORK, most=2, b=b"1", c=b"1"), note(storer, WORK, octets=100, b=b"x" * 100)):
        assert reply == Refused(reply.number, "limit")
    assert read(storer, WORK) == {"/private/a": b"1"}
    assert isinstance(note(storer, WORK, most=0, a=None), Done)  # less is always possible


def test_notes_go_with_their_folder(storer: StorerProcess) -> None:
    note(storer, WORK, a=b"1")
    storer.ask(RenameFolders(storer.number(), ((WORK, LABOUR),)))
    assert read(storer, LABOUR) == {"/private/a": b"1"}
    storer.ask(DeleteFolder(storer.number(), LABOUR))
    reply = storer.ask(ReadAnnotations(storer.number(), LABOUR))
    assert reply == Refused(reply.number, "nonexistent")
    storer.ask(CreateFolder(storer.number(), LABOUR))
    assert read(storer, LABOUR) == {}


def test_a_damaged_file_is_reported_and_left_as_it_is(storer: StorerProcess, data: str) -> None:
    note(storer, WORK, a=b"1")
    with open(f"{data}/{WORK}/annotations", "r+b") as file:
        file.write(b"00000000")
    assert isinstance(storer.ask(ReadAnnotations(storer.number(), WORK)), Failed)
    assert isinstance(note(storer, WORK, a=b"2"), Failed)
    assert any(finding.path.endswith("annotations") for finding in verify(data))
    os.unlink(f"{data}/{WORK}/annotations")


def test_a_backup_has_them(storer: StorerProcess, data: str, tmp_path) -> None:
    note(storer, WORK, a=b"1")
    copy_customers(Copier(data, str(tmp_path)), lambda done: None)
    with open(f"{data}/{WORK}/annotations", "rb") as here, open(f"{tmp_path}/{WORK}/annotations", "rb") as there:
        assert here.read() == there.read()
    assert not any("annotations" in finding.path for finding in verify(str(tmp_path)))


# ---- lists of folders --------------------------------------------------------------------------------------


def listing(storer: StorerProcess, token: str = "") -> FolderList | Unchanged:
    return storer.ask(Folders(storer.number(), BOX, token))


def test_a_list_that_is_still_true_is_not_sent_again(storer: StorerProcess) -> None:
    found = listing(storer)
    assert isinstance(listing(storer, found.token), Unchanged)
    note(storer, WORK, a=b"no matter")
    assert isinstance(listing(storer, found.token), Unchanged)


def test_every_change_makes_a_new_list(storer: StorerProcess, data: str) -> None:
    def foreign() -> None:
        os.makedirs(f"{data}/{BOX}/.Foreign/cur")

    changes = [
        lambda: storer.ask(CreateFolder(storer.number(), LABOUR)),
        lambda: storer.ask(Subscriptions(storer.number(), BOX, ("Work",))),
        lambda: storer.ask(Annotate(storer.number(), WORK, ((SPECIAL_USE, b"\\Junk"),), 10, 1000)),
        lambda: storer.ask(RenameFolders(storer.number(), ((LABOUR, f"{LABOUR}2"),))),
        lambda: storer.ask(DeleteFolder(storer.number(), f"{LABOUR}2")),
        foreign,
        lambda: shutil.rmtree(f"{data}/{BOX}/.Foreign"),
    ]
    known = listing(storer)
    for change in changes:
        change()
        found = listing(storer, known.token)
        assert isinstance(found, FolderList)
        known = found
    assert known.uses == ((WORK, "\\Junk"),)
    assert known.subscriptions == ("Work",)
    assert known.folders == (BOX, WORK)


def test_attack_30_a_link_in_place_of_a_folder_is_no_folder(storer: StorerProcess, data: str) -> None:
    os.symlink("/", f"{data}/{BOX}/.Out")
    os.symlink(f"{data}/{WORK}", f"{data}/{BOX}/.Again")
    os.makedirs(f"{data}/{BOX}/.Odd")
    os.symlink("/tmp", f"{data}/{BOX}/.Odd/cur")
    assert listing(storer).folders == (BOX, WORK)
    assert isinstance(note(storer, f"{BOX}/.Out", a=b"1"), Refused | Failed)
