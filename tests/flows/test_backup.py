"""A backup of a data folder in which a server works: nothing lost, nothing doubled, nothing half."""

import os
import random
import stat
import threading
from collections import Counter

import pytest

from emailgency.codec import maildir
from emailgency.flows.upkeep.backup import MANIFEST, backup
from emailgency.flows.upkeep.restore import SKIPPED_UIDS, restore
from emailgency.model.envelope import Client, Deliver, Envelope, Recipient
from emailgency.model.errors import Invalid
from emailgency.store import layout
from emailgency.store.backup.maildirs import list_once
from emailgency.store.backup.spool import read_journal
from emailgency.store.spool.records import DELIVERED as DONE
from emailgency.store.spool.records import Accepted, Ended, Finished, encode
from emailgency.store.storing import files
from emailgency.store.storing.uids import Uids

BOX = layout.mailbox("customer", "paul")


def quietly(what: str, done: int, of: int) -> None:
    pass


class Worker:
    """Does to a data folder what the storer does, in its order, and what people do."""

    def __init__(self, data: str, seed: int = 0) -> None:
        self.data = data
        self.random = random.Random(seed)
        self.accepted: set[str] = set()
        self.expunged: set[str] = set()
        self._number = 0
        self._segment = 1
        self._live: list[tuple[int, str]] = []  # segment, id
        for folder in (layout.JOURNAL, "journal", f"{BOX}/cur", f"{BOX}/new", f"{BOX}/tmp"):
            os.makedirs(os.path.join(data, folder))
        for folder in (".Sent", ".Archive"):
            for subfolder in layout.SUBFOLDERS:
                os.makedirs(os.path.join(data, BOX, folder, subfolder))
        self._write("journal/000000000001.log", b"change\n")
        self._write(f"{BOX}/uids", b"")

    def deliver(self, linger: bool = False) -> str:
        self._number += 1
        id = f"{0x65000000 + self._number:08x}m"
        message = layout.message(id)
        os.makedirs(os.path.dirname(self._at(message)), exist_ok=True)
        self._write(message, b"Subject: %d\r\n\r\nbody\r\n" % self._number)
        envelope = Envelope(
            id=id,
            customer="customer",
            sender="",
            received_at=0,
            size=0,
            return_path=0,
            recipients=(Recipient(as_given="paul@mydomain.zz"),),
            plan=(Deliver(customer="customer", mailbox="paul", recipient=0),),
            client=Client(ip="127.0.0.1"),
        )
        self._journal(Accepted(envelope))
        self.accepted.add(id)
        name = maildir.unique(self._number, id, "host")
        os.link(self._at(message), self._at(f"{BOX}/tmp/{name}"))
        self._journal(Finished(id, (0,), 0.0, DONE))
        os.rename(self._at(f"{BOX}/tmp/{name}"), self._at(f"{BOX}/new/{name},U={self._number}"))
        if linger:
            self._live.append((self._segment, id))
        else:
            self._journal(Ended((id,)))
            os.unlink(self._at(message))
        return id

    def turn_segment(self) -> None:
        """Begin a new segment; end what is live in the oldest and unlink that."""
        self._segment += 1
        for segment, id in [one for one in self._live if one[0] < self._segment - 2]:
            self._live.remove((segment, id))
            self._journal(Ended((id,)))
            os.unlink(self._at(layout.message(id)))
        old = layout.segment(self._segment - 3)
        if os.path.exists(self._at(old)):
            os.unlink(self._at(old))

    def read(self) -> None:
        """A person sees, moves or expunges a message."""
        place = self.random.choice(["", "/.Sent", "/.Archive"])
        subfolder = self.random.choice(["new", "cur"])
        names = os.listdir(self._at(f"{BOX}{place}/{subfolder}"))
        if not names:
            return
        name = self.random.choice(names)
        deed = self.random.randrange(10)
        here = self._at(f"{BOX}{place}/{subfolder}/{name}")
        if deed == 0:
            os.unlink(here)
            self.expunged.add(maildir.parse(name).id)
        elif deed < 5:
            os.rename(
                here, self._at(f"{BOX}{place}/cur/{maildir.with_flags(name, self.random.choice(['', 'S', 'RS']))}")
            )
        else:
            other = self.random.choice(["", "/.Sent", "/.Archive"])
            os.rename(here, self._at(f"{BOX}{other}/cur/{maildir.with_flags(name, 'S')}"))

    def _journal(self, record: object) -> None:
        with open(self._at(layout.segment(self._segment)), "ab") as file:
            file.write(encode(record))

    def _write(self, path: str, octets: bytes) -> None:
        with open(self._at(path), "wb") as file:
            file.write(octets)

    def _at(self, path: str) -> str:
        return os.path.join(self.data, path)


@pytest.fixture
def worker(tmp_path: object) -> Worker:
    return Worker(os.path.join(str(tmp_path), "data"))


def stored(root: str) -> Counter[str]:
    """How often each message stands in the mailbox, all folders together."""
    return Counter(maildir.parse(name).id for _, name in list_once(os.path.join(root, BOX)).messages)


@pytest.mark.parametrize("seed", range(3))
def test_while_mail_comes_moves_and_goes_nothing_is_lost_doubled_or_half(tmp_path: object, seed: int) -> None:
    worker = Worker(os.path.join(str(tmp_path), "data"), seed)
    for _ in range(300):
        worker.deliver(linger=worker.random.random() < 0.2)
        worker.read()
    before, gone = set(worker.accepted), set(worker.expunged)
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            worker.deliver(linger=worker.random.random() < 0.2)
            worker.read()
            if worker.random.random() < 0.02:
                worker.turn_segment()

    thread = threading.Thread(target=work)
    thread.start()
    target = os.path.join(str(tmp_path), "backup")
    try:
        manifest = backup(worker.data, target, lambda: 0.0, quietly)
    finally:
        stop.set()
        thread.join()
    assert manifest.problems == []
    found = stored(target)
    on_its_way = set(read_journal(target).live)
    assert before - gone - worker.expunged <= found.keys() | on_its_way  # nothing lost
    assert [id for id, times in found.items() if times > 1] == []  # nothing doubled
    assert found.keys() <= worker.accepted
    for id in on_its_way:
        assert os.path.getsize(os.path.join(target, layout.message(id)))


def test_names_flags_times_and_modes_are_kept_and_a_waiting_message_is_one_file(
    worker: Worker, tmp_path: object
) -> None:
    id = worker.deliver(linger=True)
    (name,) = os.listdir(os.path.join(worker.data, BOX, "new"))
    os.utime(os.path.join(worker.data, BOX, "new", name), (1_000_000_000, 1_000_000_000))
    target, data = os.path.join(str(tmp_path), "backup"), os.path.join(str(tmp_path), "again")
    backup(worker.data, target, lambda: 0.0, quietly)
    restore(target, data, lambda: 0.0, quietly)
    for root in (target, data):
        place = os.path.join(root, BOX, "new", name)
        assert os.stat(place).st_mtime == 1_000_000_000
        assert stat.S_IMODE(os.stat(place).st_mode) == 0o600
        assert stat.S_IMODE(os.stat(root).st_mode) == 0o700
        assert os.path.samefile(place, os.path.join(root, layout.message(id)))


def test_after_restore_no_uid_given_since_the_backup_is_given_again(worker: Worker, tmp_path: object) -> None:
    descriptor = os.open(os.path.join(worker.data, BOX), files.FOLDER)
    uids = Uids(descriptor, 7, 1)
    uids.write()
    uids.reserve(501)
    os.close(descriptor)
    target, data = os.path.join(str(tmp_path), "backup"), os.path.join(str(tmp_path), "again")
    backup(worker.data, target, lambda: 0.0, quietly)
    restore(target, data, lambda: 0.0, quietly)
    descriptor = os.open(os.path.join(data, BOX), files.FOLDER)
    again = Uids.load(descriptor)
    os.close(descriptor)
    assert again is not None
    assert (again.validity, again.next) == (7, 501 + SKIPPED_UIDS)


def test_a_message_the_spool_itself_has_lost_is_told_and_the_rest_is_copied(worker: Worker, tmp_path: object) -> None:
    lost, kept = worker.deliver(linger=True), worker.deliver(linger=True)
    os.unlink(os.path.join(worker.data, layout.message(lost)))
    target = os.path.join(str(tmp_path), "backup")
    manifest = backup(worker.data, target, lambda: 0.0, quietly)
    assert manifest.problems == [f"the octets of message {lost} are lost"]
    assert os.path.exists(os.path.join(target, layout.message(kept)))


def test_a_backup_goes_nowhere_where_it_could_do_harm(worker: Worker, tmp_path: object) -> None:
    full = os.path.join(str(tmp_path), "full")
    os.mkdir(full)
    with open(os.path.join(full, "file"), "w"):
        pass
    for target in (full, worker.data, os.path.join(worker.data, "backup")):
        with pytest.raises(Invalid):
            backup(worker.data, target, lambda: 0.0, quietly)
    with pytest.raises(Invalid):
        backup(str(tmp_path), os.path.join(str(tmp_path), "new"), lambda: 0.0, quietly)


def test_half_a_backup_and_a_folder_in_use_are_refused(worker: Worker, tmp_path: object) -> None:
    target = os.path.join(str(tmp_path), "backup")
    backup(worker.data, target, lambda: 0.0, quietly)
    with pytest.raises(Invalid, match="not empty"):
        restore(target, worker.data, lambda: 0.0, quietly)
    os.unlink(os.path.join(target, MANIFEST))
    with pytest.raises(Invalid, match="not a finished backup"):
        restore(target, os.path.join(str(tmp_path), "again"), lambda: 0.0, quietly)


def test_what_was_delivered_while_the_backup_ran_is_not_delivered_again(worker: Worker, tmp_path: object) -> None:
    """The spool's moment lies before the Maildirs': the restored journal learns what the Maildirs show."""
    id = worker.deliver(linger=True)
    journal = os.path.join(worker.data, layout.segment(1))
    with open(journal, "rb") as file:
        lines = file.read().splitlines(keepends=True)
    with open(journal, "wb") as file:
        file.writelines(lines[:1])  # Accepted, and not Finished yet
    (name,) = os.listdir(os.path.join(worker.data, BOX, "new"))
    os.rename(os.path.join(worker.data, BOX, "new", name), os.path.join(worker.data, BOX, ".Archive/cur", name))
    target, data = os.path.join(str(tmp_path), "backup"), os.path.join(str(tmp_path), "again")
    backup(worker.data, target, lambda: 0.0, quietly)
    restore(target, data, lambda: 0.0, quietly)
    assert read_journal(target).live[id].local() == [0]
    assert read_journal(data).live[id].local() == []
