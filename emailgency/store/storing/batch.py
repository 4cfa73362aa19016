"""One turn of the storer: everything that had arrived, done in order and synced together.

The order of a turn keeps the promise: .msg files and folders are synced before the journal speaks of them, the
journal before anybody is answered, and names become visible in new/ only when Finished is on stable storage. What a
turn linked is recorded by the next one's journal sync, or by `finish` when nothing else is waiting.
"""

import os
import time
from collections.abc import Callable

from emailgency.store.spool import records as spool_records
from emailgency.store.spool.records import Ended, Finished, Void
from emailgency.store.storing import files
from emailgency.store.storing.changing import Result
from emailgency.store.storing.delivering import Arriving, Delivering, Linked, rename_on
from emailgency.store.storing.incoming import Coming, Incoming
from emailgency.store.storing.maildir import Maildir, Subfolder
from emailgency.store.storing.messages import Append, Commit, Record, Redeliver, Release, Settle
from emailgency.store.storing.replies import Delivered, Done, Failed, Refused, Reply
from emailgency.store.storing.segments import Segments
from emailgency.store.storing.syncing import Syncing


class Batch:
    """Collects what a turn owes and pays it. `answer` sends a reply at once."""

    def __init__(
        self,
        syncing: Syncing,
        segments: Segments,
        incoming: Incoming,
        delivering: Delivering,
        place: Callable[[Append, list[int]], Result],
        answer: Callable[[Reply], None],
    ) -> None:
        """`place` puts the synced spool files of an Append, of those sizes, into its folder."""
        self._syncing = syncing
        self._segments = segments
        self._incoming = incoming
        self._delivering = delivering
        self._place = place
        self._answer = answer
        self._commits: list[tuple[Commit, Coming]] = []
        self._appends: list[tuple[Append, list[Coming]]] = []
        self._records: list[Record] = []
        self._released: list[Release] = []
        self._void: list[str] = []
        self._forget_below = 0
        self._arriving: list[Arriving] = []
        self._owed: dict[Subfolder, None] = {}  # subfolders with a change that is not synced yet
        self._promised: list[tuple[Reply, int, tuple[Subfolder, ...]]] = []  # replies that wait for such syncs
        self.owed_since = 0.0  # monotonic; 0: nothing is owed

    # ---- what a turn collects ----------------------------------------------------------------------------

    def commit(self, request: Commit) -> None:
        self._commits.append((request, self._incoming.write(request.id, request.chunk)))

    def append(self, request: Append) -> None:
        self._appends.append((request, [self._incoming.write(new.id, new.chunk) for new in request.messages]))

    def record(self, request: Record) -> None:
        self._records.append(request)

    def release(self, request: Release) -> None:
        self._released.append(request)

    def forget(self, below: int) -> None:
        self._forget_below = max(below, self._forget_below)

    def redeliver(self, request: Redeliver) -> None:
        arriving = self._delivering.link(request.number, request.id, request.deliveries, again=True)
        self._link(arriving)

    def settle(self, request: Settle, folder: Maildir | None) -> None:
        """Rename on what a crash left between Finished and new/."""
        if folder is None:
            self._answer(Done(request.number))
            return
        present = self._delivering.present(folder)
        for id in request.ids:
            subfolder, name = present.get(id, ("", ""))
            if subfolder == "tmp":
                rename_on(Linked(folder, subfolder, name, []))
        self.promise(Done(request.number), request.number, ((folder, "new"),))

    def owe(self, *folders: Subfolder) -> None:
        """These subfolders must be synced soon, though nobody waits for it."""
        for folder in folders:
            self._owed[folder] = None
        if folders and not self.owed_since:
            self.owed_since = time.monotonic()

    def promise(self, reply: Reply, number: int, folders: tuple[Subfolder, ...] = ()) -> None:
        """Answer when these subfolders are synced, with Failed when one cannot be."""
        self.owe(*folders)
        self._promised.append((reply, number, folders))

    def reply(self, reply: Reply, number: int) -> None:
        """Answer at once, but behind what waits for a sync: who has heard of a mod-sequence has heard of all before."""
        if self._promised:
            self._promised.append((reply, number, ()))
        else:
            self._answer(reply)

    @property
    def finishing(self) -> bool:
        """Whether deliveries wait for their Finished."""
        return bool(self._arriving)

    def maildirs(self) -> set[Maildir]:
        """Those with a sync or a rename to come."""
        linked = {linked.maildir for arriving in self._arriving for linked in arriving.linked}
        return linked | {maildir for maildir, _ in self._owed}

    @property
    def urgent(self) -> bool:
        """Whether this turn has to be paid now."""
        waiting = self._commits or self._appends or self._records or self._released or self._promised or self._void
        return bool(waiting or self._forget_below)

    # ---- paying ------------------------------------------------------------------------------------------

    def pay(self) -> None:
        """Sync what the turn did, answer, and link the deliveries of its commits."""
        commits, self._commits = self._commits, []
        appends, self._appends = self._appends, []
        for append, files_of_append in appends:
            for new, coming in zip(append.messages, files_of_append, strict=True):
                _date(coming, new.mtime)
        written = [coming for _, coming in commits] + [coming for _, several in appends for coming in several]
        if self._syncing.all_at_once(len(written) + len(self._owed)):
            self._folders_synced({})
        else:
            self._incoming.sync(written)
        for coming in written:
            self._incoming.close(coming.id)
        for commit, coming in commits:
            if coming.failure is not None:
                self._refuse(commit, coming.failure)
        good = [commit for commit, coming in commits if coming.failure is None]
        for append, files_of_append in appends:
            self._put(append, files_of_append)
        self._sync_folders()
        committed = self._write_journal(good)
        if committed:
            for request in good:
                self._answer(Done(request.number, self._segments.number))
            for request in good:
                if request.deliveries:
                    self._link(self._delivering.link(request.number, request.id, request.deliveries))

    def finish(self) -> None:
        """Nothing else waits: record what was linked, and show it."""
        self._sync_folders()
        self._write_journal([])

    def _link(self, arriving: Arriving) -> None:
        self._arriving.append(arriving)
        self.owe(*{(linked.maildir, "tmp"): None for linked in arriving.linked if linked.subfolder == "tmp"})

    def _sync_folders(self) -> None:
        """Sync every subfolder that owes it; what waited for a failed one is told."""
        failed: dict[Subfolder, OSError] = {}
        for folder in () if self._syncing.all_at_once(len(self._owed)) else self._owed:
            maildir, subfolder = folder
            try:
                maildir.sync(subfolder)
            except OSError as error:
                failed[folder] = error
                maildir.reopen(subfolder)
        self._folders_synced(failed)

    def _folders_synced(self, failed: dict[Subfolder, OSError]) -> None:
        """Nothing is owed any more but the failed ones."""
        self._owed, self.owed_since = {}, 0.0
        promised, self._promised = self._promised, []
        unsure = next((error for (_, subfolder), error in failed.items() if not subfolder), None)  # of whole folders
        for reply, number, folders in promised:
            first = next((failed[folder] for folder in folders if folder in failed), unsure)
            self._answer(reply if first is None else Failed(number, files.reason(first)))
        if failed:
            self._unlink_failed(failed)
            self.owe(*failed)

    def _unlink_failed(self, failed: dict[Subfolder, OSError]) -> None:
        """Targets whose tmp/ could not be synced are not finished."""
        for arriving in self._arriving:
            for linked in [linked for linked in arriving.linked if (linked.maildir, "tmp") in failed]:
                arriving.linked.remove(linked)
                reason = files.reason(failed[linked.maildir, "tmp"])
                arriving.failed.extend((target, reason) for target in linked.targets)

    def _write_journal(self, commits: list[Commit]) -> bool:
        """One append and one sync for all records of the turn; returns whether they count."""
        arriving, self._arriving = self._arriving, []
        records, self._records = self._records, []
        # a release waits until every rename into new/ is durable: without Ended, start-up looks after them
        released, self._released = ([], self._released) if self._owed else (self._released, [])
        now = time.time()
        if self._void:
            self._segments.add(spool_records.encode(Void(tuple(self._void))))
        for one in arriving:
            if one.linked:
                self._segments.add(spool_records.encode(Finished(one.id, one.targets, now, spool_records.DELIVERED)))
        for commit in commits:
            self._segments.add(commit.record)
        for record in records:
            for line in record.records:
                self._segments.add(line)
        for release in released:
            kind = Void if release.void else Ended
            self._segments.add(spool_records.encode(kind(release.ids)))
        try:
            self._segments.sync()
        except OSError as error:
            self._journal_failed(error, arriving, commits, records, released)
            return False
        for id in self._void:
            self._incoming.unlink(id)
        self._void.clear()
        for one in arriving:
            self._publish(one)
        for record in records:
            self._answer(Done(record.number, self._segments.number))
        for release in released:
            for id in release.ids:
                self._incoming.unlink(id)
            self._delivering.withdraw(release.ids, release.folders)
        if self._forget_below and not self._released:
            self._segments.forget(self._forget_below)
            self._forget_below = 0
        return True

    def _publish(self, arriving: Arriving) -> None:
        self._answer(self._delivering.publish(arriving))
        self.owe(*{(linked.maildir, "new"): None for linked in arriving.linked if linked.subfolder == "tmp"})

    def _journal_failed(
        self,
        error: OSError,
        arriving: list[Arriving],
        commits: list[Commit],
        records: list[Record],
        released: list[Release],
    ) -> None:
        """Nothing of this turn counts; Accepted records that may be on the disk are declared void by the next sync."""
        reason = files.reason(error)
        for one in arriving:
            lost = tuple((target, reason) for target in one.targets)
            self._answer(Delivered(one.number, one.id, (), (*one.failed, *lost)))
        for commit in commits:
            self._void.append(commit.id)  # its .msg stays until that is durable, or start-up would miss it
            self._answer(Failed(commit.number, reason))
        for record in records:
            self._answer(Failed(record.number, reason))
        self._released = [*released, *self._released]

    def _put(self, append: Append, several: list[Coming]) -> None:
        try:
            for coming in several:
                if coming.failure is not None:
                    raise coming.failure
            reply, subfolders = self._place(append, [coming.size for coming in several])
        except OSError as error:
            self._refuse(append, error)
        else:
            if isinstance(reply, Refused):
                for new in append.messages:
                    self._incoming.unlink(new.id)
            self.promise(reply, append.number, subfolders)

    def _refuse(self, request: Commit | Append, error: OSError) -> None:
        for id in (request.id,) if isinstance(request, Commit) else [new.id for new in request.messages]:
            self._incoming.drop(id)
        self._answer(Failed(request.number, files.reason(error)))


def _date(coming: Coming, mtime: float) -> None:
    """INTERNALDATE is the time of the file."""
    if coming.failure is None:
        try:
            os.utime(coming.descriptor, (mtime, mtime))
        except (OSError, OverflowError) as error:
            coming.failure = error if isinstance(error, OSError) else OSError(str(error))
