"""What the server asks of the indexing process, and its answers: msgpack frames over two pipes."""

from msgspec import Struct

from emailgency.store.searching.blocks import Fields


class Index(Struct, frozen=True, tag=True):
    """Add messages to the cache at `path`; `files` are (UID, name below the folder)."""

    number: int
    path: str
    root: str
    folder: str
    uidvalidity: int
    files: tuple[tuple[int, str], ...]


class Forget(Struct, frozen=True, tag=True):
    """Drop all that is known of a folder."""

    number: int
    path: str
    folder: str


Request = Index | Forget


class Indexed(Struct, frozen=True, tag=True):
    """New blocks, and the ids of those they replace. Messages that were not there are in no block."""

    number: int
    blocks: tuple[Fields, ...] = ()
    replaced: tuple[int, ...] = ()


class Failed(Struct, frozen=True, tag=True):
    """The cache cannot be written."""

    number: int
    reason: str


Reply = Indexed | Failed
