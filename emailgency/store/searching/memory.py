"""What is in memory of the folders that are searched: the usual header fields of their messages, and what they are
sorted by. Bounded over all folders; what is not here is read from the cache again.
"""

from array import array
from collections.abc import Set as AbstractSet
from itertools import compress

from emailgency.codec.mime.search_extract import FIELDS
from emailgency.codec.mime.sort_keys import SortKeys
from emailgency.store.mailboxes.folder import Folder
from emailgency.store.searching.blocks import Column, Fields

FEW = 300  # messages; a smaller folder is read in 5 ms (headers) or 15 ms (all), which no cache of it is worth
_MUCH = 4  # one hit in so many messages


def worth_it(folder: Folder) -> bool:
    """Whether a cache of it is."""
    return len(folder) >= FEW


class _Block:
    """Texts of some messages. A field that holds much of what is looked for is taken apart: then a search looks at each
    message's text in 40 ns, however often it holds the needle, where finding costs 1 us a hit.
    """

    __slots__ = ("_columns", "_texts", "octets", "uids")

    def __init__(self, fields: Fields) -> None:
        self.uids = array("I", fields.uids)
        self.octets = fields.octets
        self._columns: dict[str, Column] = fields.columns
        self._texts: dict[str, list[str]] = {}

    def holding(self, field: str, octets: bytes, needle: str) -> list[int]:
        """UIDs of messages with this field that hold the needle in it, which may be empty; `octets` are its UTF-8."""
        column = self._columns[field]
        hits = column.octets.count(octets) if octets else len(self.uids)
        if not hits:
            return []
        if hits * _MUCH < len(self.uids):
            return [self.uids[place] for place in column.holding(octets)]
        texts = self._texts.get(field)
        if texts is None:
            texts = self._texts[field] = [text.decode("utf-8", "replace") for text in column.texts()]
        if not needle:
            return list(compress(self.uids, texts))
        return [uid for uid, text in zip(self.uids, texts, strict=True) if needle in text]


class Known:
    """Of one folder."""

    def __init__(self) -> None:
        self.refused: set[int] = set()  # what the process died of
        self.filling = False
        self.reset()

    def reset(self) -> None:
        """Nothing, but how filling goes: the file may have been wiped."""
        self.blocks: dict[int, _Block] | None = None  # by id; None: not loaded
        self.uids: set[int] = set()  # in the blocks
        self.covered: set[int] = set()  # of these, those with complete texts
        self.keys: dict[int, SortKeys] = {}
        self.keyed: set[int] = set()  # blocks whose keys are in memory
        self.octets = 0
        self.looked: object = None  # the folder as it was when it was filled last
        self._apart: set[str] = set()  # fields that have been searched
        self._unread: tuple[array[int], int, set[int]] | None = None  # a column of UIDs, its length, what was missing

    @property
    def weight(self) -> int:
        """About how many octets of memory it takes."""
        return self.octets + 700 * len(self.keys) + (100 + 100 * len(self._apart)) * len(self.uids)

    def add(self, fields: Fields) -> None:
        assert self.blocks is not None
        block = self.blocks[fields.id] = _Block(fields)
        self.uids.update(block.uids)
        self.covered.update(block.uids)
        self.covered.difference_update(array("I", fields.parts))
        self.octets += block.octets
        self._unread = None

    def drop(self, id: int) -> None:
        """Another block has its messages now."""
        assert self.blocks is not None
        block = self.blocks.pop(id, None)
        if block is not None:
            self.octets -= block.octets
            self.keyed.discard(id)

    def in_field(self, field: str, octets: bytes) -> set[int]:
        """UIDs of messages with one of FIELDS that holds these octets of UTF-8."""
        assert field in FIELDS
        self._apart.add(field)
        needle = octets.decode()
        found: set[int] = set()
        for block in (self.blocks or {}).values():
            found.update(block.holding(field, octets, needle))
        return found

    def unread(self, folder: Folder) -> AbstractSet[int]:
        """UIDs of the folder whose texts are not known; made anew only when something has changed."""
        column = folder.uids
        kept = self._unread
        if kept is None or kept[0] is not column or kept[1] != len(column):
            missing = set[int]() if self.covered.issuperset(column) else set(column) - self.covered
            kept = self._unread = (column, len(column), missing)
        return kept[2]


class Memory:
    """All folders."""

    def __init__(self, most: int) -> None:
        """About so many octets are kept; 10,000 messages take 10 MB, once they were sorted."""
        self._most = most
        self.known: dict[Folder, Known] = {}  # the folder used last is the last

    def of(self, folder: Folder) -> Known:
        """What is known of a folder; those that were not used for longest are forgotten when all is too much."""
        known = self.known.pop(folder, None) or Known()
        self.known[folder] = known
        total = sum(one.weight for one in self.known.values())
        for other, its in list(self.known.items()):
            if total <= self._most and not other.gone:
                break
            if its is not known and not its.filling:
                total -= its.weight
                del self.known[other]
        return known
