"""What the storer answers the reactor: the frames of messages.py, each with the number of its request."""

from msgspec import Struct


class Placed(Struct, frozen=True, array_like=True):
    """A message that is now in a folder, durable and visible."""

    folder: str
    uid: int
    subfolder: str  # "new" or "cur"
    name: str
    target: int = -1
    source_uid: int = 0  # COPY, MOVE: where it came from
    modseq: int = 0  # its mod-sequence (RFC 7162)


class Done(Struct, frozen=True, array_like=True, tag="done"):
    number: int
    segment: int = 0  # of the spool journal that holds the records of the request


class Refused(Struct, frozen=True, array_like=True, tag="refused"):
    """The request makes no sense now: "nonexistent", "exists", "limit", "gone"."""

    number: int
    reason: str


class Failed(Struct, frozen=True, array_like=True, tag="failed"):
    """The disk said no (errno name and text): nothing happened, the reactor raises Temporary."""

    number: int
    reason: str


class Delivered(Struct, frozen=True, array_like=True, tag="delivered"):
    """Local targets of `id` now visible; their done records are on stable storage."""

    number: int
    id: str
    placed: tuple[Placed, ...]
    failed: tuple[tuple[int, str], ...] = ()  # target, reason; they stay pending


class Opened(Struct, frozen=True, array_like=True, tag="opened"):
    number: int
    folder: str
    uidvalidity: int
    uidnext: int
    token: str
    names: tuple[tuple[str, str], ...]  # subfolder, name; ascending UIDs
    keywords: tuple[str, ...]  # index 0 is letter a
    modseqs: bytes = b""  # of the names, as array("Q").tobytes()
    highest: int = 0  # HIGHESTMODSEQ


class Unchanged(Struct, frozen=True, array_like=True, tag="unchanged"):
    number: int


class Gone(Struct, frozen=True, array_like=True, tag="gone"):
    """`known` is false when nobody remembers back to that mod-sequence: anything may have gone."""

    number: int
    known: bool
    uids: tuple[int, ...] = ()


class Changed(Struct, frozen=True, array_like=True, tag="changed"):
    number: int
    folder: str
    uidnext: int = 0  # of the folder things were placed in
    placed: tuple[Placed, ...] = ()
    expunged: tuple[int, ...] = ()
    renamed: tuple[tuple[int, str, str], ...] = ()  # uid, subfolder, new name
    modseq: int = 0  # of what was renamed or expunged


class KeywordList(Struct, frozen=True, array_like=True, tag="keyword_list"):
    number: int
    words: tuple[str, ...]


class FolderList(Struct, frozen=True, array_like=True, weakref=True, tag="folder_list"):
    number: int
    folders: tuple[str, ...]  # relative to the data folder, INBOX is the mailbox's own path
    subscriptions: tuple[str, ...]
    uses: tuple[tuple[str, str], ...] = ()  # folder, its annotation /private/specialuse
    token: str = ""


class Furnished(Struct, frozen=True, array_like=True, tag="furnished"):
    number: int
    made: tuple[str, ...] = ()  # folders that were not there before


class Annotations(Struct, frozen=True, array_like=True, tag="annotations"):
    number: int
    entries: tuple[tuple[str, bytes], ...]  # by name


Reply = (
    Done
    | Refused
    | Failed
    | Delivered
    | Opened
    | Unchanged
    | Gone
    | Changed
    | KeywordList
    | FolderList
    | Furnished
    | Annotations
)
