"""What is in memory of the folders that are searched: the usual header fields of their messages, and what they are
sorted by. Bounded over all folders; what is not here is read from the cache again.
"""

from array import array
from collections.abc import Set as AbstractSet
from itertools import filterfalse

from emailgency.codec.mime.search_extract import FIELDS
from emailgency.codec.mime.sort_keys import SortKeys
from emailgency.store.mailboxes.folder import Folder
from emailgency.store.searching.blocks import Fields
from emailgency.store.searching.joined import Joined

FEW = 300  # messages; a smaller folder is read in 5 ms (headers) or 15 ms (all), which no cache of it is worth


def worth_it(folder: Folder) -> bool:
    """Whether a cache of it is."""
    return len(folder) >= FEW


class Known:
    """Of one folder."""

    def __init__(self) -> None:
        self.refused: set[int] = set()  # what the process died of
        self.filling = False
        self.reset()

    def reset(self) -> None:
        """Nothing, but how filling goes: the file may have been wiped."""
        self.blocks: dict[int, Fields] | None = None  # by id; None: not loaded
        self.uids: set[int] = set()  # in the blocks
        self.covered: set[int] = set()  # of these, those with complete texts
        self.keys: dict[int, SortKeys] = {}
        self.keyed: set[int] = set()  # blocks whose keys are in memory
        self.octets = 0
        self.looked: object = None  # the folder as it was when it was filled last
        self._joined: dict[str, Joined] = {}  # fields that have been searched since blocks came or went
        self._unread: tuple[array[int], int, set[int]] | None = None  # a column of UIDs, its length, what was missing

    @property
    def weight(self) -> int:
        """About how many octets of memory it takes."""
        return self.octets + 700 * len(self.keys) + (100 + 100 * len(self._joined)) * len(self.uids)

    def add(self, fields: Fields) -> None:
        assert self.blocks is not None
        self.blocks[fields.id] = fields
        uids = array("I", fields.uids)
        self.uids.update(uids)
        self.covered.update(uids)
        self.covered.difference_update(array("I", fields.parts))
        self.octets += fields.octets
        self._unread = None
        self._joined.clear()

    def drop(self, id: int) -> None:
        """Another block has its messages now."""
        assert self.blocks is not None
        block = self.blocks.pop(id, None)
        if block is not None:
            self.octets -= block.octets
            self.keyed.discard(id)
            self._joined.clear()

    def in_field(self, field: str, octets: bytes) -> set[int]:
        """UIDs of messages with one of FIELDS that holds these octets of UTF-8."""
        assert field in FIELDS
        joined = self._joined.get(field)
        if joined is None:
            joined = self._joined[field] = Joined(field, (self.blocks or {}).values())
        return joined.holding(octets)

    def unread(self, folder: Folder) -> AbstractSet[int]:
        """UIDs of the folder whose texts are not known; made anew only when something has changed."""
        column = folder.uids
        kept = self._unread
        if kept is None or kept[0] is not column or kept[1] != len(column):
            missing = set(filterfalse(self.covered.__contains__, column))
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
