"""The ledger of one customer: an SQLite file. One process writes it; threads of the server read beside.

A message's rows are added when its records come by in the spool journal, and the same record may come twice: each row
has a key of what it tells. Ids begin with the second of arrival, so that their order is that of time, and the oldest
are those with the smallest. `party` is what a message is found by at once; a Message-ID would fall anywhere in it, and
half of all CPU went there: like subjects they are looked through, some 2 million a second.
"""

import os
import sqlite3
from collections.abc import Iterable, Iterator

import msgspec

from emailgency.model.story import Facts, Happening
from emailgency.store.ledger.facts import parties

VERSION = 1
_CACHE = 32_768  # KiB of one file: addresses come in any order, and with 2 MiB a message took twice the CPU
_MEMORY = 64 << 20  # octets of all files together
_SLICE = 2000  # messages forgotten in one transaction, some 50 ms
_TABLES = """
CREATE TABLE message (id TEXT PRIMARY KEY, message_id TEXT, subject TEXT, folded TEXT, facts BLOB) WITHOUT ROWID;
CREATE TABLE party (name TEXT, id TEXT, PRIMARY KEY (name, id)) WITHOUT ROWID;
CREATE TABLE happening (id TEXT, at REAL, word TEXT, targets BLOB, whole BLOB, PRIMARY KEY (id, at, word, targets))
  WITHOUT ROWID;
"""

_encode = msgspec.msgpack.Encoder().encode
_facts: msgspec.msgpack.Decoder[Facts] = msgspec.msgpack.Decoder(Facts)
facts_of = _facts.decode
happening_of = msgspec.msgpack.Decoder(Happening).decode


class LedgerFile:
    """Made when it is not there. Raises sqlite3.Error, OSError."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._database = sqlite3.connect(path, timeout=5.0, isolation_level=None)
        try:
            os.chmod(path, 0o600)
            (version,) = self._database.execute("PRAGMA user_version").fetchone()
            if version == 0:
                self._database.execute("PRAGMA auto_vacuum = INCREMENTAL")
                self._database.execute("PRAGMA journal_mode = WAL")
                self._database.executescript(f"{_TABLES} PRAGMA user_version = {VERSION};")
            elif version != VERSION:
                raise sqlite3.DatabaseError(f"{path} is of version {version}")
            # In WAL mode a power cut may take back what was written last, never damage it; `settle` makes it last
            self._database.execute("PRAGMA synchronous = NORMAL")
            self._database.execute(f"PRAGMA cache_size = -{_CACHE}")
            self._database.execute(f"PRAGMA soft_heap_limit = {_MEMORY}")  # of the whole process
            self._database.execute("PRAGMA wal_autocheckpoint = 4000")  # pages; each syncs, and so holds up the storer
            self._database.execute("PRAGMA journal_size_limit = 20000000")
        except BaseException:
            self._database.close()
            raise

    def add(self, messages: Iterable[Facts], happenings: Iterable[tuple[str, Happening]]) -> None:
        """In one transaction; what is there already stays."""
        rows, names = [], []
        for facts in messages:
            subject = facts.subject
            folded = None if subject.isascii() else subject.casefold()
            rows.append((facts.id, facts.message_id, subject, folded, _encode(facts)))
            names += [(name, facts.id) for name in parties(facts)]
        told = [(id, one.at, one.word, bytes(_encode(one.targets)), _encode(one)) for id, one in happenings]
        database = self._database
        database.execute("BEGIN IMMEDIATE")
        try:
            database.executemany("INSERT OR IGNORE INTO message VALUES (?, ?, ?, ?, ?)", rows)
            database.executemany("INSERT OR IGNORE INTO party VALUES (?, ?)", names)
            database.executemany("INSERT OR IGNORE INTO happening VALUES (?, ?, ?, ?, ?)", told)
            database.execute("COMMIT")
        except BaseException:
            if database.in_transaction:
                database.execute("ROLLBACK")
            raise

    def forget(self, ids: Iterable[str]) -> None:
        """These messages never were, or are too old."""
        database = self._database
        database.execute("BEGIN IMMEDIATE")
        try:
            for id in ids:
                row = database.execute("SELECT facts FROM message WHERE id = ?", (id,)).fetchone()
                if row is not None:
                    names = [(name, id) for name in parties(facts_of(row[0]))]
                    database.executemany("DELETE FROM party WHERE name = ? AND id = ?", names)
                database.execute("DELETE FROM happening WHERE id = ?", (id,))
                database.execute("DELETE FROM message WHERE id = ?", (id,))
            database.execute("COMMIT")
        except BaseException:
            if database.in_transaction:
                database.execute("ROLLBACK")
            raise

    def forget_oldest(self, before: str = "g") -> int:
        """A slice of the oldest, at most those with ids below `before` (none is beyond "f…"). How many went."""
        query = "SELECT id FROM message WHERE id < ? ORDER BY id LIMIT ?"
        ids = [id for (id,) in self._database.execute(query, (before, _SLICE))]
        if ids:
            self.forget(ids)
            self._database.execute("DELETE FROM happening WHERE id < ?", (ids[-1],))  # of messages long gone
            self._database.execute("PRAGMA incremental_vacuum").fetchall()
        return len(ids)

    def among(self, ids: Iterable[str], party: str = "") -> Iterator[tuple[str, bytes]]:
        """Those of these messages that are known, with their facts; only those of a party, unless it is ""."""
        query = "SELECT facts FROM message WHERE id = ?"
        if party:
            query += " AND EXISTS (SELECT 1 FROM party WHERE name = ? AND party.id = message.id)"
        for id in ids:
            row = self._database.execute(query, (id, party) if party else (id,)).fetchone()
            if row is not None:
                yield id, row[0]

    @property
    def oldest(self) -> str | None:
        """Its id."""
        found: str | None = self._database.execute("SELECT min(id) FROM message").fetchone()[0]
        return found

    @property
    def octets(self) -> int:
        """Without what lies free in the file."""
        pages, free, size = (
            self._database.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("page_count", "freelist_count", "page_size")
        )
        return int((pages - free) * size)

    def settle(self) -> None:
        """All that was added is on stable storage when this returns. Raises sqlite3.OperationalError: not yet."""
        busy, written, moved = self._database.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        if busy:
            raise sqlite3.OperationalError("somebody else is at it: later")
        if moved < written:  # somebody reads what was there before: SQLite has synced nothing, and says no word of it
            self._sync_log()

    def _sync_log(self) -> None:
        """SQLite locks nothing in this file, or closing it would give its locks away."""
        descriptor = os.open(f"{self._path}-wal", os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def close(self) -> None:
        self._database.close()
