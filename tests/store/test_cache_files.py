"""SQLite caches beside mailboxes: they stay open, and whatever happens to the file they go on."""

import contextlib
import os
import sqlite3
import tempfile

from emailgency.store.mailboxes.cache_file import CacheFile

TABLES = "DROP TABLE IF EXISTS t; CREATE TABLE t (n INTEGER);"


def add(database: sqlite3.Connection) -> int:
    database.execute("INSERT INTO t VALUES (1)")
    count: int = database.execute("SELECT count(*) FROM t").fetchone()[0]
    return count


def test_a_cache_that_is_deleted_or_replaced_while_open_is_begun_anew() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "cache")
        file = CacheFile(path, TABLES, 1)
        assert [file.do(add), file.do(add)] == [1, 2]
        for suffix in ("", "-wal", "-shm"):
            os.unlink(path + suffix)
        assert file.do(add) == 1
        os.rename(path, path + ".moved")  # the mailbox was renamed
        assert file.do(add) == 1
        file.close()


def test_a_damaged_cache_and_one_of_another_version_are_begun_anew() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "cache")
        file = CacheFile(path, TABLES, 1)
        file.do(add)
        file.close()
        newer = CacheFile(path, TABLES, 2)
        assert newer.do(add) == 1
        newer.close()
        with open(path, "wb") as raw:
            raw.write(b"nonsense" * 1000)
        assert newer.do(add) == 1
        newer.close()


def test_what_fails_half_way_leaves_nothing() -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = CacheFile(os.path.join(folder, "cache"), TABLES, 1)

        def fail(database: sqlite3.Connection) -> None:
            add(database)
            raise OSError("no room")

        with contextlib.suppress(OSError):
            file.do(fail)
        assert file.do(add) == 1
        file.close()
