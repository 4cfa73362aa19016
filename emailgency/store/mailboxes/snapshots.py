"""The open folders of this process: one snapshot each, shared by all its readers, kept current.

A snapshot is listed once and then follows the replies to our own requests and `Delivered`; `open` and `refresh` ask
the storer whether another Maildir program was there. The storer answers in the order it worked and each reply is
applied before anything else runs, so all readers of a folder see one story.
"""

from collections.abc import Callable, Iterable

from twisted.internet.defer import DeferredList
from twisted.logger import Logger
from twisted.python.failure import Failure

from emailgency.model.errors import Temporary
from emailgency.store.mailboxes.folder import Folder, Listener
from emailgency.store.storing.line import Storer
from emailgency.store.storing.messages import Asking, Open
from emailgency.store.storing.replies import Delivered, Opened, Placed, Refused, Reply, Unchanged

_EMPTY = 10  # messages an empty folder costs as much memory as


class Snapshots:
    """A folder nobody reads stays a while, since clients come back."""

    _log = Logger()

    def __init__(self, storer: Storer, root: str, idle_messages: int = 200_000) -> None:
        """`root` is the data folder; at most `idle_messages` messages (200 octets each) of unread folders stay."""
        self.root = root
        self._storer = storer
        self._idle_messages = idle_messages
        self._known: dict[str, Folder] = {}
        self._idle: dict[Folder, int] = {}  # folders nobody reads and what they weigh; the one used last is the last
        self._idle_weight = 0
        # called with path, event of RFC 5465 in capitals, and for a renamed folder the path it had, after each change
        self.watchers: list[Callable[[str, str, str], None]] = []

    async def open(self, path: str) -> Folder | Refused:
        """The folder as it is now, also if another program has just changed it. `hold` it to keep it current."""
        while True:
            folder = self._known.get(path)
            reply = await self._ask(Open(self._storer.number(), path, "" if folder is None else folder.token), folder)
            if isinstance(reply, Refused):
                self._lost(path)
                return reply
            if isinstance(reply, Opened):
                return self._loaded(reply)
            assert isinstance(reply, Unchanged)
            if folder is not None and self._known.get(path) is folder:
                self._used(folder)
                return folder

    async def glance(self, path: str, now: float) -> Folder | Refused:
        """As `open`, but the storer is asked only when a file may have come or gone; `now` is the wall clock.

        Two stats, 5 µs, instead of a third of a millisecond: for those who ask about many folders.
        """
        folder = self._known.get(path)
        if folder is not None and folder.token and not folder.touched(now):
            self._used(folder)
            return folder
        before = Folder(self.root, path)
        before.touched(now)  # as it was before it is listed: what comes in between shows at the next glance
        opened = await self.open(path)
        if folder is None and isinstance(opened, Folder):
            opened.looked_like(before)
        return opened

    async def refresh(self, folder: Folder) -> None:
        """Look again; readers are told what another program did, or that the folder is gone."""
        if not folder.gone:
            await self.open(folder.path)

    def hold(self, folder: Folder, listener: Listener) -> None:
        """Tell `listener` of changes and keep the snapshot until `release`."""
        folder.listeners.add(listener)
        self._used(folder)

    def release(self, folder: Folder, listener: Listener) -> None:
        folder.listeners.discard(listener)
        self._used(folder)

    async def look(self, now: float) -> None:
        """Notice what other programs did to folders somebody reads; `now` is the wall clock."""
        for folder in [folder for folder in self._known.values() if folder.listeners]:
            await self.look_at(folder, now)

    async def look_at(self, folder: Folder, now: float) -> None:
        """`refresh` when it may be necessary: two stats, 5 µs, spare the storer what nobody has touched."""
        if folder.touched(now):
            await self.refresh(folder)

    def event(self, delivered: Delivered) -> None:
        """Mail has arrived."""
        self._arrived(delivered.placed)

    # -- for the operations of store.folders ---------------------------------------------------------------

    async def _ask(self, request: Asking, *concerned: Folder | None) -> Reply:
        """Raises Temporary; then nobody knows what happened and the folders concerned are listed anew."""
        try:
            reply: Reply = await self._storer.ask(request)
            return reply
        except Temporary:
            _distrust(concerned)
            raise

    async def _ask_all(self, requests: Iterable[Asking], apply: Callable[[Reply], None], folder: Folder) -> None:
        """Send all at once; each reply is applied as it comes. Raises Temporary if one failed, after all ended."""
        answers = await DeferredList(
            [self._storer.ask(request).addCallback(apply) for request in requests], consumeErrors=True
        )
        failures: list[object] = [answer for success, answer in answers if not success]
        for failure in failures:
            assert isinstance(failure, Failure)
            _distrust((folder,))
            failure.raiseException()

    def _arrived(self, placed: Iterable[Placed]) -> None:
        told: dict[str, Folder] = {}
        for one in placed:
            folder = self._known.get(one.folder)
            if folder is not None:
                if not folder.place(one.uid, one.subfolder, one.name, one.modseq):
                    folder.token = ""  # it does not fit in: list the folder anew at the next look
                told[one.folder] = folder
        for folder in told.values():
            folder.tell()
        for path in {one.folder for one in placed}:
            self.happened(path, "MESSAGENEW")

    def _shared(self, folder: Folder) -> Folder:
        """The snapshot that takes up what a request did: while it was under way `folder` may have been replaced by
        another one, which was listed before the storer got to the request.
        """
        now = self._known.get(folder.path, folder)
        return now if now.uidvalidity == folder.uidvalidity else folder

    def happened(self, path: str, event: str, before: str = "") -> None:
        """Tell the watchers; one that fails harms nobody else."""
        for watcher in self.watchers:
            try:
                watcher(path, event, before)
            except Exception:
                self._log.failure("a watcher of {path} failed", path=path)

    def _loaded(self, opened: Opened) -> Folder:
        folder = self._known.get(opened.folder)
        if folder is None:
            folder = Folder(self.root, opened.folder)
        came_or_went, flagged = folder.load(opened)
        if folder.gone:
            self._lost(opened.folder)
            folder = Folder(self.root, opened.folder)
            folder.load(opened)
        elif came_or_went or flagged:
            folder.tell(flagged)
            self.happened(opened.folder, "MESSAGENEW" if came_or_went else "FLAGCHANGE")
        self._known[opened.folder] = folder
        self._used(folder)
        return folder

    def _lost(self, path: str) -> None:
        folder = self._known.pop(path, None)
        if folder is not None:
            folder.gone = True
            self._used(folder)
            folder.tell()

    def _used(self, folder: Folder) -> None:
        """Note whether anybody reads `folder`; forget those nobody has read for longest beyond `idle_messages`."""
        self._idle_weight -= self._idle.pop(folder, 0)
        if folder.listeners or self._known.get(folder.path) is not folder:
            return
        weight = len(folder) + _EMPTY
        self._idle[folder] = weight
        self._idle_weight += weight
        while self._idle_weight > self._idle_messages and len(self._idle) > 1:
            oldest = next(iter(self._idle))
            self._idle_weight -= self._idle.pop(oldest)
            self._known.pop(oldest.path, None)


def _distrust(folders: Iterable[Folder | None]) -> None:
    for folder in folders:
        if folder is not None:
            folder.token = ""
