"""Reconstruct keeps every UID that can be kept, and puts right what people and programs do to files."""

import os
from collections.abc import Iterator

import pytest

from emailgency.codec import maildir
from emailgency.store import verify
from emailgency.store.storing.maildirs import Maildirs
from emailgency.store.storing.messages import Reconstruct
from emailgency.store.storing.reconstructing import reconstruct
from emailgency.store.storing.replies import Opened, Refused

BOX = "customers/c/mailboxes/m"


class Box:
    """A mailbox with three messages, UIDs 1 to 3."""

    def __init__(self, data: str) -> None:
        self.data = data
        self.root = os.open(data, os.O_RDONLY | os.O_DIRECTORY)
        self.maildirs = Maildirs(self.root)
        self.folder = self.maildirs.make(BOX)
        for number in (1, 2, 3):
            uid = self.folder.uids.take()
            self.put("cur", maildir.compose(maildir.Name(f"{number}.id{number}.host", 10, uid, "S")))
        self.validity = self.folder.uids.validity

    def put(self, subfolder: str, name: str, octets: bytes = b"0123456789") -> None:
        with open(os.path.join(self.data, BOX, subfolder, name), "wb") as file:
            file.write(octets)

    def close(self) -> None:
        """As a stopped server leaves it."""
        self.maildirs.settle()
        self.maildirs = Maildirs(self.root)

    def reconstruct(self) -> Opened:
        reply = reconstruct(self.maildirs, Reconstruct(1, BOX))
        assert isinstance(reply, Opened)
        assert list(verify.verify(self.data, now=0)) == []
        return reply

    def path(self, name: str) -> str:
        return os.path.join(self.data, BOX, name)


@pytest.fixture
def box(tmp_path: os.PathLike[str]) -> Iterator[Box]:
    made = Box(os.fspath(tmp_path))
    yield made
    os.close(made.root)


def uids(reply: Opened) -> list[int]:
    return [maildir.uid_of(name) for _, name in reply.names]


@pytest.mark.parametrize("running", [True, False])
def test_nothing_changes_where_nothing_is_wrong(box: Box, running: bool) -> None:
    if not running:
        box.close()
    reply = box.reconstruct()
    assert (reply.uidvalidity, uids(reply)) == (box.validity, [1, 2, 3])


def test_a_running_server_writes_a_lost_uids_file_from_memory(box: Box) -> None:
    os.unlink(box.path("uids"))
    reply = box.reconstruct()
    assert (reply.uidvalidity, uids(reply)) == (box.validity, [1, 2, 3])
    assert reply.uidnext > 3


def test_of_a_damaged_uids_file_the_good_lines_are_kept(box: Box) -> None:
    box.close()
    with open(box.path("uids"), "ab") as file:
        file.write(b"00000000 {rotten}\nhalf a li")
    reply = box.reconstruct()
    assert (reply.uidvalidity, uids(reply)) == (box.validity, [1, 2, 3])


def test_without_any_trace_of_the_uidvalidity_a_new_one_is_given_and_uids_stay(box: Box) -> None:
    box.close()
    os.unlink(box.path("uids"))
    reply = box.reconstruct()
    assert reply.uidvalidity > box.validity
    assert uids(reply) == [1, 2, 3]


def test_files_put_back_by_hand_keep_their_uids_even_above_the_ceiling(box: Box) -> None:
    box.close()
    box.put("cur", "9.id9.host,S=10,U=5000:2,")
    reply = box.reconstruct()
    assert uids(reply) == [1, 2, 3, 5000]
    assert reply.uidnext == 5001


def test_two_files_of_one_uid_become_two_messages(box: Box) -> None:
    box.put("cur", "9.id9.host,S=10,U=2:2,")
    reply = box.reconstruct()
    assert len(reply.names) == 4
    assert len(set(uids(reply))) == 4


def test_sizes_in_names_become_those_of_the_files(box: Box) -> None:
    box.put("new", "9.id9.host,S=99,U=4", b"five5")
    (name,) = [name for subfolder, name in box.reconstruct().names if subfolder == "new"]
    assert name == "9.id9.host,S=5,U=4"


def test_keyword_letters_without_a_name_get_one(box: Box) -> None:
    box.close()
    box.put("cur", "9.id9.host,S=10,U=4:2,Sb")
    assert box.reconstruct().keywords == ("", "Keyword-b")


def test_a_lost_subfolder_is_made_again(box: Box) -> None:
    box.close()
    os.rmdir(box.path("tmp"))
    assert uids(box.reconstruct()) == [1, 2, 3]


def test_what_is_not_there_is_told(box: Box) -> None:
    assert isinstance(reconstruct(box.maildirs, Reconstruct(1, BOX + "x")), Refused)
