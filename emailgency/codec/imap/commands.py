"""What a client can ask for: one frozen Struct a command (RFC 3501 §6 and the extensions we speak).

The parser has already checked the grammar: names are decoded from modified UTF-7 (INBOX in capitals), system
flags are spelled as the RFC spells them, dates are dates. Meaning (does the mailbox exist, is it selected) is
the server's. A UID variant is the same command with `uid=True`.
"""

import enum

from msgspec import Struct

from emailgency.codec.imap.annotations import GetMetadata, SetMetadata
from emailgency.codec.imap.fetch_modifiers import NONE, FetchModifiers
from emailgency.codec.imap.modseqs import Resync
from emailgency.codec.imap.quotas import GetQuota, GetQuotaRoot, SetQuota
from emailgency.codec.imap.return_options import Returns
from emailgency.codec.imap.search_tree import SearchKey
from emailgency.codec.imap.sets import SequenceSet
from emailgency.codec.imap.sort_criteria import Algorithm, Criterion

# ---- any state ---------------------------------------------------------------------------------------------


class Capability(Struct, frozen=True):
    """CAPABILITY."""


class Noop(Struct, frozen=True):
    """NOOP."""


class Logout(Struct, frozen=True):
    """LOGOUT."""


class Id(Struct, frozen=True):
    """ID (RFC 2971): what the client says of itself, bounded and repr-safe only after escaping; () for NIL."""

    fields: tuple[tuple[str, str], ...]


# ---- not authenticated -------------------------------------------------------------------------------------


class Starttls(Struct, frozen=True):
    """STARTTLS. Octets already buffered behind it are an attack: see `Connection.unread`."""


class Authenticate(Struct, frozen=True):
    """AUTHENTICATE; `initial` is the decoded initial response of SASL-IR (RFC 4959), b"" for `=`."""

    mechanism: str  # in capitals
    initial: bytes | None


class Login(Struct, frozen=True):
    """LOGIN; never log it whole."""

    name: str
    password: str


# ---- authenticated -----------------------------------------------------------------------------------------


class Compress(Struct, frozen=True):
    """COMPRESS (RFC 4978): the algorithm in capitals. Octets already behind it are an error (`Connection.unread`)."""

    algorithm: str


class Enable(Struct, frozen=True):
    """ENABLE (RFC 5161): capability names in capitals."""

    capabilities: tuple[str, ...]


class Namespace(Struct, frozen=True):
    """NAMESPACE (RFC 2342)."""


class Select(Struct, frozen=True):
    """SELECT, or EXAMINE with `read_only`; `condstore` and `resync` are the parameters of RFC 7162."""

    name: str
    read_only: bool
    condstore: bool = False
    resync: Resync | None = None


class Create(Struct, frozen=True):
    """CREATE; a trailing separator is still on the name. `special_use` from `(USE (\\Sent))` of RFC 6154."""

    name: str
    special_use: tuple[str, ...] = ()


class Delete(Struct, frozen=True):
    """DELETE."""

    name: str


class Rename(Struct, frozen=True):
    """RENAME."""

    name: str
    new_name: str


class Subscribe(Struct, frozen=True):
    """SUBSCRIBE."""

    name: str


class Unsubscribe(Struct, frozen=True):
    """UNSUBSCRIBE."""

    name: str


class List(Struct, frozen=True):
    """LIST, with the options of LIST-EXTENDED (RFC 5258) in capitals when the client gave any.

    `patterns` and `reference` are decoded; join them by `patterns.canonical`. The empty pattern asks for the
    separator. `status` are the items of LIST-STATUS (RFC 5819).
    """

    reference: str
    patterns: tuple[str, ...]
    selection: tuple[str, ...] = ()  # SUBSCRIBED, REMOTE, RECURSIVEMATCH, SPECIAL-USE
    returns: tuple[str, ...] = ()  # SUBSCRIBED, CHILDREN, SPECIAL-USE, STATUS
    status: tuple[str, ...] = ()
    extended: bool = False  # one of the forms only RFC 5258 knows was used


class Lsub(Struct, frozen=True):
    """LSUB."""

    reference: str
    pattern: str


class Status(Struct, frozen=True):
    """STATUS; `items` in capitals, all of `STATUS_ITEMS`, in the client's order."""

    name: str
    items: tuple[str, ...]


STATUS_ITEMS = frozenset(
    {"MESSAGES", "RECENT", "UIDNEXT", "UIDVALIDITY", "UNSEEN", "DELETED", "SIZE", "DELETED-STORAGE", "APPENDLIMIT"}
    | {"HIGHESTMODSEQ", "MAILBOXID"}
)


class Append(Struct, frozen=True):
    """APPEND, given out before its literal: check `size`, then `Connection.accept_literal` or `.refuse_literal`.

    Of several messages (MULTIAPPEND, RFC 3502) this is the first; each other one is such a Struct, too.
    """

    name: str
    flags: tuple[str, ...]
    date: int | None  # INTERNALDATE in seconds since the epoch; None: now
    size: int  # octets of the literal
    synchronising: bool  # the client waits for "+" before it sends
    binary: bool = False  # a literal8 (RFC 3516), which may hold NUL
    utf8: bool = False  # the UTF8 form of RFC 6855 section 4


class Idle(Struct, frozen=True):
    """IDLE (RFC 2177): answer "+ idling", then `Connection.expect_line` for DONE."""


# ---- selected ----------------------------------------------------------------------------------------------


class Check(Struct, frozen=True):
    """CHECK."""


class Close(Struct, frozen=True):
    """CLOSE."""


class Unselect(Struct, frozen=True):
    """UNSELECT (RFC 3691)."""


class Expunge(Struct, frozen=True):
    """EXPUNGE, or UID EXPUNGE (RFC 4315) of `uids` only."""

    uids: SequenceSet | None = None


class Copy(Struct, frozen=True):
    """COPY and UID COPY."""

    messages: SequenceSet
    name: str
    uid: bool


class Move(Struct, frozen=True):
    """MOVE and UID MOVE (RFC 6851)."""

    messages: SequenceSet
    name: str
    uid: bool


class Replace(Struct, frozen=True):
    """REPLACE and UID REPLACE (RFC 8508): `message` is dealt with as in APPEND."""

    message: Append
    number: int  # of the message that goes: sequence number, or UID; 0 for `*`
    uid: bool


class StoreMode(enum.Enum):
    """How STORE changes flags."""

    REPLACE = "FLAGS"
    ADD = "+FLAGS"
    REMOVE = "-FLAGS"


class Store(Struct, frozen=True):
    """STORE and UID STORE; `silent` is `.SILENT`."""

    messages: SequenceSet
    mode: StoreMode
    silent: bool
    flags: tuple[str, ...]
    uid: bool
    unchanged_since: int | None = None  # mod-sequence (RFC 7162)


# ---- FETCH -------------------------------------------------------------------------------------------------


class Attribute(enum.Enum):
    """Fetch items without arguments; the value is the name on the wire."""

    FLAGS = b"FLAGS"
    UID = b"UID"
    INTERNALDATE = b"INTERNALDATE"
    SIZE = b"RFC822.SIZE"
    ENVELOPE = b"ENVELOPE"
    BODY = b"BODY"  # BODYSTRUCTURE without extension data
    BODYSTRUCTURE = b"BODYSTRUCTURE"
    PREVIEW = b"PREVIEW"  # RFC 8970
    PREVIEW_IF_KNOWN = b"PREVIEW (LAZY)"
    MODSEQ = b"MODSEQ"
    EMAILID = b"EMAILID"
    THREADID = b"THREADID"
    SAVEDATE = b"SAVEDATE"


class Text(enum.Enum):
    """What of a part a section names."""

    ALL = b""  # the whole message, or the content of part 1.2
    HEADER = b"HEADER"
    FIELDS = b"HEADER.FIELDS"
    FIELDS_NOT = b"HEADER.FIELDS.NOT"
    TEXT = b"TEXT"
    MIME = b"MIME"  # the header of the part itself; needs a part number


class Section(Struct, frozen=True):
    """`BODY[1.2.HEADER.FIELDS (Date)]<0.100>` and the three RFC822 items, which are the same thing by another name.

    `label` is the name to answer under, with the origin octet of a partial fetch. Without `peek` reading sets \\Seen.
    """

    part: tuple[int, ...]
    text: Text
    fields: tuple[bytes, ...]  # lower case
    partial: tuple[int, int] | None  # first octet, most octets
    peek: bool
    label: bytes


class Binary(Struct, frozen=True):
    """`BINARY[1.2]<0.100>` and `BINARY.SIZE[1.2]` (RFC 3516): a part without its Content-Transfer-Encoding."""

    part: tuple[int, ...]
    partial: tuple[int, int] | None  # of the decoded octets
    peek: bool
    label: bytes
    size: bool  # only how many octets


FetchItem = Attribute | Section | Binary


class Fetch(Struct, frozen=True):
    """FETCH and UID FETCH; macros are expanded, UID is among the items of a UID FETCH, no item is there twice."""

    messages: SequenceSet
    items: tuple[FetchItem, ...]
    uid: bool
    modifiers: FetchModifiers = NONE


# ---- SEARCH ------------------------------------------------------------------------------------------------


class Search(Struct, frozen=True):
    """SEARCH and UID SEARCH; nested at most 32 deep. `charset`: it was named."""

    key: SearchKey
    uid: bool
    returns: Returns | None = None
    charset: bool = False


class Sort(Struct, frozen=True):
    """SORT and UID SORT (RFC 5256)."""

    criteria: tuple[Criterion, ...]
    key: SearchKey
    uid: bool
    returns: Returns | None = None


class Thread(Struct, frozen=True):
    """THREAD and UID THREAD (RFC 5256)."""

    algorithm: Algorithm
    key: SearchKey
    uid: bool


# ---- NOTIFY (RFC 5465) -------------------------------------------------------------------------------------


class Group(Struct, frozen=True):
    """Events of some mailboxes; `scope` in capitals, `names` of SUBTREE and MAILBOXES, `items` go with MessageNew."""

    scope: str
    names: tuple[str, ...]
    events: frozenset[str]
    items: tuple[FetchItem, ...] = ()


class Notify(Struct, frozen=True):
    """NOTIFY SET, or NONE without groups; `status`: STATUS of all these mailboxes at once."""

    groups: tuple[Group, ...]
    status: bool = False


Command = (
    Capability | Noop | Logout | Id | Starttls | Authenticate | Login | Compress | Enable | Namespace | Select | Create
    | Delete | Rename | Subscribe | Unsubscribe | List | Lsub | Status | Append | Idle | Check | Close | Unselect
    | Expunge | Copy | Move | Replace | Store | Fetch | Search | Sort | Thread
    | Notify | GetMetadata | SetMetadata | GetQuota | GetQuotaRoot | SetQuota
)  # fmt: skip
