"""One Maildir in the hands of its only writer: descriptors, UIDs, and the list of names when somebody reads it."""

import contextlib
import os
import stat
import time

from emailgency.codec import maildir
from emailgency.store import layout
from emailgency.store.storing import files
from emailgency.store.storing.modseqs import Modseqs
from emailgency.store.storing.uids import NAME, Settled, Uids, Validities

SETTLED = 0.05  # seconds: file times have the grain of a kernel tick (1-10 ms), younger ones may hide a change
_BESIDE = 10.0  # seconds another program counts as at work after what it did last
_SCANS = 5  # times a folder is read again when another program changes it meanwhile
COPYING = "k"  # first letter of the ids a COPY gives; no message id begins with it

Subfolder = tuple["Maildir", str]  # what a sync is of: a Maildir and "tmp", "new" or "cur"
Times = dict[str, int]  # mtimes of new/ and cur/, nanoseconds


class Maildir:
    """Made by `Maildirs`. All names are relative to the descriptors, so nothing here can leave the folder."""

    def __init__(self, path: str, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor
        self._subfolders: dict[str, int] = {}
        self._inode = os.fstat(descriptor).st_ino
        self.uids: Uids
        self.modseqs: Modseqs
        self.names: dict[int, tuple[str, str]] | None = None  # uid -> subfolder, name; None: not listed
        self._times: Times = {}
        self._looked = 0.0
        self._beside = 0.0  # when we last saw that another program had been here
        self._unsaid: set[int] = set()  # what others changed or brought, and the reactor has not been told of
        self._unsaid_gone: set[int] = set()
        self._uncertain = False  # nobody knows what has changed, and the reactor has not been told of that
        self._others = False  # somebody else was here before our last change, which hides it
        self._generation = time.time_ns()
        self._addressed = False  # the file "address" is there

    def load(self, validities: Validities, now: float, *, sync: bool = True) -> None:
        """Open the subfolders (made when missing) and read or make the file `uids`, which `sync` may come later for."""
        made = False
        for subfolder in layout.SUBFOLDERS:
            with contextlib.suppress(FileExistsError):
                os.mkdir(subfolder, 0o700, dir_fd=self._descriptor)
                made = True
            self._subfolders[subfolder] = os.open(subfolder, files.FOLDER, dir_fd=self._descriptor)
        uids = Uids.load(self._descriptor)
        new = uids is None and made
        if uids is None:
            highest = 0 if made else max((maildir.uid_of(name) for _, name in self._scan()), default=0)
            below = min(highest, 0xFFFFFFFE) + 1
            uids = Uids.make(self._descriptor, validities.take(now), below, sync=sync or highest > 0)
        elif made:
            os.fsync(self._descriptor)
        self.uids = uids
        self._roll_back()
        self.modseqs = Modseqs(self._descriptor, uids)
        if uids.settled is not None and uids.settled.looks == self._looks():
            self.modseqs.at_rest(uids.settled.checksum)
        else:
            self.modseqs.reset()
            self._uncertain = not new
        self._times = self._stat()

    def settle(self) -> None:
        """A clean stop. What the file `modseqs` tells is true as long as nobody comes after us."""
        if self.uids.settled is not None:
            return
        settled = None
        told = not (self._others or self._uncertain or self._unsaid or self._unsaid_gone)
        if told and self._times == self._stat() and self.age() > SETTLED:
            looks = self._looks()
            settled = Settled(self.uids.highest, looks, self.modseqs.save())
        self.uids.settle(settled)

    def age(self) -> float:
        """Seconds since the last change; below SETTLED another one may not show in the times."""
        return time.time() - max(self._stat().values()) / 1e9

    def _looks(self) -> tuple[int, ...]:
        """What tells that nobody has changed the folder: it is the same one, with the same times."""
        keywords = 0
        with contextlib.suppress(OSError):
            keywords = os.stat("dovecot-keywords", dir_fd=self._descriptor, follow_symlinks=False).st_mtime_ns
        return (*self._stat().values(), os.fstat(self._subfolders["cur"]).st_ino, keywords)

    def belongs_to(self, address: str) -> None:
        """Of an unknown address: the file `address` is there before any message. It may be missing in a folder that
        is: we died between the two.
        """
        if not self._addressed:
            if files.read_all(self._descriptor, "address") is None:
                files.replace(self._descriptor, "address", address.encode() + b"\n")
            self._addressed = True

    def subfolder(self, name: str) -> int:
        """Descriptor of tmp, new or cur; "" is the folder itself."""
        return self._subfolders[name] if name else self._descriptor

    def still_there(self, root: int) -> bool:
        """Whether the path still leads to what is open here (another program may have moved or removed it)."""
        try:
            return os.stat(self.path, dir_fd=root, follow_symlinks=False).st_ino == self._inode
        except OSError:
            return False

    def sync(self, subfolder: str) -> None:
        """Names in it are on stable storage when this returns; of the folder itself ("") its small files are, too."""
        if not subfolder:
            for name in (NAME, layout.SUBSCRIPTIONS):
                files.sync_file(self._descriptor, name)
        files.sync(self.subfolder(subfolder))

    def close(self) -> None:
        for descriptor in (*self._subfolders.values(), self._descriptor):
            os.close(descriptor)
        self._subfolders.clear()

    def reopen(self, name: str) -> None:
        """A fresh descriptor after a failed sync: the old one would report the next sync as good."""
        fresh = os.open(name or ".", files.FOLDER, dir_fd=self._descriptor)
        os.dup2(fresh, self.subfolder(name), inheritable=False)  # under the number that others know
        os.close(fresh)

    # ---- the list of names -------------------------------------------------------------------------------

    def look(self) -> None:
        """Bring `names` up to date with the disk; files without a UID get one, in order of arrival."""
        times, found, strangers = self._read()
        if self.names is not None:
            if found.keys() - self.names.keys():
                self._expose(found, strangers)
            self._note_changes(self.names, found)
            self._unsaid.update(found.keys() - self.names.keys())
        elif self._others or times != self._times:
            self._uncertain = True  # we never saw what the others found here
        if strangers or found != self.names:
            self._generation += 1
            self._beside = self._looked if strangers or self.names is not None else self._beside
        self.names = found
        self._times = times
        self._others = False
        if strangers:
            self._adopt(strangers)

    def _read(self) -> tuple[Times, dict[int, tuple[str, str]], list[tuple[str, str]]]:
        """Times of the folders, messages by UID, and files that need one. A name that is changed while a folder is
        listed may be missing from the list, so it is read again until nothing moves.
        """
        for _ in range(_SCANS):
            self._looked = time.time()
            times = self._stat()
            listed = self._scan()
            if times == self._stat():
                break
        found: dict[int, tuple[str, str]] = {}
        strangers: list[tuple[str, str]] = []
        for subfolder, name in listed:
            uid = maildir.uid_of(name)
            if not uid or uid >= self.uids.next or uid in found or not maildir.clean(name):
                strangers.append((subfolder, name))
            else:
                found[uid] = (subfolder, name)
        return times, found, strangers

    def _note_changes(self, before: dict[int, tuple[str, str]], found: dict[int, tuple[str, str]]) -> None:
        if before == found:
            return
        self._unsaid_gone.update(before.keys() - found.keys())
        for uid, place in found.items():
            known = before.get(uid, place)
            if known != place and maildir.flags_of(known[1]) != maildir.flags_of(place[1]):
                self._unsaid.add(uid)

    def date_changes(self) -> None:
        """What others did gets its mod-sequence when the reactor is told of it, and no sooner: clients who hear of a
        later one rely on having heard of all before.
        """
        if self._uncertain:
            self._uncertain = False
            self.modseqs.reset()
        elif self._unsaid or self._unsaid_gone:
            modseq = self.uids.take_modseq()
            self.modseqs.gone(sorted(self._unsaid_gone), modseq)
            for uid in sorted(self._unsaid):
                if self.names is not None and uid in self.names:
                    self.modseqs.set(uid, modseq)
        self._unsaid.clear()
        self._unsaid_gone.clear()

    def _expose(self, found: dict[int, tuple[str, str]], strangers: list[tuple[str, str]]) -> None:
        """A UID that is new to a folder we have listed before came from elsewhere: it may have been used here once."""
        assert self.names is not None
        strangers.extend(found.pop(uid) for uid in found.keys() - self.names.keys())

    def _adopt(self, strangers: list[tuple[str, str]]) -> None:
        assert self.names is not None
        order = []
        for subfolder, name in strangers:
            with contextlib.suppress(FileNotFoundError):
                status = os.stat(name, dir_fd=self.subfolder(subfolder), follow_symlinks=False)
                if stat.S_ISREG(status.st_mode):
                    order.append((status.st_mtime_ns, name, subfolder, status.st_size))
        for mtime, name, subfolder, size in sorted(order):
            taken = maildir.parse(name)
            uid = self.uids.take()
            kept = taken.unique if maildir.clean(taken.unique) and taken.unique else f"{mtime // 10**9}.u{uid}.adopted"
            others = tuple(other for other in taken.others if maildir.clean(other))
            fresh = maildir.Name(kept, size, uid, taken.flags, others)
            renamed = maildir.compose(fresh, info=subfolder == "cur")
            with contextlib.suppress(FileNotFoundError):
                directory = self.subfolder(subfolder)
                self.mind(subfolder)
                os.rename(name, renamed, src_dir_fd=directory, dst_dir_fd=directory)
                self.touched(subfolder)
                self.names[uid] = (subfolder, renamed)
                self._unsaid.add(uid)

    def changed(self) -> bool:
        """Whether somebody else may have changed the folder since `look` or `touched`."""
        times = self._stat()
        if self._others or times != self._times:
            return True
        now = time.time()
        return self._looked - max(times.values()) / 1e9 < SETTLED and now - self._looked > SETTLED

    def begin(self) -> int:
        """A change of our own follows: its mod-sequence."""
        self.mind("new", "cur")
        return self.uids.take_modseq()

    def mind(self, *subfolders: str) -> None:
        """A name in these is about to be changed by us: what others did until now is not to be hidden by that.
        `touched` comes at once behind it: what others do in those 20 µs, or while the kernel lets us wait, may show
        only with their next change.
        """
        for subfolder in subfolders:
            if self._times[subfolder] != os.fstat(self._subfolders[subfolder]).st_mtime_ns:
                self._others = True

    def touched(self, *subfolders: str) -> None:
        """Our own change is done and `names` tells it: take the new times as known, unless another program is at work
        here, too: one that has just been seen may well have come between.
        """
        if time.time() - self._beside > _BESIDE:
            for subfolder in subfolders:
                self._times[subfolder] = os.fstat(self._subfolders[subfolder]).st_mtime_ns

    def remember(self, uid: int, subfolder: str, name: str, modseq: int) -> None:
        """We have just put this message here."""
        if self.names is not None:
            self.names[uid] = (subfolder, name)
        self.modseqs.set(uid, modseq)

    def forget(self, uid: int) -> None:
        """We have just taken this message away; `Modseqs.gone` follows."""
        if self.names is not None:
            self.names.pop(uid, None)

    def drop_names(self) -> None:
        """Out of memory until somebody reads the folder again."""
        if self.changed():
            self._others = True
        if self._unsaid or self._unsaid_gone:
            self._uncertain = True
        self.names = None
        with contextlib.suppress(OSError):
            self.modseqs.put_away()

    def find(self, uid: int, name: str) -> tuple[str, str] | None:
        """Where a message is now: by the list, else by the name as given, else by looking once more."""
        if self.names is not None:
            known = self.names.get(uid)
            if known is not None and self._exists(*known):
                return known
            if known is not None:
                self._others = True  # who else took it away?
        for subfolder in ("cur", "new"):
            if self._exists(subfolder, name):
                return subfolder, name
        if self.names is None or self.changed():
            self.look()
        return self.names.get(uid) if self.names is not None else None

    def token(self) -> str:
        """Changes whenever somebody else changed the folder; our own changes keep it while it is listed."""
        return f"{self._generation:x}"

    def _roll_back(self) -> None:
        """A COPY that left a file in tmp/ was never answered: all it brought goes, so that its repetition is whole."""
        batches = {maildir.parse(name).id.partition("_")[0] for name in os.listdir(self._subfolders["tmp"])}
        broken = {batch for batch in batches if batch.startswith(COPYING)}
        if not broken:
            return
        for subfolder in ("cur", "new", "tmp"):  # tmp last: it is the sign
            for name in os.listdir(self._subfolders[subfolder]):
                if maildir.parse(name).id.partition("_")[0] in broken:
                    os.unlink(name, dir_fd=self._subfolders[subfolder])
            os.fsync(self._subfolders[subfolder])

    def _exists(self, subfolder: str, name: str) -> bool:
        try:
            os.stat(name, dir_fd=self.subfolder(subfolder), follow_symlinks=False)
        except OSError:
            return False
        return True

    def _stat(self) -> Times:
        return {subfolder: os.fstat(self._subfolders[subfolder]).st_mtime_ns for subfolder in ("new", "cur")}

    def _scan(self) -> list[tuple[str, str]]:
        """Messages as (subfolder, name). A name that is in both, because it was renamed meanwhile, counts once."""
        new = os.listdir(self._subfolders["new"])
        cur = os.listdir(self._subfolders["cur"])
        return [("new", name) for name in new if name[0] != "."] + [("cur", name) for name in cur if name[0] != "."]
