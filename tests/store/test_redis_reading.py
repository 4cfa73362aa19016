"""Redis asked without a reactor: over a socket of the file system, over TCP with a password, and from copied files."""

import time
from collections.abc import Iterator
from pathlib import Path

import hiredis
import pytest

from emailgency.store.redis.reading import RedisReading, reading_files, reading_url
from tests.support.redis import RealRedis


@pytest.fixture
def redis() -> Iterator[RealRedis]:
    running = RealRedis()
    running.start("--requirepass", "p@ss word", "--appendonly", "yes", tcp=True)
    yield running
    running.remove()


def end(redis: RealRedis) -> Path:
    """Stop it; its append-only files."""
    assert redis.process is not None
    redis.process.terminate()
    redis.process.wait(20)
    return Path(redis.folder, "appendonlydir")


def test_a_server_is_asked_over_tcp_with_its_password_and_over_its_socket(redis: RealRedis) -> None:
    with reading_url(f"redis://:p%40ss%20word@127.0.0.1:{redis.port}/2") as reading:
        assert reading.ask("SET", "key", b"\x00\xff") == b"OK"
        assert reading.ask("GET", "key") == b"\x00\xff"
        assert reading.ask("GET", "other") is None
    with reading_url(redis.url) as reading, pytest.raises(hiredis.HiredisError, match="NOAUTH"):
        reading.ask("GET", "key")


def test_the_files_of_a_stopped_server_are_read_and_not_changed(redis: RealRedis) -> None:
    with reading_url(f"redis://default:p%40ss%20word@127.0.0.1:{redis.port}") as reading:
        for number in range(100):
            reading.ask("HSET", "hash", str(number), "x" * 1000)
    folder = end(redis)
    files = {path: path.read_bytes() for path in folder.iterdir()}
    with reading_files(redis.folder, "") as reading:
        assert isinstance(reading, RedisReading)
        assert reading.ask("HLEN", "hash") == 100
        reading.ask("DEL", "hash")
    assert {path: path.read_bytes() for path in folder.iterdir()} == files


def test_without_files_there_is_nothing_to_ask(tmp_path: Path) -> None:
    with reading_files(str(tmp_path), "") as reading:
        assert reading is None


def test_files_that_cannot_be_loaded_are_told_and_not_waited_for(redis: RealRedis) -> None:
    (manifest,) = end(redis).glob("*.manifest")
    manifest.write_text("rubbish\n")
    begun = time.monotonic()
    with pytest.raises(OSError, match="cannot be loaded"), reading_files(redis.folder, ""):
        pass
    assert time.monotonic() - begun < 10
