"""Folders over a real storer: what a snapshot promises its readers."""

import os
import shutil
import signal
import tempfile
from collections.abc import Collection

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from emailgency.model.errors import Temporary
from emailgency.store import layout
from emailgency.store.mailboxes.folder import Folder, keyword_letters
from emailgency.store.mailboxes.folders import Folders
from emailgency.store.storing.line import Storer
from emailgency.store.storing.replies import Refused

BOX = layout.mailbox("c1", "box")
MESSAGE = b"Subject: a\r\n\r\ntext\r\n"


class Reader:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[list[int]] = []

    def folder_changed(self, flagged: Collection[int]) -> None:
        self.told.append(sorted(flagged))


class FoldersTest(TestCase):
    async def setUp(self) -> None:
        self.root = tempfile.mkdtemp(prefix="folders-")
        self.storer = Storer(reactor, self.root)
        self.folders = Folders(self.storer, self.root)
        await self.storer.start()

    async def tearDown(self) -> None:
        await self.storer.stop()
        shutil.rmtree(self.root)

    async def made(self, *name: str, messages: int = 0) -> Folder:
        folder = await self.folders.create(layout.folder(BOX, name), quiet=True)
        assert isinstance(folder, Folder)
        for _ in range(messages):
            await self.append(folder)
        return folder

    async def append(self, folder: Folder, letters: str = "") -> int:
        arrival = self.folders.begin_append(1.7e9)
        arrival.write(MESSAGE)
        uid = await self.folders.append(folder, arrival, letters, 1.6e9)
        assert isinstance(uid, int)
        return uid

    async def test_all_openers_share_one_snapshot(self) -> None:
        folder = await self.made(messages=3)
        assert await self.folders.open(BOX) is folder
        assert list(folder.uids) == [1, 2, 3]
        assert folder.size(0) == len(MESSAGE)
        assert folder.date(2) == 1.6e9
        assert folder.octets() == 3 * len(MESSAGE)

    async def test_what_is_not_there_is_refused(self) -> None:
        assert await self.folders.open(layout.folder(BOX, ("No",))) == Refused(1, "nonexistent")
        await self.made("Yes")
        assert isinstance(await self.folders.create(layout.folder(BOX, ("Yes",))), Refused)
        assert isinstance(await self.folders.delete(layout.folder(BOX, ("No",))), Refused)

    async def test_readers_are_told_of_every_change_and_the_author_is_spared_its_own_flags(self) -> None:
        folder = await self.made(messages=2)
        one, two = Reader(), Reader()
        self.folders.hold(folder, one)
        self.folders.hold(folder, two)
        await self.folders.set_flags(folder, [1, 2], lambda old: old + "S", silent_to=one)
        await self.append(folder)
        await self.folders.expunge(folder, [2])
        assert one.told == [[], [], []]
        assert two.told == [[1, 2], [], []]
        assert list(folder.uids) == [1, 3]
        assert folder.letters == ["S", ""]
        self.folders.release(folder, two)
        await self.folders.set_flags(folder, [3], lambda old: "F")
        assert len(two.told) == 3
        assert one.told[-1] == [3]

    async def test_an_old_column_of_uids_is_never_changed_but_at_its_end(self) -> None:
        folder = await self.made(messages=5)
        column, length = folder.uids, len(folder)
        await self.append(folder)
        assert folder.uids is column
        await self.folders.expunge(folder, [1, 4])
        await self.append(folder)
        assert list(column[:length]) == [1, 2, 3, 4, 5]
        assert list(folder.uids) == [2, 3, 5, 6, 7]

    async def test_many_messages_go_in_several_requests(self) -> None:
        folder = await self.made()
        for number in range(1203):
            with open(f"{self.root}/{BOX}/cur/17000{number:05d}.a.x,S={len(MESSAGE)}:2,", "wb") as file:
                file.write(MESSAGE)
        await self.folders.refresh(folder)
        assert len(folder) == 1203
        await self.folders.set_flags(folder, list(folder.uids), lambda old: "FS")
        assert set(folder.letters) == {"FS"}
        archive = await self.made("Archive")
        copied = await self.folders.copy(folder, list(folder.uids), archive)
        assert copied == list(zip(folder.uids, archive.uids, strict=True))
        await self.folders.expunge(folder, list(folder.uids))
        assert len(folder) == 0
        assert os.listdir(f"{self.root}/{BOX}/cur") == []

    async def test_keywords_keep_their_meaning_in_another_folder(self) -> None:
        folder, archive = await self.made(messages=2), await self.made("Archive")
        assert await self.folders.letters(archive, ["Other"]) == "a"
        assert await self.folders.letters(folder, ["$Work", "Late"]) == "ab"
        assert await self.folders.letters(folder, ["late", "$WORK"]) == "ba"
        await self.folders.set_flags(folder, [1], lambda old: "Sab")
        assert await self.folders.copy(folder, [1], archive, move=True) == [(1, 1)]
        known = keyword_letters(archive)
        assert set(archive.letters[0]) == {"S", known["$work"], known["late"]}

    async def test_rename_keeps_readers_and_uids(self) -> None:
        folder = await self.made("A", messages=2)
        reader = Reader()
        self.folders.hold(folder, reader)
        assert await self.folders.rename([(layout.folder(BOX, ("A",)), layout.folder(BOX, ("B",)))]) is None
        assert await self.folders.open(layout.folder(BOX, ("B",))) is folder
        assert list(folder.uids) == [1, 2]
        await self.append(folder)
        assert list(folder.uids) == [1, 2, 3]
        assert not folder.gone

    async def test_a_deleted_folder_is_gone_for_its_readers(self) -> None:
        folder = await self.made("A")
        reader = Reader()
        self.folders.hold(folder, reader)
        assert await self.folders.delete(folder.path) is None
        assert folder.gone
        assert reader.told == [[]]
        again = await self.made("A")
        assert again is not folder
        assert again.uidvalidity != folder.uidvalidity

    async def test_unread_folders_are_forgotten_beyond_the_bound(self) -> None:
        self.folders = Folders(self.storer, self.root, idle_messages=100)
        kept = await self.made("Kept", messages=1)
        reader = Reader()
        self.folders.hold(kept, reader)
        for number in range(30):
            await self.made(f"F{number}")
        assert await self.folders.open(kept.path) is kept
        assert len(self.folders._known) < 15

    async def test_a_look_asks_only_about_folders_that_were_touched(self) -> None:
        folder, unread = await self.made(messages=1), await self.made("Unread")
        self.folders.hold(folder, Reader())
        now = os.stat(f"{self.root}/{BOX}/new").st_mtime + 100
        await self.folders.look(now)
        number = self.storer.number()
        await self.folders.look(now)
        assert self.storer.number() == number + 1
        for path in (folder.path, unread.path):
            with open(f"{self.root}/{path}/new/1.a.b", "wb") as file:
                file.write(MESSAGE)
        os.utime(f"{self.root}/{folder.path}/new", (now + 50, now + 50))
        await self.folders.look(now + 100)
        assert (len(folder), len(unread)) == (2, 0)

    async def test_a_second_glance_asks_only_when_a_file_came_since_the_first(self) -> None:
        folder = await self.made(messages=1)
        now = os.stat(f"{self.root}/{BOX}/new").st_mtime + 100
        self.folders = Folders(self.storer, self.root)  # knows nothing yet
        first = await self.folders.glance(folder.path, now)
        number = self.storer.number()
        assert await self.folders.glance(folder.path, now) is first
        assert self.storer.number() == number + 1
        with open(f"{self.root}/{folder.path}/new/1.a.b", "wb") as file:
            file.write(MESSAGE)
        os.utime(f"{self.root}/{folder.path}/new", (now - 50, now - 50))
        again = await self.folders.glance(folder.path, now)
        assert isinstance(again, Folder)
        assert len(again) == 2

    async def test_after_the_storer_died_the_folder_is_listed_anew(self) -> None:
        folder = await self.made(messages=3)
        reader = Reader()
        self.folders.hold(folder, reader)
        os.kill(self.storer._process.pid, signal.SIGSTOP)
        asked = Deferred.fromCoroutine(self.folders.expunge(folder, [2]))
        os.kill(self.storer._process.pid, signal.SIGKILL)
        await self.assertFailure(asked, Temporary)
        for name in os.listdir(f"{self.root}/{BOX}/new"):
            if ",U=1" in name:
                os.unlink(f"{self.root}/{BOX}/new/{name}")
        while True:
            try:
                await self.folders.refresh(folder)
                break
            except Temporary:
                await deferLater(reactor, 0.01, lambda: None)
        assert 1 not in folder.uids
        assert 3 in folder.uids
        assert await self.append(folder) > 3
