"""Previews of messages (RFC 8970), kept with the summaries: made when somebody first asks for them."""

import sqlite3
from collections.abc import Sequence

from emailgency.background import background
from emailgency.store.mailboxes.folder import Folder
from emailgency.store.mailboxes.summaries import Summaries


class Previews:
    """Only in the cache file: a list of messages is shown once, and 0.1 ms a hundred is what reading it costs."""

    def __init__(self, summaries: Summaries) -> None:
        self._summaries = summaries

    async def load(self, folder: Folder, uids: Sequence[int]) -> dict[int, str]:
        """Those of these messages (ascending, not none) that the cache knows."""

        def read(database: sqlite3.Connection) -> list[tuple[int, str]]:
            return database.execute(
                "SELECT uid, words FROM preview WHERE folder = ? AND uidvalidity = ? AND uid BETWEEN ? AND ?",
                (folder.path, folder.uidvalidity, uids[0], uids[-1]),
            ).fetchall()

        return dict(await self._summaries.run(folder, read) or ())

    def keep(self, folder: Folder, previews: dict[int, str]) -> None:
        """These have just been made."""
        key = (folder.path, folder.uidvalidity)

        def write(database: sqlite3.Connection) -> None:
            database.execute("DELETE FROM preview WHERE folder = ? AND uidvalidity <> ?", key)
            rows = [(*key, uid, words) for uid, words in previews.items()]
            database.executemany("INSERT OR REPLACE INTO preview VALUES (?, ?, ?, ?)", rows)

        background("keeping previews", self._summaries.run(folder, write))
