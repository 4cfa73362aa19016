"""What the summary cache of a mailbox holds, for all who read and write it: the server, and the indexing process."""

import sqlite3
from collections.abc import Iterable, Mapping

import msgspec

from emailgency.codec.mime.summary import Summary

FILE = "summaries.sqlite"
VERSION = 3  # grows when the serialised form changes; other versions are thrown away
TABLES = """
DROP TABLE IF EXISTS summary;
DROP TABLE IF EXISTS recent;
DROP TABLE IF EXISTS preview;
CREATE TABLE IF NOT EXISTS summary (folder TEXT, uidvalidity INTEGER, uid INTEGER, packed BLOB,
  PRIMARY KEY (folder, uidvalidity, uid)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS preview (folder TEXT, uidvalidity INTEGER, uid INTEGER, words TEXT,
  PRIMARY KEY (folder, uidvalidity, uid)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS recent (folder TEXT PRIMARY KEY, uidvalidity INTEGER, told INTEGER) WITHOUT ROWID;
"""
_KEEP = "INSERT OR REPLACE INTO summary VALUES (?, ?, ?, ?)"
_AND_ONE_MORE = ", (?, ?, ?, ?)"
_ROWS = 100  # written by one statement, since each lets go of the interpreter's lock and waits for it again

Key = tuple[str, int]  # path of the folder, UIDVALIDITY

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Summary).decode


def read(database: sqlite3.Connection, key: Key, low: int, high: int) -> list[tuple[int, Summary]]:
    """(UID, summary) of those it knows of UIDs `low` to `high`."""
    rows = database.execute(
        "SELECT uid, packed FROM summary WHERE folder = ? AND uidvalidity = ? AND uid BETWEEN ? AND ?",
        (*key, low, high),
    )
    return [(uid, _decode(packed)) for uid, packed in rows]


def highest(database: sqlite3.Connection, key: Key) -> int:
    """The highest UID it knows of a folder."""
    row = database.execute("SELECT max(uid) FROM summary WHERE folder = ? AND uidvalidity = ?", key).fetchone()
    return row[0] or 0


def write(database: sqlite3.Connection, key: Key, summaries: Mapping[int, Summary]) -> None:
    """By UID. What is known of the folder under another UIDVALIDITY goes."""
    database.execute("DELETE FROM summary WHERE folder = ? AND uidvalidity <> ?", key)
    rows = [(*key, uid, _encode(summary)) for uid, summary in summaries.items()]
    for at in range(0, len(rows), _ROWS):
        some = rows[at : at + _ROWS]
        values = [value for row in some for value in row]
        database.execute(_KEEP + _AND_ONE_MORE * (len(some) - 1), values)


def forget(database: sqlite3.Connection, key: Key, uids: Iterable[int]) -> None:
    rows = [(*key, uid) for uid in uids]
    database.executemany("DELETE FROM summary WHERE folder = ? AND uidvalidity = ? AND uid = ?", rows)
    database.executemany("DELETE FROM preview WHERE folder = ? AND uidvalidity = ? AND uid = ?", rows)
