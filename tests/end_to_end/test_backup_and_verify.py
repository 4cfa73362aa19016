"""A backup of the real server under load, restored, verified and served again; and what verify sees."""

import os
import re
import shutil
import smtplib
import threading
from collections import Counter
from pathlib import Path

import pytest

from tests.support.command import answer, emailgency
from tests.support.server import Server


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Server:
    """A stopped server with a customer, two mailboxes, an alias, a list, and a message pending for his server."""
    server = Server(tmp_path_factory.mktemp("kept"))
    with server.start():
        data = server.data
        answer(data, "customer", "add", "first.zz", "--relay", "hold")
        for person in ("paul", "ringo"):
            emailgency(data, "mailbox", "add", f"{person}@first.zz")
        emailgency(data, "alias", "add", "george@first.zz", "paul@first.zz")
        emailgency(data, "list", "add", "beatles@first.zz", "paul@first.zz", "ringo@first.zz")
        send(server, "beatles@first.zz", "unknown@first.zz")
        server.wait(lambda: len(answer(data, "pending", "list")["messages"]) == 2)
        server.wait(lambda: answer(data, "mailbox", "show", "ringo@first.zz")["folders"])
    return server


@pytest.fixture
def data(kept: Server, tmp_path: Path) -> str:
    """A copy of its data folder, to be damaged."""
    place = str(tmp_path / "data")
    shutil.copytree(kept.data, place, ignore=shutil.ignore_patterns("socket", "control"))
    return place


def send(server: Server, *recipients: str, subject: str = "test") -> None:
    with smtplib.SMTP("127.0.0.1", server.ports["smtp"], timeout=20) as session:
        for recipient in recipients:
            session.sendmail("anna@sender.example", [recipient], f"Subject: {subject}\r\n\r\nhello\r\n")


def listed(data: str) -> list[dict[str, str]]:
    found: list[dict[str, str]] = answer(data, "pending", "list", "--limit", "100000")["messages"]
    return found


def delivered(data: str) -> Counter[str]:
    """How often each subject stands in paul's mailbox."""
    found: Counter[str] = Counter()
    for path in Path(data, "customers").glob("*/mailboxes/*/**/*"):
        if path.parent.name in ("new", "cur") and path.is_file():
            found.update(re.findall(r"^Subject: (\S+)", path.read_text(), re.MULTILINE))
    return found


def test_a_backup_taken_under_load_is_restored_with_nothing_lost_or_doubled(tmp_path: Path) -> None:
    server = Server(tmp_path / "one").start()
    emailgency(server.data, "customer", "add", "first.zz", "--relay", "hold")
    emailgency(server.data, "mailbox", "add", "paul@first.zz")
    accepted: list[str] = []
    stop = threading.Event()

    def load(name: str) -> None:
        number = 0
        while not stop.is_set():
            number += 1
            send(server, "paul@first.zz", subject=f"{name}-{number}")
            accepted.append(f"{name}-{number}")

    threads = [threading.Thread(target=load, args=(name,)) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    try:
        server.wait(lambda: len(accepted) > 100)
        before = list(accepted)
        made = answer(server.data, "backup", str(tmp_path / "backup"))
        assert made["problems"] == []
        server.wait(lambda: len(accepted) > len(before) + 50)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    refused = answer(server.data, "restore", str(tmp_path / "backup"), status=1)
    assert "a server is running" in refused["error"]
    server.stop()
    again = Server(tmp_path / "two")
    answer(again.data, "restore", str(tmp_path / "backup"))
    assert answer(again.data, "verify")["problems"] == []
    with again.start():
        again.wait(lambda: set(before) <= delivered(again.data).keys())
        # Each still waits for the customer's server.
        again.wait(lambda: len(listed(again.data)) >= len(before))
        pending = listed(again.data)
        assert len({message["id"] for message in pending}) == len(pending)
    found = delivered(again.data)
    assert [subject for subject, times in found.items() if times > 1] == []
    assert set(before) <= found.keys() <= set(accepted)
    assert answer(again.data, "verify")["problems"] == []


def test_a_server_that_was_stopped_verifies_clean(data: str) -> None:
    assert answer(data, "verify")["problems"] == []
    assert "nothing is wrong" in emailgency(data, "verify").stdout


def test_verify_refuses_a_running_server_and_what_is_no_data_folder(kept: Server, tmp_path: Path) -> None:
    assert "not the data folder" in answer(str(tmp_path), "verify", status=1)["error"]
    with kept.start():
        assert "a server is running" in answer(kept.data, "verify", status=1)["error"]


def test_verify_changes_nothing(data: str) -> None:
    def picture() -> dict[str, tuple[int, int]]:
        stats = {str(path): path.stat() for path in Path(data).rglob("*")}
        return {path: (stat.st_mtime_ns, stat.st_size) for path, stat in stats.items()}

    before = picture()
    emailgency(data, "verify")
    assert picture() == before


def one(data: str, pattern: str) -> Path:
    return min(Path(data).glob(pattern))


def test_verify_finds_a_message_cut_short(data: str) -> None:
    path = one(data, "spool/*/*.msg")
    os.truncate(path, 10)
    found = answer(data, "verify", status=1)["problems"]
    assert str(path.relative_to(data)) in [problem["path"] for problem in found]


def test_verify_finds_a_lost_uids_file(data: str) -> None:
    path = one(data, "customers/*/mailboxes/*/uids")
    path.unlink()
    found = answer(data, "verify", status=1)["problems"]
    assert str(path.relative_to(data)) in [problem["path"] for problem in found]


def test_verify_finds_a_rotten_record_in_the_change_journal(data: str) -> None:
    path = one(data, "journal/*.log")
    path.write_text(path.read_text().replace("first.zz", "worst.zz", 1))
    found = answer(data, "verify", status=1)["problems"]
    assert found[-1]["path"] == "journal"


def test_verify_finds_a_mailbox_nobody_knows(data: str) -> None:
    known = one(data, "customers/*/mailboxes/*")
    known.rename(known.with_name("abcdefgh"))
    found = answer(data, "verify", status=1)["problems"]
    assert "belongs to no mailbox" in [problem["problem"] for problem in found]


def test_verify_finds_that_redis_tells_another_directory(data: str) -> None:
    """As if somebody had written into Redis behind the journal's back."""
    path = one(data, "redis/appendonlydir/*.incr.aof")
    octets = path.read_bytes()
    assert b'"relay":"hold"' in octets
    path.write_bytes(octets.replace(b'"relay":"hold"', b'"relay":"none"'))
    found = answer(data, "verify", status=1)["problems"]
    assert [problem["path"] for problem in found] == ["redis"]


def test_verify_takes_a_lost_redis_for_what_it_is(data: str) -> None:
    shutil.rmtree(os.path.join(data, "redis"))
    assert answer(data, "verify")["problems"] == []
