"""What the reactor asks of the storer: the frames of their socket pair. What it answers is in replies.py.

A frame is a 4-byte big-endian length and msgpack. Requests carry a `number`; every reply names the number it
answers. The storer works strictly in order and in batches, so the replies of one folder tell one story.
Folders are paths relative to the data folder, made only by `store.layout`.
"""

from msgspec import Struct


class Delivery(Struct, frozen=True, array_like=True):
    """One local target of a plan. `prefix` is put in front of a copy; empty: hard link."""

    target: int  # index in Envelope.plan
    folder: str
    prefix: bytes = b""
    address: str | None = None  # catchall: written to the file `address` when the folder is new


# ---- spool -----------------------------------------------------------------------------------------------


class Write(Struct, frozen=True, array_like=True, tag="write"):
    """Append octets to the coming .msg of `id`; no reply. A failure is kept and answered at Commit."""

    id: str
    chunk: bytes


class Amend(Struct, frozen=True, array_like=True, tag="amend"):
    """Write over what Write brought of `id`, from `place` on; no reply. A failure is kept and answered at Commit."""

    id: str
    place: int
    octets: bytes


class Abort(Struct, frozen=True, array_like=True, tag="abort"):
    """The transaction died: drop what Write made; no reply."""

    id: str


class Commit(Struct, frozen=True, array_like=True, tag="commit"):
    """The rest of the octets and the `Accepted` journal record. Replies: Done (committed), then Delivered."""

    number: int
    id: str
    chunk: bytes
    record: bytes
    deliveries: tuple[Delivery, ...]


class Redeliver(Struct, frozen=True, array_like=True, tag="redeliver"):
    """Finish local targets of a live message; one already in its folder is not put there again. Reply: Delivered."""

    number: int
    id: str
    deliveries: tuple[Delivery, ...]


class Record(Struct, frozen=True, array_like=True, tag="record"):
    """Append records to the spool journal. Reply: Done, when they are on stable storage."""

    number: int
    records: tuple[bytes, ...]


class Release(Struct, frozen=True, array_like=True, tag="release"):
    """These messages ended: record that, then unlink their .msg; no reply.

    `void`: their commit never counted; what a storer that died had linked into tmp/ of `folders` goes as well.
    """

    ids: tuple[str, ...]
    void: bool = False
    folders: tuple[str, ...] = ()


class Settle(Struct, frozen=True, array_like=True, tag="settle"):
    """Start-up: deliveries of these ids are recorded as finished; one still in tmp/ is renamed on. Reply: Done."""

    number: int
    folder: str
    ids: tuple[str, ...]


class Forget(Struct, frozen=True, array_like=True, tag="forget"):
    """Nothing live is left in the journal segments below this number: unlink them after the next sync; no reply."""

    below: int


class Ballast(Struct, frozen=True, array_like=True, tag="ballast"):
    """Make the file that is given up when the disk is full `size` octets long; 0: release it. Reply: Done."""

    number: int
    size: int


# ---- folders ---------------------------------------------------------------------------------------------


class Open(Struct, frozen=True, array_like=True, tag="open"):
    """List a folder. Reply: Opened, or Refused("nonexistent"). Files without a UID get one first.

    `token` of an earlier Opened: reply Unchanged when nothing but our own requests changed the folder since.
    """

    number: int
    folder: str
    token: str = ""


class New(Struct, frozen=True, array_like=True):
    """A message of an APPEND: what Write made under `id`, and `chunk`."""

    id: str
    chunk: bytes
    flags: str  # Maildir letters, sorted
    mtime: float  # INTERNALDATE


class Vanished(Struct, frozen=True, array_like=True, tag="vanished"):
    """What has gone from a folder behind a mod-sequence. Reply: Gone, or Refused("nonexistent")."""

    number: int
    folder: str
    since: int


class Append(Struct, frozen=True, array_like=True, tag="append"):
    """APPEND: all messages or none, synced. Reply: Changed with one Placed each, in their order; Refused otherwise.

    `replaced` (folder, uid, name) is a message that goes when the one new one is durable: "gone" if it is not there.
    """

    number: int
    folder: str
    messages: tuple[New, ...]
    replaced: tuple[str, int, str] | None = None


class Copy(Struct, frozen=True, array_like=True, tag="copy"):
    """`messages` are (uid, name). Reply: Changed, synced, all or nothing. `move`: by rename, reported as expunged."""

    number: int
    source: str
    destination: str
    messages: tuple[tuple[int, str], ...]
    move: bool = False


class Expunge(Struct, frozen=True, array_like=True, tag="expunge"):
    """Reply: Changed with the UIDs that went, synced."""

    number: int
    folder: str
    messages: tuple[tuple[int, str], ...]


class SetFlags(Struct, frozen=True, array_like=True, tag="flags"):
    """Rename to new flag letters (a message leaves new/ for cur/). Reply: Changed; synced within a second.

    A name that is gone is skipped: another program moved it, the next Open tells.
    """

    number: int
    folder: str
    messages: tuple[tuple[int, str, str], ...]  # uid, name, letters


class Keywords(Struct, frozen=True, array_like=True, tag="keywords"):
    """Give these keywords letters in `dovecot-keywords`. Reply: KeywordList with all, or Refused("limit")."""

    number: int
    folder: str
    words: tuple[str, ...]


class Folders(Struct, frozen=True, array_like=True, tag="folders"):
    """Reply: FolderList of one mailbox (Maildir++ folders and the file `subscriptions`).

    `token` of an earlier FolderList: reply Unchanged when it is still true.
    """

    number: int
    mailbox: str
    token: str = ""


class CreateFolder(Struct, frozen=True, array_like=True, tag="create"):
    """Reply: Opened, or Refused("exists"). With `quiet` an existing one is only opened. Synced.

    `address`: of an unknown address, whose mail comes back.
    """

    number: int
    folder: str
    quiet: bool = False
    address: str | None = None


class Furnish(Struct, frozen=True, array_like=True, tag="furnish"):
    """Make a mailbox and, unless it has folders or subscriptions of its own, these. Reply: Furnished.

    Nobody waits for the disk: they are synced within a second, and before anything in them is promised.
    """

    number: int
    mailbox: str
    folders: tuple[str, ...]
    subscriptions: tuple[str, ...]


class DeleteFolder(Struct, frozen=True, array_like=True, tag="delete"):
    """Reply: Done or Refused("nonexistent"). A whole mailbox may be named (all below it goes).

    `at_most` so many messages go: Refused("exists") when more are in it, or about to be; nothing comes in between.
    """

    number: int
    folder: str
    at_most: int | None = None


class Reconstruct(Struct, frozen=True, array_like=True, tag="reconstruct"):
    """Make the numbers of a folder again from its files (row B9). Reply: Opened, or Refused("nonexistent")."""

    number: int
    folder: str


class RenameFolders(Struct, frozen=True, array_like=True, tag="rename"):
    """Rename (old, new) pairs. Reply: Done or Refused("nonexistent" | "exists"). Synced."""

    number: int
    pairs: tuple[tuple[str, str], ...]


class Subscriptions(Struct, frozen=True, array_like=True, tag="subscriptions"):
    """Replace a mailbox's `subscriptions` file (tmp, fsync, rename). Reply: Done."""

    number: int
    mailbox: str
    names: tuple[str, ...]


class Annotate(Struct, frozen=True, array_like=True, tag="annotate"):
    """Note or (None) take away entries of METADATA. Reply: Done, synced, or Refused("nonexistent" | "limit").

    `server`: those about the server, which lie in the INBOX. At most `most` entries of `octets` in all (names, values).
    """

    number: int
    folder: str
    entries: tuple[tuple[str, bytes | None], ...]
    most: int
    octets: int
    server: bool = False


class ReadAnnotations(Struct, frozen=True, array_like=True, tag="read_annotations"):
    """Reply: Annotations, or Refused("nonexistent")."""

    number: int
    folder: str
    server: bool = False


class Stop(Struct, frozen=True, array_like=True, tag="stop"):
    """Sync everything, write exact UIDNEXTs, reply Done, exit."""

    number: int


Telling = Write | Amend | Abort | Release | Forget  # no reply
Asking = (
    Commit
    | Redeliver
    | Record
    | Settle
    | Ballast
    | Open
    | Vanished
    | Append
    | Copy
    | Expunge
    | SetFlags
    | Keywords
    | Folders
    | CreateFolder
    | Furnish
    | DeleteFolder
    | Reconstruct
    | RenameFolders
    | Subscriptions
    | Annotate
    | ReadAnnotations
    | Stop
)
Request = Telling | Asking
