"""The storer process: commit and local delivery."""

import errno
import os
import threading
from glob import glob

import pytest
from msgspec.structs import replace

from emailgency.codec import maildir
from emailgency.model.address import Address
from emailgency.model.envelope import Catchall, Deliver, Relay, Undelivered
from emailgency.store import layout
from emailgency.store.spool import replay
from emailgency.store.storing import delivering
from emailgency.store.storing.messages import (
    Abort,
    Ballast,
    CreateFolder,
    DeleteFolder,
    Delivery,
    Forget,
    Open,
    Record,
    Redeliver,
    Release,
    Settle,
    Write,
)
from emailgency.store.storing.replies import Done, Failed, Opened, Refused, Unchanged
from emailgency.store.storing.uids import BLOCK
from emailgency.store.verify import verify
from tests.support.storer import StorerProcess, fresh_id

M1, M2 = layout.mailbox("c", "m1"), layout.mailbox("c", "m2")


def opened(storer: StorerProcess, folder: str = M1) -> Opened:
    reply = storer.ask(Open(storer.number(), folder))
    assert isinstance(reply, Opened)
    return reply


def octets_of(data: str, folder: str, place: tuple[str, str]) -> bytes:
    with open(os.path.join(data, folder, *place), "rb") as stream:
        return stream.read()


def test_a_committed_message_is_in_every_mailbox_as_one_inode(storer: StorerProcess, data: str) -> None:
    id = storer.deliver(b"Subject: x\r\n\r\nhello\r\n", "m1", "m2")
    inodes = set()
    for folder in (M1, M2):
        (place,) = opened(storer, folder).names
        assert octets_of(data, folder, place).endswith(b"hello\r\n")
        assert maildir.parse(place[1]).id == id
        inodes.add(os.stat(os.path.join(data, folder, *place)).st_ino)
    assert inodes == {os.stat(os.path.join(data, layout.message(id))).st_ino}


def test_uids_ascend_in_order_of_commit(storer: StorerProcess) -> None:
    ids = [storer.deliver(b"x", "m1") for _ in range(5)]
    reply = opened(storer)
    assert [maildir.parse(name).id for _, name in reply.names] == ids
    assert [maildir.uid_of(name) for _, name in reply.names] == [1, 2, 3, 4, 5]
    assert reply.uidnext == 6


def test_a_long_message_comes_in_pieces(storer: StorerProcess, data: str) -> None:
    request = storer.commit_request(b"ab" * 300_000, (Deliver(customer="c", mailbox="m1", recipient=0),))
    storer.tell(Write(request.id, request.chunk[:400_000]), Write(request.id, request.chunk[400_000:]))
    assert isinstance(storer.ask(replace(request, chunk=b"")), Done)
    storer.until(lambda: bool(storer.delivered))
    assert octets_of(data, M1, opened(storer).names[0]) == b"ab" * 300_000


def test_an_aborted_transaction_leaves_nothing(storer: StorerProcess, data: str) -> None:
    id = fresh_id()
    storer.tell(Write(id, b"x" * 1000), Abort(id))
    assert isinstance(storer.ask(Record(storer.number(), ())), Done)
    assert not os.path.exists(os.path.join(data, layout.message(id)))


def test_a_repetition_of_a_redelivery_puts_nothing_there_twice(storer: StorerProcess) -> None:
    id = storer.deliver(b"x", "m1")
    for _ in range(3):
        reply = storer.ask(Redeliver(storer.number(), id, (Delivery(0, M1),)))
        assert [placed.uid for placed in reply.placed] == [1]
    assert len(opened(storer).names) == 1


def test_a_redelivery_ends_what_stands_in_tmp(storer: StorerProcess, data: str) -> None:
    """A storer that died after the link: the same name, once."""
    request = storer.commit_request(b"octets", (Relay(customer="c", address="a@b", recipient=0),))
    assert isinstance(storer.ask(request), Done)
    storer.deliver(b"other", "m1")
    name = f"{int(request.id[:8], 16)}.{request.id}.{os.uname().nodename},S=6"
    os.link(os.path.join(data, layout.message(request.id)), os.path.join(data, M1, "tmp", name))
    storer.ask(Redeliver(storer.number(), request.id, (Delivery(0, M1),)))
    assert len(opened(storer).names) == 2
    assert os.listdir(os.path.join(data, M1, "tmp")) == []


def test_late_mail_does_not_bring_a_removed_mailbox_back(storer: StorerProcess, data: str) -> None:
    id = storer.deliver(b"early", "m1")
    assert isinstance(storer.ask(DeleteFolder(storer.number(), M1)), Done)
    late = storer.ask(Redeliver(storer.number(), id, (Delivery(0, M1), Delivery(1, M2))))
    assert [(placed.folder, placed.target) for placed in late.placed] == [(M2, 1)]
    assert [target for target, _ in late.failed] == [0]
    assert not os.path.exists(os.path.join(data, M1))
    assert isinstance(storer.ask(CreateFolder(storer.number(), M1)), Opened)
    (placed,) = storer.ask(Redeliver(storer.number(), id, (Delivery(0, M1),))).placed
    assert placed.folder == M1


def test_a_folder_with_more_mail_than_was_known_stays_also_with_mail_on_its_way(
    storer: StorerProcess, data: str
) -> None:
    def gone(at_most: int) -> bool:
        reply = storer.ask(DeleteFolder(storer.number(), M1, at_most))
        if isinstance(reply, Done):
            return True
        assert reply == Refused(reply.number, "exists")
        return False

    storer.ask(CreateFolder(storer.number(), M1))
    request = storer.commit_request(b"octets", (Deliver(customer="c", mailbox="m1", recipient=0),))
    assert isinstance(storer.ask(request), Done)
    assert not gone(0)  # linked into tmp/, and no more than that
    storer.until(lambda: bool(storer.delivered))
    assert not gone(0)
    ((subfolder, name),) = opened(storer).names
    inbox = os.path.join(data, M1)
    os.rename(os.path.join(inbox, subfolder, name), os.path.join(inbox, "tmp", name))
    assert not gone(0)
    storer.ask(CreateFolder(storer.number(), f"{M1}/.Archive"))
    os.rename(os.path.join(inbox, "tmp", name), os.path.join(inbox, ".Archive", "cur", name))
    assert not gone(0)
    assert gone(1)
    assert not os.path.exists(inbox)


def test_half_a_copy_in_tmp_is_made_again(storer: StorerProcess, data: str) -> None:
    request = storer.commit_request(b"octets", (Undelivered(customer="c", recipient=0),))
    (delivery,) = request.deliveries
    os.makedirs(os.path.join(data, delivery.folder, "tmp"))
    name = f"{int(request.id[:8], 16)}.{request.id}_0.{os.uname().nodename},S={6 + len(delivery.prefix)}"
    with open(os.path.join(data, delivery.folder, "tmp", name), "wb") as half:
        half.write(b"X-Ori")
    storer.ask(replace(request, deliveries=()))
    storer.ask(Redeliver(storer.number(), request.id, request.deliveries))
    (place,) = opened(storer, delivery.folder).names
    assert octets_of(data, delivery.folder, place) == b"X-Original-To: r0@mydomain.zz\r\noctets"


def test_settle_renames_on_and_never_delivers(storer: StorerProcess, data: str) -> None:
    id = storer.deliver(b"x", "m1")
    folder = os.path.join(data, M1)
    (name,) = os.listdir(f"{folder}/new")
    back = name.partition(",U=")[0]
    os.rename(f"{folder}/new/{name}", f"{folder}/tmp/{back}")
    assert isinstance(storer.ask(Settle(storer.number(), M1, (id, fresh_id()))), Done)
    assert os.listdir(f"{folder}/tmp") == []
    assert len(os.listdir(f"{folder}/new")) == 1


def test_two_unknown_recipients_have_each_a_copy_in_undelivered(storer: StorerProcess, data: str) -> None:
    plan = (Undelivered(customer="c", recipient=0), Undelivered(customer="c", recipient=1))
    storer.ask(storer.commit_request(b"Subject: x\r\n\r\n", plan))
    storer.until(lambda: bool(storer.delivered))
    folder = layout.undelivered("c")
    texts = {octets_of(data, folder, place) for place in opened(storer, folder).names}
    assert texts == {f"X-Original-To: r{i}@mydomain.zz\r\nSubject: x\r\n\r\n".encode() for i in range(2)}


def test_two_recipients_of_one_mailbox_have_one_message(storer: StorerProcess) -> None:
    plan = (Deliver(customer="c", mailbox="m1", recipient=0), Deliver(customer="c", mailbox="m1", recipient=1))
    storer.ask(storer.commit_request(b"x", plan))
    storer.until(lambda: bool(storer.delivered))
    assert sorted(placed.target for placed in storer.delivered[0].placed) == [0, 1]
    assert len(opened(storer).names) == 1


def test_a_catchall_folder_says_whose_it_is(storer: StorerProcess, data: str) -> None:
    storer.ask(storer.commit_request(b"x", (Catchall(customer="c", address="who@mydomain.zz", recipient=0),)))
    storer.until(lambda: bool(storer.delivered))
    folder = layout.catchall("c", Address("who", "mydomain.zz"))
    with open(os.path.join(data, folder, "address"), encoding="utf-8") as stream:
        assert stream.read() == "who@mydomain.zz\n"
    assert len(opened(storer, folder).names) == 1


def test_a_catchall_folder_whose_making_was_cut_short_says_whose_it_is(storer: StorerProcess, data: str) -> None:
    folder = layout.catchall("c", Address("who", "mydomain.zz"))
    for left in ("", "tmp", "new", "cur"):
        os.makedirs(os.path.join(data, folder, left), exist_ok=True)
    storer.ask(storer.commit_request(b"x", (Catchall(customer="c", address="who@mydomain.zz", recipient=0),)))
    storer.until(lambda: len(storer.delivered) == 1)
    with open(os.path.join(data, folder, "address"), encoding="utf-8") as stream:
        assert stream.read() == "who@mydomain.zz\n"


@pytest.mark.parametrize("error", sorted(delivering.NO_LINK))
def test_where_no_link_can_be_made_the_message_is_copied(data: str, error: int) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(error, "no link")

    def prepare() -> None:
        os.link = refuse

    storer = StorerProcess(data, prepare)
    storer.deliver(b"copied", "m1")
    assert octets_of(data, M1, opened(storer).names[0]) == b"copied"
    storer.stop()
    assert list(verify(data)) == []


def test_a_released_message_leaves_the_spool_and_the_journal(storer: StorerProcess, data: str) -> None:
    id = storer.deliver(b"x", "m1")
    storer.tell(Release((id,)))
    storer.ask(Record(storer.number(), ()))
    storer.stop()
    assert replay.replay(data).live == {}
    assert not os.path.exists(os.path.join(data, layout.message(id)))
    assert list(verify(data, leftover_age=0)) == []


def test_a_void_commit_does_not_count(storer: StorerProcess, data: str) -> None:
    request = storer.commit_request(b"x", (Relay(customer="c", address="a@b", recipient=0),))
    storer.ask(request)
    storer.tell(Release((request.id,), void=True))
    storer.stop()
    assert replay.replay(data).live == {}


def test_a_void_commit_leaves_nothing_in_the_tmp_of_its_folders(storer: StorerProcess, data: str) -> None:
    storer.deliver(b"another", "m1")
    request = storer.commit_request(b"x", (Relay(customer="c", address="a@b", recipient=0),))
    storer.ask(request)
    tmp = os.path.join(data, M1, "tmp")  # as a storer leaves it that dies between the link and its answer
    os.link(os.path.join(data, layout.message(request.id)), os.path.join(tmp, f"1.{request.id}.host,S=1"))
    storer.tell(Release((request.id,), void=True, folders=(M1, "customers/c/mailboxes/nowhere")))
    storer.stop()
    assert os.listdir(tmp) == []
    assert list(verify(data, leftover_age=0)) == []


def test_segments_are_given_up_from_the_oldest(data: str) -> None:
    storer = StorerProcess(data, segment_size=4096)
    numbers = set()
    for _ in range(40):
        request = storer.commit_request(b"x", (Relay(customer="c", address="a@b", recipient=0),))
        numbers.add(storer.ask(request).segment)
    assert len(numbers) > 2
    storer.tell(Forget(max(numbers)))
    storer.ask(Record(storer.number(), ()))
    assert os.listdir(os.path.join(data, layout.JOURNAL)) == [f"{max(numbers):08d}.log"]
    storer.close()


def test_a_killed_storer_gives_no_uid_twice(data: str) -> None:
    storer = StorerProcess(data)
    storer.deliver(b"x", "m1")
    storer.kill()
    storer = StorerProcess(data)
    storer.deliver(b"x", "m1")
    assert [maildir.uid_of(name) for _, name in opened(storer).names] == [1, 1 + BLOCK]
    storer.close()


def test_a_clean_stop_leaves_no_gap_in_the_uids(data: str) -> None:
    storer = StorerProcess(data)
    storer.deliver(b"x", "m1")
    storer.stop()
    storer = StorerProcess(data)
    storer.deliver(b"x", "m1")
    assert [maildir.uid_of(name) for _, name in opened(storer).names] == [1, 2]
    assert opened(storer).uidnext == 3
    storer.close()


def test_a_second_storer_waits_for_the_first(data: str) -> None:
    first = StorerProcess(data)
    first.deliver(b"x", "m1")
    second = StorerProcess(data)
    ended = threading.Timer(0.1, first.stop)
    ended.start()
    assert second.deliver(b"x", "m1")
    ended.join()
    second.close()


def test_the_token_of_a_list_stays_good_for_our_own_changes(storer: StorerProcess) -> None:
    storer.deliver(b"x", "m1")
    token = opened(storer).token
    storer.deliver(b"x", "m1")
    assert isinstance(storer.ask(Open(storer.number(), M1, token)), Unchanged)


def test_a_symbolic_link_is_not_followed(storer: StorerProcess, data: str, tmp_path) -> None:
    """Attack row 30, from inside."""
    storer.deliver(b"x", "m1")
    outside = tmp_path / "outside"
    for subfolder in ("tmp", "new", "cur"):
        (outside / subfolder).mkdir(parents=True)
    os.symlink(outside, os.path.join(data, layout.mailbox("c", "m3")))
    request = storer.commit_request(b"x", (Deliver(customer="c", mailbox="m3", recipient=0),))
    storer.ask(request)
    storer.until(lambda: len(storer.delivered) == 2)
    assert storer.delivered[1].failed
    assert not glob(f"{outside}/*/*")
    storer.tell(Release((request.id,)))
    storer.stop()
    os.unlink(os.path.join(data, layout.mailbox("c", "m3")))


def test_the_ballast_takes_real_room_and_goes(storer: StorerProcess, data: str) -> None:
    path = os.path.join(data, layout.BALLAST)
    storer.ask(Ballast(storer.number(), 1 << 20))
    assert os.stat(path).st_blocks * 512 >= 1 << 20
    storer.ask(Ballast(storer.number(), 0))
    assert not os.path.exists(path)


def test_a_request_nobody_foresaw_fails_alone(storer: StorerProcess) -> None:
    assert isinstance(storer.ask(Open(storer.number(), "\0")), Failed)
    storer.deliver(b"x", "m1")


def test_short_writes_are_continued(data: str) -> None:
    whole = os.write

    def prepare() -> None:
        os.write = lambda descriptor, octets: whole(descriptor, octets[: max(1, len(octets) // 2)])

    storer = StorerProcess(data, prepare)
    octets = os.urandom(100_000)
    storer.deliver(octets, "m1")
    assert octets_of(data, M1, opened(storer).names[0]) == octets
    storer.stop()
    assert list(verify(data)) == []


def test_a_journal_whose_sync_failed_is_left_and_what_it_held_is_void(data: str) -> None:
    """The pages of a failed fdatasync are clean and gone: the second one would succeed and lie."""
    synced: list[str] = []
    whole = os.fdatasync

    def prepare() -> None:
        def fail_once(descriptor: int) -> None:
            path = os.readlink(f"/proc/self/fd/{descriptor}")
            if path.endswith(".log"):
                synced.append(path)
                if len(synced) == 2:
                    raise OSError(errno.EIO, "injected")
                assert synced.count(path) == 1 or path != synced[1]
            whole(descriptor)

        os.fdatasync = fail_once

    storer = StorerProcess(data, prepare)
    plan = (Relay(customer="c", address="a@b", recipient=0),)
    first, refused, third = (storer.commit_request(b"x", plan) for _ in range(3))
    assert isinstance(storer.ask(first), Done)
    assert isinstance(storer.ask(refused), Failed)
    assert isinstance(storer.ask(third), Done)
    storer.close()
    assert set(replay.replay(data).live) == {first.id, third.id}
    assert sorted(os.listdir(os.path.join(data, layout.JOURNAL))) == ["00000001.log", "00000002.log"]


def test_a_reader_does_not_wait_behind_endless_commits(storer: StorerProcess) -> None:
    storer.deliver(b"x", "m1")
    plan = (Deliver(customer="c", mailbox="m2", recipient=0),)
    commits = [storer.commit_request(b"y", plan) for _ in range(200)]
    question = Open(storer.number(), M1)
    storer.tell(*commits[:100], question, *commits[100:])
    storer.until(lambda: storer.answered(question.number))
    assert not storer.answered(commits[-1].number)
    storer.until(lambda: storer.answered(commits[-1].number) and len(storer.delivered) == 201)


def test_an_hour_folder_that_has_been_swept_is_made_again(storer: StorerProcess, data: str) -> None:
    id = storer.deliver(b"x", "m1")
    storer.tell(Release((id,)))
    storer.ask(Record(storer.number(), ()))
    os.rmdir(os.path.join(data, layout.hour(id)))
    storer.deliver(b"x", "m1")
