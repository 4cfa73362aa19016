"""Redis is killed, stopped and emptied under load: mail goes on or is put off, and nothing was only there."""

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from emailgency.command.failure import CommandFailed
from emailgency.store.redis.reading import reading_url
from tests.support.imap_line import ImapLine, Seen, Selected
from tests.support.letters import letter
from tests.support.redis import RealRedis
from tests.support.server import Server
from tests.support.siege import DOMAIN, PASSWORD, Siege

pytestmark = [pytest.mark.durability, pytest.mark.timeout(600)]

ANSWER = 20.0  # seconds, on a crowded machine: longer than that no client may wait, whatever is wrong with Redis
ADDRESS = f"paul@{DOMAIN}"
Snapshot = dict[str, tuple[Selected, dict[int, Seen]]]


@pytest.fixture
def redis() -> Iterator[RealRedis]:
    redis = RealRedis()
    redis.start()
    try:
        yield redis
    finally:
        redis.remove()


def directory(redis: RealRedis) -> dict[bytes, object]:
    """Everything Redis holds of the directory."""
    with reading_url(redis.url) as reading:
        names = sorted(name for name in reading.ask("KEYS", "directory:*") if name != b"directory:mark")
        rows = {name: reading.ask("HGETALL", name) for name in names}
        pairs = {name: sorted(zip(row[::2], row[1::2], strict=True)) for name, row in rows.items()}
        return {**pairs, b"mark": reading.ask("GET", "directory:mark")}


def test_redis_lost_under_load_loses_no_mail_and_comes_back_the_same(tmp_path: Path, redis: RealRedis) -> None:
    siege = Siege(Server(tmp_path / "server"), 1, more_settings={"redis": {"url": redis.url}}, redis_url=redis.url)
    try:
        siege.begin()
        before = directory(redis)
        for _ in range(3):
            siege.live(0.5)
            redis.command("FLUSHALL")
            siege.live(0.5)
            redis.pause()
            siege.live(3.0)
            redis.resume()
            siege.live(0.5)
            redis.kill()
            siege.live(1.0)
            redis.start()
            siege.live(0.5)
        siege.server.wait(lambda: directory(redis) == before)
    finally:
        siege.end()
        print(siege.figures())
    assert siege.promises.complaints == []
    assert siege.promises.slowest < ANSWER


# ---- what mail programs rely on ------------------------------------------------------------------------------


@pytest.fixture
def server(tmp_path: Path, redis: RealRedis) -> Iterator[Server]:
    settings = {"redis": {"url": redis.url}, "imap": {"clear_login": True}}
    with Server(tmp_path / "server", settings).start() as server:
        server.command("customer add", domain=DOMAIN, relay="none")
        server.command("mailbox add", address=ADDRESS)
        server.command("password", address=ADDRESS, password=PASSWORD)
        yield server


def snapshot(server: Server) -> Snapshot:
    """UIDVALIDITY, UIDNEXT and all messages of some folders."""
    line = ImapLine(server.ports["imap"])
    try:
        line.command(f'LOGIN {ADDRESS} "{PASSWORD}"')
        return {folder: (line.select(folder), line.messages()) for folder in ("INBOX", "Archive", "Sent")}
    finally:
        line.close()


def noticed(server: Server, redis: RealRedis) -> bool:
    """Whether the directory, asked for a name that no cache knows, has filled Redis again."""
    with contextlib.suppress(CommandFailed):
        server.command("mailbox show", address=f"nobody-{time.monotonic_ns()}@{DOMAIN}")
    return redis.command("GET", "directory:mark") != b"$-1\r\n"


def fill(server: Server) -> None:
    line = ImapLine(server.ports["imap"])
    try:
        line.command(f'LOGIN {ADDRESS} "{PASSWORD}"')
        for number in range(6):
            line.append("INBOX", "\\Seen" if number % 2 else "", letter(f"redis.{number}"))
        line.select("INBOX")
        line.copy([1, 2], "Archive", "COPY")
        line.copy([3], "Sent", "MOVE")
        line.expunge([6])
    finally:
        line.close()


class Near:
    """A copy of the mailbox that mbsync keeps."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        (folder / "mail").mkdir(parents=True)
        (folder / "state").mkdir()

    def sync(self, server: Server) -> None:
        rules = self._folder / "mbsyncrc"
        rules.write_text(
            f"IMAPAccount a\nHost 127.0.0.1\nPort {server.ports['imap']}\nUser {ADDRESS}\nPass {PASSWORD}\n"
            f"SSLType None\nAuthMechs LOGIN\n\nIMAPStore far\nAccount a\n\n"
            f"MaildirStore near\nPath {self._folder}/mail/\nInbox {self._folder}/mail/INBOX\nSubFolders Verbatim\n\n"
            f"Channel c\nFar :far:\nNear :near:\nPatterns *\nCreate Both\nExpunge Both\n"
            f"SyncState {self._folder}/state/\n"
        )
        done = subprocess.run(["mbsync", "-c", rules, "c"], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr

    def files(self) -> list[str]:
        mail = self._folder / "mail"
        return sorted(os.path.join(path, name) for path, _, names in os.walk(mail) for name in names)


@pytest.mark.peer("mbsync")
def test_uids_survive_an_emptied_redis_and_restarts_and_mbsync_has_nothing_to_do(
    server: Server, redis: RealRedis, tmp_path: Path
) -> None:
    fill(server)
    near = Near(tmp_path / "near")
    near.sync(server)
    near.sync(server)
    before, files = snapshot(server), near.files()
    assert len(before["INBOX"][1]) == 4

    redis.command("FLUSHALL")
    server.wait(lambda: noticed(server, redis))
    assert snapshot(server) == before
    near.sync(server)
    assert (snapshot(server), near.files()) == (before, files)

    server.stop()
    redis.command("FLUSHALL")
    server.start()
    assert snapshot(server) == before
    near.sync(server)
    assert (snapshot(server), near.files()) == (before, files)

    server.kill()  # a block of UIDs that was reserved is skipped: UIDNEXT grows, nothing else
    redis.command("FLUSHALL")
    server.start()
    near.sync(server)
    assert near.files() == files
    after = snapshot(server)
    assert {folder: messages for folder, (_, messages) in after.items()} == {
        folder: messages for folder, (_, messages) in before.items()
    }
    assert all(after[folder][0].validity == before[folder][0].validity for folder in before)
