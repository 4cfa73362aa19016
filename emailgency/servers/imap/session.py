"""What one IMAP connection has become: its state, who it is, its folder.

Commands are functions (session, command) in the modules beside this one; `table` says which is which.
"""

from collections.abc import Awaitable, Callable
from enum import Enum
from typing import Any, Protocol

from msgspec import Struct
from twisted.internet.defer import DeferredLock
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator, IReactorThreads, IReactorTime
from twisted.logger import Logger

from emailgency.flows.accounts.login import Login, Principal
from emailgency.rules.room import Count, Room
from emailgency.servers.imap import names
from emailgency.servers.imap.limits import Imap
from emailgency.servers.imap.line import Line
from emailgency.servers.imap.selected import Selected, Tone
from emailgency.servers.imap.tree import Trees
from emailgency.store import layout
from emailgency.store.directory.directory import Directory
from emailgency.store.mailboxes.counts import Counts
from emailgency.store.mailboxes.folder import Folder
from emailgency.store.mailboxes.folders import Folders
from emailgency.store.mailboxes.previews import Previews
from emailgency.store.mailboxes.summaries import Summaries
from emailgency.store.searching.index import SearchIndex
from emailgency.store.storing.replies import Refused


class State(Enum):
    """RFC 3501 section 3."""

    GUEST = "not authenticated"
    MEMBER = "authenticated"
    SELECTED = "selected"
    GONE = "logout"


class Completed(Struct, frozen=True):
    """How a command ended: what its tagged response says, and what happens after that."""

    words: str
    code: bytes = b""
    condition: str = "OK"
    then: Callable[[], None] | None = None


def no(words: str, code: bytes = b"") -> Completed:
    """We will not: the command makes sense, but not here or not now. Codes: RFC 5530."""
    return Completed(words, code, "NO")


def bad(words: str) -> Completed:
    """The client is wrong."""
    return Completed(words, b"", "BAD")


class Refusal(Exception):
    """A command ends here, with `completed` as its answer."""

    def __init__(self, completed: Completed) -> None:
        super().__init__(completed.words)
        self.completed = completed


class ServerReactor(IReactorTime, IReactorThreads):
    """Timers and threads, for the type checker; every reactor of Twisted has them."""


class Watchers(Protocol):
    """What sessions know of `watch.Watches`."""

    def end(self, session: "Session") -> None:
        """It wants to hear nothing more."""


class Shared(Protocol):
    """What all sessions share (`server.ImapServer`)."""

    settings: Imap
    host_name: str
    reactor: ServerReactor
    clock: Callable[[], float]
    folders: Folders
    summaries: Summaries
    previews: Previews
    search_index: SearchIndex
    directory: Directory
    login: Login
    tls: IOpenSSLServerConnectionCreator | None  # None: no STARTTLS
    prepared: set[str]  # mailboxes whose first folders are known to be there
    rooms: dict[str, Room]  # what mailboxes hold, see `quota`
    trees: Trees
    counts: Counts
    sessions: "set[Session]"

    @property
    def watches(self) -> Watchers:
        """Who wants to be told what, by NOTIFY."""

    def joined(self, session: "Session") -> None:
        """It begins."""

    def welcomed(self, session: "Session") -> None:
        """It has logged in."""

    def left(self, session: "Session") -> None:
        """It has ended."""

    def logged_in(self, mailbox: str) -> int:
        """How many sessions are logged in to this mailbox (its path)."""


class Watching(Protocol):
    """What a conversation knows of `watch.Watch`."""

    lock: DeferredLock
    tells_selected: bool  # of the selected folder, too

    def wake(self) -> None:
        """A command has ended."""


class Session:
    """The state; `line` is where to write, `server` what all sessions share."""

    log = Logger()

    __slots__ = (
        "__weakref__",
        "enabled",
        "ending",
        "failures",
        "granted",
        "line",
        "mailbox",
        "mistakes",
        "number",
        "owed",
        "principal",
        "selected",
        "server",
        "state",
        "tag",
        "watch",
    )

    def __init__(self, line: Line, server: Shared) -> None:
        self.line = line
        self.server = server
        line.connection.large_literals_wait = server.settings.large_literals_wait
        self.number = 0  # in log lines
        self.state = State.GUEST
        self.principal: Principal | None = None
        self.mailbox = ""  # its path, once logged in
        self.selected: Selected | None = None
        self.enabled: set[str] = set()  # extensions switched on by ENABLE (RFC 5161), in capitals
        self.watch: Watching | None = None  # what NOTIFY has asked for
        self.tag = b""  # of the command under way
        self.granted = Count()  # what the command under way may fill of the quota
        self.owed: dict[bytes, dict[str, None]] = {}  # annotations to be told as changed, by folder (see `notices`)
        self.failures = 0  # logins refused
        self.mistakes = 0  # commands not understood
        self.ending = ""  # why the server wants it to end, said at the next rest

    # -- folders -------------------------------------------------------------------------------------------

    def name(self, name: str) -> names.Name:
        """The hierarchy parts of a client's name; raises Invalid."""
        return names.parse(name, self.server.settings.separator)

    def path(self, name: str) -> str:
        """The path of a folder by the client's name; raises Invalid when no such folder can be."""
        return self.place(self.name(name))

    def place(self, name: names.Name) -> str:
        """The same by its parts: for administrators `Undelivered` is the customer's (product row A7)."""
        if name == names.UNDELIVERED and self.principal is not None and self.principal.administrator:
            return layout.undelivered(self.principal.customer)
        return layout.folder(self.mailbox, name)

    def is_shared(self, path: str) -> bool:
        """Whether the folder is the customer's Undelivered, and not this mailbox's own."""
        return path != self.mailbox and not path.startswith(f"{self.mailbox}/")

    def is_in_view(self, path: str) -> bool:
        """Whether this session can name the folder `path`."""
        return path in (self.mailbox, self.place(names.UNDELIVERED)) or path.startswith(f"{self.mailbox}/")

    async def open(self, path: str) -> Folder | Refused:
        """A folder as it is now; INBOX is always there, even if its files have just been wiped; so is Undelivered."""
        folder = await self.server.folders.open(path)
        if isinstance(folder, Refused) and (path == self.mailbox or self.is_shared(path)):
            return await self.server.folders.create(path, quiet=True)
        return folder

    async def destination(self, name: str) -> "Folder | Completed":
        """The folder a client wants to put messages into, by its name, or why it must not. Raises Invalid."""
        path = self.path(name)
        if self.is_shared(path):
            return no("Only mail from outside comes into Undelivered.", b"NOPERM")
        folder = await self.open(path)
        return no_such_folder(create=True) if isinstance(folder, Refused) else folder

    @property
    def utf8(self) -> bool:
        """The client takes UTF-8 in quoted strings, names of folders among them (RFC 6855)."""
        return self.line.connection.utf8

    def view(self) -> Selected:
        """The selected folder; the table lets only commands of the selected state ask."""
        assert self.selected is not None
        return self.selected

    def leave(self) -> None:
        """Back to the authenticated state."""
        if self.selected is not None:
            self.server.folders.release(self.selected.folder, self.selected)
            self.selected = None
            self.state = State.MEMBER

    def tell_news(self, *, expunges: bool, with_uid: bool) -> None:
        """Bring the client up to date about the selected folder."""
        view = self.selected
        if view is not None and view.stale and not view.folder.gone:
            told = view.folder.recent_from
            self.line.write(b"".join(view.news(self.tone(with_uid), expunges=expunges)))
            if view.folder.recent_from != told:
                self.server.summaries.keep_recent(view.folder)

    def tone(self, with_uid: bool = False) -> Tone:
        """How this client is told of changes."""
        enabled = self.enabled
        return Tone(
            with_uid=with_uid,
            modseqs="CONDSTORE" in enabled,
            vanished="QRESYNC" in enabled,
            arrivals=self.watch is not None,
            recent="IMAP4REV2" not in enabled,
        )

    # -- ending --------------------------------------------------------------------------------------------

    def end(self, words: str) -> None:
        """BYE at once when no command runs, else after it."""
        self.ending = words
        if self.line.at_rest:
            self.line.close(words)


Work = Callable[[Session, Any], Awaitable[Completed]]


class Rule(Struct, frozen=True):
    """When a command may come, what does it, and what its answer may tell of other things."""

    work: Work
    states: frozenset[State]
    expunges: bool = True  # False: EXPUNGE would confuse the numbers of this command (RFC 3501 section 7.4.1)


def no_such_folder(create: bool = False) -> Completed:
    """`create`: making it would help (RFC 3501 section 6.3.11)."""
    return no("There is no such folder.", b"TRYCREATE" if create else b"NONEXISTENT")
