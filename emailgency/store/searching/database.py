"""The SQLite file of texts beside a mailbox. Written by the indexing process alone, read by threads of the server.

A block's row never changes but for `indexed`: one that grows is written anew under another id. `grams` says which
blocks may hold three characters in a row (FTS5, trigrams); without it, or before a block is in it, the block is read.
"""

import contextlib
import os
import sqlite3
from collections.abc import Iterator

FILE = "search.sqlite"
VERSION = 2  # grows when something in it changes; other versions are thrown away

_TABLES = """
CREATE TABLE block (id INTEGER PRIMARY KEY AUTOINCREMENT, folder TEXT, uidvalidity INTEGER, full INTEGER,
  indexed INTEGER DEFAULT 0, uids BLOB, parts BLOB, fields BLOB, keys BLOB);
CREATE INDEX block_of_folder ON block (folder, uidvalidity);
CREATE INDEX block_behind ON block (id) WHERE full = 1 AND indexed = 0;
CREATE TABLE text (id INTEGER PRIMARY KEY, head BLOB, body BLOB);
"""
_GRAMS = """
CREATE VIRTUAL TABLE grams USING
  fts5(text, content='', columnsize=0, detail=none, tokenize='trigram case_sensitive 1');
"""
_MOST_GRAMS = 16  # of a needle that are asked for; the text itself decides


@contextlib.contextmanager
def writing(path: str) -> Iterator[sqlite3.Connection]:
    """To write in one transaction; a damaged file, or one of another version, is begun anew."""
    try:
        database = _open(path)
    except sqlite3.OperationalError:
        raise  # busy, full or read-only, not damaged
    except sqlite3.DatabaseError:
        wipe(path)
        database = _open(path)
    with contextlib.closing(database), database:
        yield database


def wipe(path: str) -> None:
    for suffix in ("", "-wal", "-shm"):
        with contextlib.suppress(OSError):  # not there, or not ours to remove: then it stays unused
            os.unlink(path + suffix)


def _open(path: str) -> sqlite3.Connection:
    database = sqlite3.connect(path, timeout=10.0)
    try:
        if database.execute("PRAGMA user_version").fetchone()[0] != VERSION:
            database.close()
            wipe(path)
            database = sqlite3.connect(path, timeout=10.0)
            database.execute("PRAGMA journal_mode = WAL")
            database.executescript(_TABLES)
            with contextlib.suppress(sqlite3.OperationalError):  # an SQLite without FTS5 or trigrams
                database.executescript(_GRAMS)
            database.execute(f"PRAGMA user_version = {VERSION}")
        database.execute("PRAGMA synchronous = OFF")
    except BaseException:
        database.close()
        raise
    return database


@contextlib.contextmanager
def reading(path: str) -> Iterator[sqlite3.Connection | None]:
    """To read one state of it; None when there is nothing of use."""
    if not os.path.exists(path):
        yield None
        return
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", timeout=2.0, uri=True)) as database:
        if database.execute("PRAGMA user_version").fetchone()[0] != VERSION:
            yield None
            return
        database.execute("BEGIN")
        yield database


def has_grams(database: sqlite3.Connection) -> bool:
    return database.execute("SELECT 1 FROM sqlite_master WHERE name = 'grams'").fetchone() is not None


def grams_of(needle: str) -> str | None:
    """The FTS5 query for texts that may hold `needle`; None: it is too short to ask."""
    if len(needle) < 3:
        return None
    last = len(needle) - 3
    step = max(1, last // (_MOST_GRAMS - 1))
    places = sorted({*range(0, last + 1, step), last})
    grams = dict.fromkeys(needle[at : at + 3].replace('"', '""') for at in places)
    return " AND ".join(f'"{gram}"' for gram in grams)
