"""Local delivery: the spool file is linked into tmp/ under the message's id, recorded as finished, renamed into new/.

    link -> sync of the tmp folders -> Finished in the journal, synced -> rename with a UID -> sync of new/ later

Before Finished is durable nobody sees the message, so a crash finds it pending and no one can have removed it; a
name that carries its id is then proof that it is there. Afterwards it is only ever renamed on, never linked again.
"""

import contextlib
import errno
import os

from msgspec import Struct

from emailgency.codec import maildir
from emailgency.store.storing import files
from emailgency.store.storing.incoming import Incoming
from emailgency.store.storing.maildir import Maildir
from emailgency.store.storing.maildirs import Maildirs
from emailgency.store.storing.messages import Delivery
from emailgency.store.storing.replies import Delivered, Placed

NO_LINK = {errno.EXDEV, errno.EMLINK, errno.EPERM, errno.EOPNOTSUPP}


class Linked(Struct):
    """One file that stands in tmp/ (or, found again, further on) for one or more targets."""

    maildir: Maildir
    subfolder: str
    name: str
    targets: list[int]


class Arriving(Struct):
    """The local targets of one message between link and rename."""

    number: int
    id: str
    linked: list[Linked]
    failed: list[tuple[int, str]]

    @property
    def targets(self) -> tuple[int, ...]:
        return tuple(target for linked in self.linked for target in linked.targets)


def token_of(id: str, delivery: Delivery) -> str:
    """The id in the file name. A copy with a prefix of its own is another message than the shared one."""
    return f"{id}_{delivery.target}" if delivery.prefix else id


class Delivering:
    """Does the file work of Commit and Redeliver; the batch decides when what is synced."""

    def __init__(self, maildirs: Maildirs, incoming: Incoming, host: str) -> None:
        self._maildirs = maildirs
        self._incoming = incoming
        self._host = host
        self._present: dict[Maildir, dict[str, tuple[str, str]]] = {}

    def link(self, number: int, id: str, deliveries: tuple[Delivery, ...], *, again: bool = False) -> Arriving:
        """Put the message into tmp/ of every folder. `again`: it may be there already, look first."""
        arriving = Arriving(number, id, [], [])
        by_name: dict[tuple[str, str], Linked] = {}
        for delivery in deliveries:
            token = token_of(id, delivery)
            try:
                linked = by_name.get((delivery.folder, token))
                if linked is None:
                    linked = by_name[delivery.folder, token] = self._one(id, token, delivery, again)
                    arriving.linked.append(linked)
                linked.targets.append(delivery.target)
            except OSError as error:
                arriving.failed.append((delivery.target, files.reason(error)))
        return arriving

    def present(self, folder: Maildir) -> dict[str, tuple[str, str]]:
        """Ids of the messages in a folder, with subfolder and name; listed once a turn, since recovery asks by the
        thousand.
        """
        ids = self._present.get(folder)
        if ids is None:
            ids = self._present[folder] = {
                maildir.parse(name).id: (subfolder, name)
                for subfolder in ("cur", "new", "tmp")
                for name in os.listdir(folder.subfolder(subfolder))
            }
        return ids

    def withdraw(self, ids: tuple[str, ...], folders: tuple[str, ...]) -> None:
        """Remove these messages from tmp/; what cannot go now is no message to anybody."""
        for path in folders:
            with contextlib.suppress(OSError):
                folder = self._maildirs.get(path)
                tmp = folder.subfolder("tmp") if folder is not None else None
                for name in os.listdir(tmp) if tmp is not None else ():
                    if maildir.parse(name).id.partition("_")[0] in ids:
                        os.unlink(name, dir_fd=tmp)

    def end_turn(self) -> None:
        """What was listed may be stale from now on."""
        self._present.clear()

    def _one(self, id: str, token: str, delivery: Delivery, again: bool) -> Linked:
        if self._maildirs.was_removed(delivery.folder):
            raise FileNotFoundError(errno.ENOENT, "the mailbox was removed")  # the spool asks where its mail goes now
        folder = self._maildirs.make(delivery.folder, delivery.address)
        if again:
            subfolder, name = self.present(folder).get(token, ("", ""))
            if subfolder in ("new", "cur"):
                return Linked(folder, subfolder, name, [])
            if subfolder == "tmp" and name != self._name(id, token, delivery.prefix):
                os.unlink(name, dir_fd=folder.subfolder("tmp"))  # the host has been renamed since
        return Linked(folder, "tmp", self._place(id, token, delivery.prefix, folder), [])

    def _place(self, id: str, token: str, prefix: bytes, folder: Maildir) -> str:
        """Link or copy. What stands there already is the same inode, or half a copy and replaced."""
        hour, tmp = self._incoming.hour(id), folder.subfolder("tmp")
        name = self._name(id, token, prefix)
        if prefix:
            copy_file(hour, f"{id}.msg", tmp, name, prefix)
        else:
            link_or_copy(hour, f"{id}.msg", tmp, name)
        return name

    def _name(self, id: str, token: str, prefix: bytes) -> str:
        status = os.stat(f"{id}.msg", dir_fd=self._incoming.hour(id), follow_symlinks=False)
        return f"{maildir.unique(int(id[:8], 16), token, self._host)},S={status.st_size + len(prefix)}"

    def publish(self, arriving: Arriving) -> Delivered:
        """Finished is durable: rename into new/ with a UID. What fails stays in tmp/ for the next start."""
        placed: list[Placed] = []
        failed = list(arriving.failed)
        for linked in arriving.linked:
            try:
                uid, subfolder, name, modseq = rename_on(linked)
            except OSError as error:
                failed.extend((target, files.reason(error)) for target in linked.targets)
                continue
            placed.extend(
                Placed(linked.maildir.path, uid, subfolder, name, target, modseq=modseq) for target in linked.targets
            )
        return Delivered(arriving.number, arriving.id, tuple(placed), tuple(failed))


def rename_on(linked: Linked) -> tuple[int, str, str, int]:
    """From tmp/ into new/; one found further on is left where it is. Returns uid, subfolder, name, mod-sequence."""
    folder = linked.maildir
    modseq = folder.begin()
    if linked.subfolder != "tmp":
        return maildir.uid_of(linked.name), linked.subfolder, linked.name, modseq
    uid = folder.uids.take()
    name = f"{linked.name},U={uid}"
    folder.mind("new")
    os.rename(linked.name, name, src_dir_fd=folder.subfolder("tmp"), dst_dir_fd=folder.subfolder("new"))
    folder.touched("new")
    folder.remember(uid, "new", name, modseq)
    return uid, "new", name, modseq


def link_or_copy(source_folder: int, source: str, folder: int, name: str) -> None:
    """A second name of a file, or a copy of it where the file system allows no link."""
    try:
        os.link(source, name, src_dir_fd=source_folder, dst_dir_fd=folder, follow_symlinks=False)
    except FileExistsError:
        if not _same(source_folder, source, folder, name):
            copy_file(source_folder, source, folder, name)
    except OSError as error:
        if error.errno not in NO_LINK:
            raise
        copy_file(source_folder, source, folder, name)


def copy_file(source_folder: int, source: str, folder: int, name: str, prefix: bytes = b"") -> None:
    """A new, synced file with the octets and times of `source`; a half-written one of an earlier try is replaced."""
    original = os.open(source, files.READ, dir_fd=source_folder)
    try:
        if _exists(folder, name):
            os.unlink(name, dir_fd=folder)
        descriptor = os.open(name, files.NEW_FILE, 0o600, dir_fd=folder)
        try:
            files.write_all(descriptor, prefix)
            files.copy(original, descriptor)
            status = os.fstat(original)
            os.utime(descriptor, ns=(status.st_atime_ns, status.st_mtime_ns))
            os.fsync(descriptor)
        except OSError:
            os.unlink(name, dir_fd=folder)
            raise
        finally:
            os.close(descriptor)
    finally:
        os.close(original)


def _exists(folder: int, name: str) -> bool:
    return os.access(name, os.F_OK, dir_fd=folder, follow_symlinks=False)


def _same(folder: int, name: str, other_folder: int, other: str) -> bool:
    here = os.stat(name, dir_fd=folder, follow_symlinks=False)
    there = os.stat(other, dir_fd=other_folder, follow_symlinks=False)
    return (here.st_ino, here.st_dev) == (there.st_ino, there.st_dev)
