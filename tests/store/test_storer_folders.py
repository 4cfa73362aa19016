"""The storer process: what IMAP asks of folders."""

import os
import time
from typing import Any

import pytest

from emailgency.codec import maildir
from emailgency.store import layout
from emailgency.store.storing.messages import (
    Append,
    Copy,
    CreateFolder,
    DeleteFolder,
    Expunge,
    Folders,
    Keywords,
    New,
    Open,
    RenameFolders,
    SetFlags,
    Subscriptions,
    Write,
)
from emailgency.store.storing.replies import Changed, Done, FolderList, KeywordList, Opened, Refused, Unchanged
from tests.support.storer import StorerProcess, fresh_id

BOX = layout.mailbox("c", "m1")
ARCHIVE = layout.folder(BOX, ("Archive",))


class Box:
    """A mailbox with three messages and an empty folder."""

    def __init__(self, storer: StorerProcess, data: str) -> None:
        self.storer = storer
        self.data = data
        self.ids = [storer.deliver(b"message %d" % index, "m1") for index in range(3)]
        self.create(ARCHIVE)

    def create(self, folder: str) -> Opened:
        reply = self.storer.ask(CreateFolder(self.storer.number(), folder))
        assert isinstance(reply, Opened)
        return reply

    def open(self, folder: str = BOX) -> Opened:
        reply = self.storer.ask(Open(self.storer.number(), folder))
        assert isinstance(reply, Opened)
        return reply

    def messages(self, folder: str = BOX) -> tuple[tuple[int, str], ...]:
        return tuple((maildir.uid_of(name), name) for _, name in self.open(folder).names)

    def texts(self, folder: str = BOX) -> list[bytes]:
        texts = []
        for subfolder, name in self.open(folder).names:
            with open(os.path.join(self.data, folder, subfolder, name), "rb") as stream:
                texts.append(stream.read())
        return texts

    def flag(self, folder: str, *changes: tuple[int, str, str]) -> Changed:
        reply = self.storer.ask(SetFlags(self.storer.number(), folder, changes))
        assert isinstance(reply, Changed)
        return reply


@pytest.fixture
def box(storer: StorerProcess, data: str) -> Box:
    return Box(storer, data)


def test_what_another_program_does_in_the_midst_of_our_change_shows_when_it_has_just_been_seen(data: str) -> None:
    new = os.path.join(data, BOX, "new")

    def interrupted() -> None:
        rename = os.rename

        def renamed(old: str, *arguments: Any, **keywords: Any) -> None:
            for name in os.listdir(new) if ",U=1" in str(old) else ():
                if ",U=3" in name:
                    os.unlink(os.path.join(new, name))
            rename(old, *arguments, **keywords)

        os.rename = renamed

    box = Box(StorerProcess(data, interrupted), data)
    (one, _), (_, second), _ = box.messages()
    os.unlink(os.path.join(new, second))
    assert [uid for uid, _ in box.messages()] == [1, 3]
    box.flag(BOX, (one, box.messages()[0][1], "S"))
    assert [uid for uid, _ in box.messages()] == [1]
    box.storer.close()


def test_append_keeps_flags_date_and_octets(box: Box) -> None:
    id = fresh_id()
    box.storer.tell(Write(id, b"first "))
    reply = box.storer.ask(Append(box.storer.number(), ARCHIVE, (New(id, b"rest", "FS", 1_000_000_000.0),)))
    assert isinstance(reply, Changed)
    (placed,) = reply.placed
    assert (placed.uid, placed.subfolder, reply.uidnext) == (1, "cur", 2)
    path = os.path.join(box.data, ARCHIVE, "cur", placed.name)
    assert os.stat(path).st_mtime == 1_000_000_000
    assert maildir.parse(placed.name).flags == "FS"
    assert box.texts(ARCHIVE) == [b"first rest"]
    assert not os.path.exists(os.path.join(box.data, layout.message(id)))


def test_append_to_a_folder_that_is_not_there_leaves_nothing(box: Box) -> None:
    id = fresh_id()
    reply = box.storer.ask(Append(box.storer.number(), f"{BOX}/.No", (New(id, b"x", "", 0.0),)))
    assert reply == Refused(reply.number, "nonexistent")
    assert not os.path.exists(os.path.join(box.data, layout.message(id)))


def test_copy_is_a_second_name_with_uids_of_its_own(box: Box) -> None:
    messages = box.messages()
    reply = box.storer.ask(Copy(box.storer.number(), BOX, ARCHIVE, messages))
    assert [(placed.source_uid, placed.uid) for placed in reply.placed] == [(1, 1), (2, 2), (3, 3)]
    assert box.texts(ARCHIVE) == box.texts() == [b"message 0", b"message 1", b"message 2"]
    assert os.stat(os.path.join(box.data, BOX, "new", messages[0][1])).st_nlink == 3


def test_move_takes_it_from_here_to_there(box: Box) -> None:
    before = box.messages()
    reply = box.storer.ask(Copy(box.storer.number(), BOX, ARCHIVE, before[:2], move=True))
    assert reply.expunged == (1, 2)
    assert box.messages() == before[2:]
    assert box.texts(ARCHIVE) == [b"message 0", b"message 1"]


def test_move_within_a_folder_gives_new_uids(box: Box) -> None:
    box.storer.ask(Copy(box.storer.number(), BOX, BOX, box.messages()[:1], move=True))
    assert [uid for uid, _ in box.messages()] == [2, 3, 4]


def test_copy_of_a_message_that_is_gone_copies_nothing(box: Box) -> None:
    messages = box.messages()
    os.unlink(os.path.join(box.data, BOX, "new", messages[1][1]))
    reply = box.storer.ask(Copy(box.storer.number(), BOX, ARCHIVE, messages))
    assert reply == Refused(reply.number, "nonexistent")
    assert box.texts(ARCHIVE) == []


def test_copy_that_failed_half_way_leaves_nothing(box: Box) -> None:
    long = os.path.join(box.data, BOX, "new", box.messages()[1][1])
    name = os.path.basename(long).partition(",")[0] + ",S=9,X=" + "x" * 180 + ",U=2"
    os.rename(long, os.path.join(box.data, BOX, "new", name))
    copy = Copy(box.storer.number(), BOX, layout.folder(BOX, ("No",)), box.messages())
    assert isinstance(box.storer.ask(copy), Refused)
    assert len(box.texts()) == 3


def test_expunge_removes_and_counts_what_is_gone_already(box: Box) -> None:
    messages = box.messages()
    os.unlink(os.path.join(box.data, BOX, "new", messages[0][1]))
    reply = box.storer.ask(Expunge(box.storer.number(), BOX, messages[:2]))
    assert reply.expunged == (1, 2)
    assert box.texts() == [b"message 2"]
    assert box.open().uidnext == 4


def test_flags_are_letters_in_cur(box: Box) -> None:
    uid, name = box.messages()[0]
    reply = box.flag(BOX, (uid, name, "FS"))
    assert reply.renamed == ((1, "cur", f"{name}:2,FS"),)
    assert box.open().names[0] == ("cur", f"{name}:2,FS")
    assert box.flag(BOX, (uid, "not known any more", "")).renamed == ((1, "cur", f"{name}:2,"),)


def test_flags_of_a_message_that_is_gone_are_passed_over(box: Box) -> None:
    uid, name = box.messages()[0]
    os.unlink(os.path.join(box.data, BOX, "new", name))
    assert box.flag(BOX, (uid, name, "S")).renamed == ()


def test_keywords_get_letters_that_stay(box: Box) -> None:
    def give(*words: str) -> object:
        return box.storer.ask(Keywords(box.storer.number(), BOX, words))

    assert isinstance(give("$Forwarded", "Work"), KeywordList)
    reply = give("work", "Later")
    assert reply == KeywordList(reply.number, ("$Forwarded", "Work", "Later"))
    with open(os.path.join(box.data, BOX, "dovecot-keywords"), encoding="ascii") as stream:
        assert stream.read() == "0 $Forwarded\n1 Work\n2 Later\n"
    reply = give(*(f"k{index}" for index in range(24)))
    assert reply == Refused(reply.number, "limit")
    assert box.open().keywords == ("$Forwarded", "Work", "Later")


def test_keywords_keep_their_meaning_in_another_folder(box: Box) -> None:
    box.storer.ask(Keywords(box.storer.number(), BOX, ("one", "two")))
    box.storer.ask(Keywords(box.storer.number(), ARCHIVE, ("other",)))
    uid, name = box.messages()[0]
    ((_, _, name),) = box.flag(BOX, (uid, name, "Sb")).renamed
    box.storer.ask(Copy(box.storer.number(), BOX, ARCHIVE, ((uid, name),)))
    reply = box.open(ARCHIVE)
    assert reply.keywords == ("other", "two")
    assert maildir.parse(reply.names[0][1]).flags == "Sb"


# ---- other programs at the same Maildir ------------------------------------------------------------------


def test_files_of_other_programs_get_a_uid_in_order_of_arrival(box: Box) -> None:
    folder = os.path.join(box.data, BOX)
    for index, name in enumerate(["20.b.host:2,S", "10.ä b.host", "\udcff:2,FF"]):
        path = os.path.join(folder, "cur" if ":2," in name else "new", name)
        with open(path, "wb") as stream:
            stream.write(b"foreign %d" % index)
        os.utime(path, (1000 + index, 1000 + index))
    reply = box.open()
    assert [maildir.uid_of(name) for _, name in reply.names] == [1, 2, 3, 4, 5, 6]
    assert box.texts()[3:] == [b"foreign 0", b"foreign 1", b"foreign 2"]
    assert [maildir.parse(name).flags for _, name in reply.names[3:]] == ["S", "", "F"]
    assert all(name.isascii() for _, name in reply.names)


def test_flags_another_program_sets_keep_the_uid(box: Box) -> None:
    token = box.open().token
    _, name = box.messages()[1]
    os.rename(os.path.join(box.data, BOX, "new", name), os.path.join(box.data, BOX, "cur", f"{name}:2,S"))
    reply = box.storer.ask(Open(box.storer.number(), BOX, token))
    assert isinstance(reply, Opened)
    assert reply.names[1] == ("cur", f"{name}:2,S")
    assert reply.token != token
    assert isinstance(box.storer.ask(Open(box.storer.number(), BOX, reply.token)), Unchanged)


@pytest.mark.parametrize("stolen", [1, 2, 3, 77, 4294967295])
def test_a_uid_another_program_brings_along_is_not_believed(box: Box, stolen: int) -> None:
    box.storer.ask(Expunge(box.storer.number(), BOX, box.messages()[:1]))
    with open(os.path.join(box.data, BOX, "cur", f"5.x.host,U={stolen}:2,"), "wb") as stream:
        stream.write(b"foreign")
    assert [uid for uid, _ in box.messages()] == [2, 3, 4]
    assert box.texts()[-1] == b"foreign"


def test_a_lost_uids_file_means_a_new_uidvalidity(box: Box, data: str) -> None:
    before = box.open()
    box.storer.kill()
    os.unlink(os.path.join(data, BOX, "uids"))
    box.storer = StorerProcess(data)
    after = box.open()
    assert after.uidvalidity > before.uidvalidity
    assert after.names == before.names
    box.storer.close()


def test_links_and_folders_among_the_messages_are_no_messages(box: Box) -> None:
    inside = os.path.join(box.data, BOX, "cur")
    os.symlink("/etc/passwd", f"{inside}/1.a.host:2,S")
    os.mkdir(f"{inside}/2.b.host:2,S")
    assert len(box.open().names) == 3
    os.unlink(f"{inside}/1.a.host:2,S")
    os.rmdir(f"{inside}/2.b.host:2,S")


# ---- the tree --------------------------------------------------------------------------------------------


def test_folders_are_listed_with_subscriptions(box: Box) -> None:
    box.create(layout.folder(BOX, ("Archive", "2025")))
    assert isinstance(box.storer.ask(Subscriptions(box.storer.number(), BOX, ("INBOX", "Archive/2025"))), Done)
    reply = box.storer.ask(Folders(box.storer.number(), BOX))
    assert reply == FolderList(
        reply.number, (BOX, ARCHIVE, f"{ARCHIVE}.2025"), ("INBOX", "Archive/2025"), token=reply.token
    )


def test_a_mailbox_that_is_not_there_has_no_folders(box: Box) -> None:
    reply = box.storer.ask(Folders(box.storer.number(), layout.mailbox("c", "nobody")))
    assert reply.folders == ()


def test_create_refuses_an_existing_folder_unless_quiet(box: Box) -> None:
    reply = box.storer.ask(CreateFolder(box.storer.number(), ARCHIVE))
    assert reply == Refused(reply.number, "exists")
    assert isinstance(box.storer.ask(CreateFolder(box.storer.number(), ARCHIVE, True)), Opened)


def test_a_deleted_folder_is_gone_and_its_name_gets_another_uidvalidity(box: Box) -> None:
    before = box.open(ARCHIVE).uidvalidity
    assert isinstance(box.storer.ask(DeleteFolder(box.storer.number(), ARCHIVE)), Done)
    assert isinstance(box.storer.ask(Open(box.storer.number(), ARCHIVE)), Refused)
    assert isinstance(box.storer.ask(DeleteFolder(box.storer.number(), ARCHIVE)), Refused)
    assert box.create(ARCHIVE).uidvalidity > before


def test_deleting_a_mailbox_takes_its_folders_along(box: Box) -> None:
    box.storer.ask(DeleteFolder(box.storer.number(), BOX))
    assert not os.path.exists(os.path.join(box.data, BOX))
    trash = os.path.join(box.data, layout.TRASH)
    deadline = time.monotonic() + 10
    while os.listdir(trash):
        assert time.monotonic() < deadline
        box.storer.ask(Folders(box.storer.number(), BOX))


def test_rename_takes_messages_and_uids_along(box: Box) -> None:
    box.storer.ask(Copy(box.storer.number(), BOX, ARCHIVE, box.messages()))
    before = box.open(ARCHIVE)
    pairs = ((ARCHIVE, f"{BOX}/.Old"),)
    assert isinstance(box.storer.ask(RenameFolders(box.storer.number(), pairs)), Done)
    after = box.open(f"{BOX}/.Old")
    assert (after.names, after.uidvalidity, after.uidnext) == (before.names, before.uidvalidity, before.uidnext)


def test_rename_is_all_or_none(box: Box) -> None:
    box.create(f"{BOX}/.A")
    box.create(f"{BOX}/.A.B")
    box.create(f"{BOX}/.Taken")
    pairs = ((f"{BOX}/.A", f"{BOX}/.Z"), (f"{BOX}/.A.B", f"{BOX}/.Taken"))
    reply = box.storer.ask(RenameFolders(box.storer.number(), pairs))
    assert reply == Refused(reply.number, "exists")
    assert f"{BOX}/.A" in box.storer.ask(Folders(box.storer.number(), BOX)).folders
    reply = box.storer.ask(RenameFolders(box.storer.number(), ((f"{BOX}/.No", f"{BOX}/.Y"),)))
    assert reply == Refused(reply.number, "nonexistent")
