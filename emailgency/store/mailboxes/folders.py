"""What can be done to Maildir++ folders and their messages, as IMAP and POP3 need it; all of it by the storer.

Requests that name files hold the folder's lock from reading the names until the reply, or a renamed file would be
looked for under its old name and a change of flags computed from stale ones would overwrite another one.

What cannot be is returned, not raised: `Refused("nonexistent" | "exists" | "limit" | "gone")`.
Trouble raises `Temporary`.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager

from twisted.internet.defer import Deferred

from emailgency.codec.maildir import flags_of
from emailgency.store.ids import Ids
from emailgency.store.mailboxes.folder import UNKNOWN, Folder, Listener, keyword_letters
from emailgency.store.mailboxes.folder_tree import FolderTree, refused
from emailgency.store.spool.arrival import Arrival
from emailgency.store.storing.line import Storer
from emailgency.store.storing.messages import Append, Copy, Expunge, Keywords, New, SetFlags, Vanished
from emailgency.store.storing.replies import Changed, Gone, KeywordList, Refused, Reply

BATCH = 250  # messages a request: some 5 ms of the storer's time, and the reactor does its part of one meanwhile


class Folders(FolderTree):
    """The verbs. UIDs that have gone meanwhile are passed over."""

    def __init__(self, storer: Storer, root: str, idle_messages: int = 200_000) -> None:
        """`root` is the data folder; at most `idle_messages` messages (200 octets each) of unread folders stay."""
        super().__init__(storer, root, idle_messages)
        self.touched: Callable[[str, list[str], str], None] = _nobody_asks  # folder, file names, "read" or "expunged"
        self._ids = Ids()

    async def set_flags(
        self,
        folder: Folder,
        uids: Iterable[int],
        change: Callable[[str], str],
        silent_to: Listener | None = None,
        unchanged_since: int | None = None,
    ) -> list[int]:
        """Give messages the sorted flag letters `change` makes of theirs; all readers but `silent_to` are told.

        Those that have changed behind the mod-sequence `unchanged_since` are left as they are, and returned.
        """
        async with _locked(folder):
            wanted, modified = _unchanged(folder, uids, unchanged_since)
            done: set[int] = set()
            if not await self._set_flags(folder, wanted, change, silent_to, done):
                await self.refresh(folder)  # another program renamed some first: once more, under the new names
                left, more = _unchanged(folder, (uid for uid in wanted if uid not in done), unchanged_since)
                await self._set_flags(folder, left, change, silent_to, done)
                modified += more
            return sorted(modified)

    async def letters(self, folder: Folder, words: Sequence[str]) -> str | Refused:
        """The letters of keywords in this folder; new words get one. Keywords compare without regard to case."""
        known = keyword_letters(folder)
        if any(word.lower() not in known for word in words):
            reply = await self._ask(Keywords(self._storer.number(), folder.path, tuple(words)), folder)
            if isinstance(reply, Refused):
                return reply
            assert isinstance(reply, KeywordList)
            folder.keywords = reply.words
            folder.tell()
            known = keyword_letters(folder)
        return "".join(known[word.lower()] for word in words)

    def begin_append(self, at: float) -> Arrival:
        """A message to come; write it, then `append` it or abort it."""
        return Arrival(self._ids.fresh(at), self._storer)

    async def writable(self) -> None:
        """Returns when the storer keeps up: to be awaited between the chunks of a long message."""
        if not self._storer.busy:
            return
        free: Deferred[None] = Deferred()

        def changed(busy: bool) -> None:
            if not busy:
                self._storer.on_busy.remove(changed)
                free.callback(None)

        self._storer.on_busy.append(changed)
        await free

    async def append(self, folder: Folder, arrival: Arrival, letters: str, mtime: float) -> int | Refused:
        """The UID of the message, now on stable storage; `mtime` is its INTERNALDATE, `letters` are sorted."""
        uids = await self.append_all(folder, [(arrival, letters, mtime)])
        return uids if isinstance(uids, Refused) else uids[0]

    async def append_all(self, folder: Folder, coming: Sequence[tuple[Arrival, str, float]]) -> list[int] | Refused:
        """All or nothing, over any kill: the UIDs of the messages, in their order. Arguments as of `append`."""
        reply = await self._ask(self._append(folder, coming), folder)
        if not isinstance(reply, Changed):
            return refused(reply)
        self._arrived(reply.placed)
        return [placed.uid for placed in reply.placed]

    async def replace(
        self, folder: Folder, coming: tuple[Arrival, str, float], source: Folder, uid: int
    ) -> int | Refused:
        """`append`, and once the message is durable `uid` of `source` goes. Refused("gone"): it was not there."""
        async with _locked(source):
            files = source.files((uid,))
            if not files:
                coming[0].abort()
                return Refused(0, "gone")
            request = self._append(folder, (coming,), (source.path, *files[0]))
            reply = await self._ask(request, folder, source)
            if not isinstance(reply, Changed):
                return refused(reply)
            self._arrived(reply.placed)
            self._gone(source, reply)
            return reply.placed[0].uid

    async def expunge(self, folder: Folder, uids: Iterable[int]) -> None:
        """Remove messages; returns when that is on stable storage."""

        def apply(reply: Reply) -> None:
            if isinstance(reply, Changed):
                self._gone(folder, reply)
                went = frozenset(reply.expunged)
                self.touched(folder.path, [name for uid, name in files if uid in went], "expunged")

        async with _locked(folder):
            files = folder.files(uids)
            requests = [
                Expunge(self._storer.number(), folder.path, files[at : at + BATCH])
                for at in range(0, len(files), BATCH)
            ]
            await self._ask_all(requests, apply, folder)

    async def copy(
        self, source: Folder, uids: Sequence[int], destination: Folder, move: bool = False
    ) -> list[tuple[int, int]] | Refused:
        """All or nothing, synced. Returns (UID here, UID there) in ascending order of the first."""
        async with _locked(source):
            reply = await self._copy(source, uids, destination, move)
            if isinstance(reply, Refused):
                await self.refresh(source)  # another program renamed one of them
                reply = await self._copy(source, uids, destination, move)
            return reply

    async def vanished(self, folder: Folder, since: int) -> tuple[int, ...] | None:
        """UIDs that went behind a mod-sequence, ascending; None when nobody remembers back to it."""
        reply = await self._ask(Vanished(self._storer.number(), folder.path, since), folder)
        return reply.uids if isinstance(reply, Gone) and reply.known else None

    # -- requests ------------------------------------------------------------------------------------------

    def _append(
        self,
        folder: Folder,
        coming: Iterable[tuple[Arrival, str, float]],
        replaced: tuple[str, int, str] | None = None,
    ) -> Append:
        messages = tuple(New(arrival.id, arrival.rest(), letters, mtime) for arrival, letters, mtime in coming)
        return Append(self._storer.number(), folder.path, messages, replaced)

    async def _set_flags(
        self,
        folder: Folder,
        uids: Iterable[int],
        change: Callable[[str], str],
        silent_to: Listener | None,
        done: set[int],
    ) -> bool:
        """False: some files had other names than we thought, those whose UIDs are not among `done` now."""
        wanted, seen = [], {}
        for uid in uids:
            at = folder.index(uid)
            if at != UNKNOWN and (letters := change(before := folder.letters[at])) != before:
                wanted.append((uid, folder.names[at][4:], letters))
                if "S" in letters and "S" not in before:
                    seen[uid] = folder.names[at][4:]

        def apply(reply: Reply) -> None:
            if isinstance(reply, Changed):
                done.update(one[0] for one in reply.renamed)
                shared = self._shared(folder)
                flagged = [one[0] for one in reply.renamed if shared.rename(*one, reply.modseq)]
                shared.tell(flagged, silent_to)
                if flagged:
                    self.happened(folder.path, "FLAGCHANGE")

        requests = [
            SetFlags(self._storer.number(), folder.path, tuple(wanted[at : at + BATCH]))
            for at in range(0, len(wanted), BATCH)
        ]
        await self._ask_all(requests, apply, folder)
        if read := [name for uid, name in seen.items() if uid in done]:
            self.touched(folder.path, read, "read")
        return all(one[0] in done for one in wanted)

    def _gone(self, folder: Folder, reply: Changed) -> None:
        shared = self._shared(folder)
        if shared.expunge(reply.expunged, reply.modseq):
            shared.tell()
            self.happened(folder.path, "MESSAGEEXPUNGE")

    async def _copy(
        self, source: Folder, uids: Sequence[int], destination: Folder, move: bool
    ) -> list[tuple[int, int]] | Refused:
        files = source.files(uids)
        if not files:
            return []
        request = Copy(self._storer.number(), source.path, destination.path, files, move)
        reply = await self._ask(request, source, destination)
        if not isinstance(reply, Changed):
            return refused(reply)
        self._arrived(reply.placed)
        self._gone(source, reply)
        if any(not flags_of(placed.name).isupper() for placed in reply.placed if flags_of(placed.name)):
            destination.token = ""  # keywords that came along may have got new letters there
            await self.refresh(destination)
        return sorted((placed.source_uid, placed.uid) for placed in reply.placed)


def _nobody_asks(path: str, names: list[str], word: str) -> None:
    """Whoever keeps account of what readers do takes its place."""


def _unchanged(folder: Folder, uids: Iterable[int], since: int | None) -> tuple[list[int], list[int]]:
    """Those that have not changed behind a mod-sequence, and those that have."""
    if since is None:
        return list(uids), []
    same: list[int] = []
    modified: list[int] = []
    for uid in uids:
        at = folder.index(uid)
        (modified if at != UNKNOWN and folder.modseqs[at] > since else same).append(uid)
    return same, modified


@asynccontextmanager
async def _locked(folder: Folder) -> AsyncIterator[None]:
    await folder.lock.acquire()
    try:
        yield
    finally:
        folder.lock.release()
