"""Where SEARCH and SORT look things up: texts of messages, found by folder, in memory and in the file beside a mailbox.

A cache: whatever it does not hold yet is read from the messages, which only takes longer. Nothing here ever fails a
command. `memory` holds what is asked for most, `shelf` reads the rest in threads, `filling` adds what is new.
"""

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from itertools import filterfalse
from typing import Any

from msgspec import Struct

from emailgency.codec.mime.search_extract import FIELDS
from emailgency.codec.mime.sort_keys import SortKeys
from emailgency.store.mailboxes.folder import Folder
from emailgency.store.searching.blocks import Column, in_named_field
from emailgency.store.searching.filling import Filling
from emailgency.store.searching.memory import Memory, worth_it
from emailgency.store.searching.shelf import Shelf


class Answer(Struct, frozen=True):
    """UIDs of messages that hold what was looked for, and of those of the folder that must be read to know."""

    found: AbstractSet[int]
    unread: AbstractSet[int]


class SearchIndex:
    """`want` a folder when somebody reads it; then ask."""

    def __init__(self, reactor: Any, held: int = 64 << 20) -> None:
        """About `held` octets stay in memory over all folders."""
        self.memory = Memory(held)
        self._shelf = Shelf(reactor, self.memory)
        self.filling = Filling(reactor, self.memory, self._shelf)

    async def stop(self) -> None:
        await self.filling.stop()

    def want(self, folder: Folder) -> None:
        """Somebody reads it: see that new messages come in."""
        self.filling.want(folder)

    async def in_field(self, folder: Folder, field: str, needle: str) -> Answer:
        """Messages with a field of this lower-case name that holds `needle` (casefolded; "" for any value)."""
        if not worth_it(folder):
            return _nothing(folder)
        octets = needle.encode("utf-8", "replace")
        if field not in FIELDS:
            holding = in_named_field(field, octets)
            return await self._in_texts(folder, needle, "head", lambda head: set(holding(head)))
        known = self.memory.of(folder)
        await self._shelf.load(folder, known)
        return Answer(known.in_field(field, octets), known.unread(folder))

    async def in_text(self, folder: Folder, needle: str, with_header: bool) -> Answer:
        """Messages whose decoded body, or with the header either, holds `needle` (casefolded, not empty)."""
        if not worth_it(folder):
            return _nothing(folder)
        octets = needle.encode("utf-8", "replace")

        def holding(*columns: Column) -> set[int]:
            return {place for column in columns for place in column.holding(octets)}

        return await self._in_texts(folder, needle, "head, body" if with_header else "body", holding)

    async def sent(self, folder: Folder, fits: Callable[[int], bool]) -> Answer:
        """Messages whose Date is of a day (as `date.toordinal`) that `fits`."""
        keys = await self.sort_keys(folder)
        found = {uid for uid, one in keys.items() if one.day is not None and fits(one.day)}
        return Answer(found, set(filterfalse(keys.__contains__, folder.uids)))

    async def sort_keys(self, folder: Folder) -> dict[int, SortKeys]:
        """By UID, of the messages that are known; not to be changed."""
        if not worth_it(folder):
            return {}
        known = self.memory.of(folder)
        await self._shelf.load(folder, known)
        await self._shelf.load_keys(folder, known)
        self.memory.of(folder)  # they weigh more now
        return known.keys

    async def _in_texts(self, folder: Folder, needle: str, columns: str, holding: Callable[..., set[int]]) -> Answer:
        read = await self._shelf.among_texts(folder, needle, columns, holding)
        return Answer(read[0], set(folder.uids) - read[1]) if read is not None else _nothing(folder)


def _nothing(folder: Folder) -> Answer:
    """Is known of it."""
    return Answer(frozenset(), set(folder.uids))
