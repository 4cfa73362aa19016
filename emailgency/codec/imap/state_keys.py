"""Keys of SEARCH about what the server keeps of a message: mod-sequence (RFC 7162), ids (RFC 8474), day of saving
(RFC 8514)."""

from msgspec import Struct


class Modseq(Struct, frozen=True):
    """MODSEQ: changed at this mod-sequence or behind it."""

    at_least: int


class EmailId(Struct, frozen=True):
    """EMAILID."""

    id: bytes


class ThreadId(Struct, frozen=True):
    """THREADID; we give none, so it finds nothing."""

    id: bytes
