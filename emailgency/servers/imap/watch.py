"""What a client has asked by NOTIFY to be told of (RFC 5465), kept until it can be told.

Events are noted by folder, each folder once; what is said of it is how it is when it is said. Nothing is opened and
nothing is looked at before that, so a watch over ten thousand folders costs nothing until something happens. Output
goes out between commands only, under `lock`, which the conversation holds while a command runs.
"""

import contextlib
from collections.abc import Iterable

from twisted.internet.defer import DeferredLock
from twisted.internet.error import ConnectionLost

from emailgency.background import background
from emailgency.codec.imap import responses
from emailgency.codec.imap.commands import Attribute, FetchItem, Group
from emailgency.codec.imap.notify import DELAYED, EXPUNGE, FLAGS, NAME, NEW, SELECTED, SUBSCRIPTION
from emailgency.model.errors import Temporary
from emailgency.servers.imap import fetch, modseqs, names
from emailgency.servers.imap.listing import Catalogue
from emailgency.servers.imap.names import Name
from emailgency.servers.imap.selected import Selected
from emailgency.servers.imap.session import Refusal, Session
from emailgency.servers.imap.status import tell_status
from emailgency.servers.imap.tree import Tree
from emailgency.store import layout
from emailgency.store.mailboxes.folders import Folders

OWED = 500  # folders with something to tell; a client that lets more come together has to look for itself


class Watch:
    """Of one session, by the groups of its last NOTIFY SET."""

    def __init__(self, session: Session, groups: Iterable[Group]) -> None:
        self.lock = DeferredLock()
        self.groups = tuple(groups)
        self.selected = next((group for group in self.groups if group.scope in (SELECTED, DELAYED)), None)
        self.tells_selected = self.selected is not None
        self._session = session
        self._owed: dict[str, set[str]] = {}  # path -> events
        self._before: dict[str, str] = {}  # path -> the name it had
        self._paying = False
        self._full = False
        self._view: Selected | None = None
        self._known = 0  # the highest UID in it of which this client has been told
        self._named = [frozenset(map(session.name, group.names)) for group in self.groups]

    # ---- what happens --------------------------------------------------------------------------------------

    def happened(self, path: str, event: str, before: str = "") -> None:
        """To a folder, perhaps of another name `before`. Called by whoever changes it; tells as soon as it can."""
        if self._full:
            return
        if event in (NEW, EXPUNGE, FLAGS) and self._is_selected(path):
            if self.selected is None or not self.selected.events:
                return
        elif not any(event in group.events for group in self.groups if group is not self.selected):
            return
        self._owed.setdefault(path, set()).add(event)
        if before:
            self._before[path] = before
        if len(self._owed) > OWED:
            self._owed.clear()
            self._full = True
        self.wake()

    def wake(self) -> None:
        """Tell now, if no command runs and the client reads."""
        line, view = self._session.line, self._session.selected
        if view is not self._view:
            self._view, self._known = view, self._last()
        elif view is not None and self.selected is not None and self.selected.items and self._last() > self._known:
            self._owed.setdefault(view.folder.path, set()).add(NEW)
        if (self._owed or self._full) and not self._paying and line.at_rest and not line.blocked and not line.leaving:
            self._paying = True
            background("NOTIFY", self._pay())

    # ---- telling -------------------------------------------------------------------------------------------

    async def _pay(self) -> None:
        line = self._session.line
        await self.lock.acquire()
        deadline = line.deadline  # for the client's next command, which is waited for all the while
        try:
            line.at_rest = False
            if self._full:  # section 5.8: from now on as after NOTIFY NONE
                words = "Too much has happened, look for yourself."
                line.write(responses.untagged("OK", words, b"NOTIFICATIONOVERFLOW"))
                self._session.server.watches.end(self._session)
            while self._owed and not line.leaving:
                path = next(iter(self._owed))
                await self._tell(path, self._owed.pop(path))
        except ConnectionLost:
            pass
        except Temporary as error:
            self._session.log.warn("imap {number}: NOTIFY: {error}", number=self._session.number, error=str(error))
        finally:
            line.at_rest = True
            line.deadline = deadline
            self._paying = False
            self.lock.release()

    async def _tell(self, path: str, events: set[str]) -> None:
        if self._is_selected(path):
            await self.tell_selected()
            events = events - {NEW, EXPUNGE, FLAGS}
        group = await self.group_of(path)
        if group is None or not (wanted := events & group.events):
            return
        if wanted & {NAME, SUBSCRIPTION}:
            await self._tell_name(path)
        if wanted & {NEW, EXPUNGE, FLAGS}:
            await self._tell_status(path, group)

    async def tell_selected(self) -> None:
        """News of the selected folder, with what was asked for of new messages (section 5.2)."""
        session, group = self._session, self.selected
        view = session.selected
        if view is None or group is None:
            return
        if view.folder.gone:
            session.line.close("The folder has been deleted or made anew.")
            return
        if FLAGS not in group.events:
            view.flagged.clear()
        if group.scope == DELAYED:
            view.take_arrivals()
        session.tell_news(expunges=group.scope == SELECTED, with_uid=False)
        known, self._known = (self._known if self._view is view else self._last()), self._last()
        fresh = [at for at in range(view.count) if view.uid(at) > known]
        if group.items and fresh:
            with contextlib.suppress(Refusal):  # a part in an unknown encoding: all the others have been told
                await fetch.tell(session, view, fresh, self._items(group))

    def _items(self, group: Group) -> tuple[FetchItem, ...]:
        """Who uses CONDSTORE gets mod-sequences in all that was not asked for, too (RFC 7162 section 3.1)."""
        if modseqs.CONDSTORE not in self._session.enabled:
            return group.items
        return tuple(dict.fromkeys((*group.items, Attribute.MODSEQ)))

    def _last(self) -> int:
        """The highest UID the client knows in the selected folder."""
        view = self._session.selected
        return view.uid(view.count - 1) if view is not None and view.count else 0

    async def _tell_status(self, path: str, group: Group) -> None:
        session = self._session
        name = names.spell(self.name_of(path), session.server.settings.separator)
        await tell_status(session, name, path, self.items_of(group))

    def items_of(self, group: Group) -> tuple[str, ...]:
        """What STATUS tells of its folders (section 4)."""
        unseen = ("UNSEEN",) if FLAGS in group.events else ()
        highest = ("HIGHESTMODSEQ",) if "CONDSTORE" in self._session.enabled else ()
        return ("MESSAGES", "UIDNEXT", "UIDVALIDITY", *unseen, *highest)

    async def _tell_name(self, path: str) -> None:
        """LIST of a folder that came, went, or is subscribed (sections 5.4 and 5.5)."""
        session, name = self._session, self.name_of(path)
        separator = session.server.settings.separator
        tree = await session.server.trees.of(session.mailbox, session.line.breathe)
        attributes = Catalogue(session, tree).attributes(name, extended=True)
        if name in tree.subscribed:
            attributes.append("\\Subscribed")
        before = self._before.pop(path, None)
        spelled_before = names.spell(self.name_of(before), separator) if before else None
        spelled = names.spell(name, separator)
        await session.line.say(
            responses.listed(attributes, separator, spelled, old_name=spelled_before, utf8=session.utf8)
        )

    # ---- which group a folder belongs to -------------------------------------------------------------------

    async def group_of(self, path: str, tree: Tree | None = None) -> Group | None:
        """The first one that it is in (section 6). `tree`: of the mailbox, when it is at hand."""
        name = self.name_of(path)
        for group, named in zip(self.groups, self._named, strict=True):
            if group is not self.selected and await self._holds(group, named, name, tree):
                return group
        return None

    async def _holds(self, group: Group, named: frozenset[Name], name: Name, tree: Tree | None) -> bool:
        match group.scope:
            case "PERSONAL":
                return True
            case "INBOXES":
                return name == ()
            case "MAILBOXES":
                return name in named
            case "SUBTREE":
                return any(name[:depth] in named for depth in range(len(name) + 1))
            case "SUBSCRIBED":
                session = self._session
                return name in (tree or await session.server.trees.of(session.mailbox, session.line.breathe)).subscribed
        return False

    def name_of(self, path: str) -> Name:
        session = self._session
        return names.UNDELIVERED if session.is_shared(path) else layout.folder_name(session.mailbox, path)

    def _is_selected(self, path: str) -> bool:
        view = self._session.selected
        return view is not None and view.folder.path == path


class Watches:
    """All of them, by the mailbox whose folders they are about; `store.folders` tells what happens."""

    def __init__(self, folders: Folders) -> None:
        self._by_mailbox: dict[str, set[Watch]] = {}
        folders.watchers.append(self.happened)

    def begin(self, session: Session, watch: Watch) -> None:
        """In the place of the one the session had."""
        self.end(session)
        session.watch = watch
        for path in self._paths(session):
            self._by_mailbox.setdefault(path, set()).add(watch)

    def end(self, session: Session) -> None:
        for path in self._paths(session):
            watches = self._by_mailbox.get(path, set())
            if isinstance(session.watch, Watch):
                watches.discard(session.watch)
            if not watches:
                self._by_mailbox.pop(path, None)
        session.watch = None

    def happened(self, path: str, event: str, before: str = "") -> None:
        head, _, tail = path.rpartition("/")
        for watch in tuple(self._by_mailbox.get(head if tail.startswith(".") else path, ())):
            watch.happened(path, event, before)

    def _paths(self, session: Session) -> tuple[str, str]:
        return session.mailbox, session.place(names.UNDELIVERED)
