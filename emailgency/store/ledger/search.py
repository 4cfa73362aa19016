"""Reading ledgers, in threads, beside the process that writes them."""

import os
import sqlite3
import time
from contextlib import closing
from typing import Any
from urllib.parse import quote

from msgspec import Struct
from twisted.internet.defer import DeferredSemaphore

from emailgency.background import in_thread, to_its_end
from emailgency.model.errors import Temporary
from emailgency.model.story import Story
from emailgency.store.ledger.file import facts_of, happening_of
from emailgency.store.ledger.ledger import Ledger

AT_ONCE = 2  # searches; a thread of the pool each
LONGEST = 10.0  # seconds of one search of one customer
_OFTEN = 200_000  # steps of SQLite between two looks at the time, about 10 ms
_LAST = 0xFFFFFFFF  # seconds since the epoch that an id can tell
_OF_PARTY = "id IN (SELECT id FROM party WHERE {})"
_HAPPENINGS = 2000  # of one message that are told, the last ones


class Query(Struct, frozen=True, kw_only=True):
    """All of it must fit. Times are seconds since the epoch."""

    parties: frozenset[str] = frozenset()  # one of these (store.ledger.facts); none: whoever
    address: str = ""  # of sender or a recipient, or a part of one
    subject: str = ""  # or a part of it
    id: str = ""  # ours
    message_id: str = ""
    since: float = 0.0
    until: float = float(_LAST)
    before: str = ""  # ids below this one only: where the last page ended
    limit: int = 100


class LedgerSearch:
    """Raises Temporary when it takes too long, or the disk fails."""

    def __init__(self, reactor: Any, ledger: Ledger) -> None:
        self.ledger = ledger
        self._reactor = reactor
        self._places = DeferredSemaphore(AT_ONCE)

    async def find(self, customer: str, query: Query) -> list[Story]:
        """The newest first, at most `limit`."""
        stories: list[Story] = await self._in_thread(find, self.ledger.path(customer), query)
        return stories

    async def customers(self) -> list[str]:
        """Those with a ledger."""
        customers: list[str] = await self._in_thread(self.ledger.customers)
        return customers

    async def _in_thread(self, deed: Any, *arguments: object) -> Any:
        """Who hangs up while he waits for a place needs none; once begun it keeps it for as long as its thread."""
        await self._places.acquire()
        return await to_its_end("a search of the ledger", self._in_place(deed, *arguments))

    async def _in_place(self, deed: Any, *arguments: object) -> Any:
        try:
            return await in_thread(self._reactor, deed, *arguments)
        finally:
            self._places.release()


def find(path: str, query: Query) -> list[Story]:
    """Blocks."""
    if not os.path.exists(path):
        return []
    deadline = time.monotonic() + LONGEST
    try:
        with closing(sqlite3.connect(f"file:{quote(path)}?mode=ro", uri=True, timeout=2.0)) as database:
            database.set_progress_handler(lambda: time.monotonic() > deadline, _OFTEN)
            sql, values = _sql(database, query)
            rows = database.execute(sql, values).fetchall()
            return [_story(database, id, octets) for id, octets in rows]
    except sqlite3.OperationalError as error:
        if str(error) == "interrupted":
            raise Temporary("the search took too long: name a shorter time, or a whole address") from None
        if "no such table" in str(error):  # its first message is on the way
            return []
        raise Temporary(f"the ledger cannot be read: {error}") from error
    except sqlite3.DatabaseError as error:
        raise Temporary(f"the ledger cannot be read: {error}") from error


def _story(database: sqlite3.Connection, id: str, octets: bytes) -> Story:
    rows = database.execute(
        "SELECT whole FROM happening WHERE id = ? ORDER BY at DESC, targets DESC LIMIT ?", (id, _HAPPENINGS)
    ).fetchall()
    return Story(facts_of(octets), tuple(happening_of(whole) for (whole,) in reversed(rows)))


def _sql(database: sqlite3.Connection, query: Query) -> tuple[str, list[object]]:
    values: list[object] = [_bound(query.since), query.before or f"{_bound(query.until)}g"]
    wanted = ["id >= ?", "id < ?"]
    if query.id:
        wanted.append("id = ?")
        values.append(query.id)
    if query.message_id:
        wanted.append("message_id = ?")
        values.append(query.message_id.strip().removeprefix("<").removesuffix(">"))
    if query.parties:
        wanted.append(_OF_PARTY.format(f"name IN ({','.join('?' * len(query.parties))})"))
        values += sorted(query.parties)
    if query.address:
        known = database.execute("SELECT 1 FROM party WHERE name = ? LIMIT 1", (query.address.lower(),)).fetchone()
        # A part of an address takes a look at every one, some 3 million a second
        same = "name = ?" if known else "name LIKE ? ESCAPE '\\' AND substr(name, 1, 1) NOT IN ('=', '>', '~')"
        wanted.append(_OF_PARTY.format(same))
        values.append(query.address.lower() if known else _like(query.address.lower()))
    if query.subject:
        wanted.append("coalesce(folded, subject) LIKE ? ESCAPE '\\'")
        values.append(_like(query.subject.casefold()))
    sql = f"SELECT id, facts FROM message WHERE {' AND '.join(wanted)} ORDER BY id DESC LIMIT ?"  # noqa: S608
    return sql, [*values, query.limit]


def _bound(at: float) -> str:
    return f"{min(max(int(at), 0), _LAST):08x}"


def _like(text: str) -> str:
    for sign in "\\%_":
        text = text.replace(sign, f"\\{sign}")
    return f"%{text}%"
