"""Make a data folder from a backup.

Mail that arrived after the backup is not in it, but its UIDs were given out: every folder skips the UIDs that may have
been given since, so that no mail program takes a new message for one it has already seen.
"""

import os
from collections.abc import Callable

import msgspec

from emailgency.codec import maildir
from emailgency.flows.progress import Progress
from emailgency.flows.upkeep.backup import MANIFEST, VERSION, Manifest
from emailgency.model.errors import Invalid
from emailgency.store import layout
from emailgency.store.backup.files import Copier, is_maildir, names, private, walk
from emailgency.store.backup.maildirs import list_once
from emailgency.store.backup.spool import read_journal
from emailgency.store.spool import records as spool_records
from emailgency.store.spool.live import deliveries
from emailgency.store.spool.records import DELIVERED, Finished
from emailgency.store.storing import files
from emailgency.store.storing.delivering import token_of
from emailgency.store.storing.uids import Uids

SKIPPED_UIDS = 1_000_000  # more than one folder takes between two backups; leaves room for 4,000 restores
HIGHEST_UID = 0xFFFFFFFF


def restore(source: str, data: str, clock: Callable[[], float], progress: Progress) -> Manifest:
    """`data` is made, or empty, and no server works in it. Raises Invalid, OSError. Blocks."""
    manifest = read_manifest(source)
    if names(data):
        raise Invalid(f"{data} is not empty: a backup is restored into a new or empty data folder")
    os.makedirs(data, mode=0o700, exist_ok=True)
    copier = Copier(source, data)
    for folder, _, found in os.walk(source):
        path = os.path.relpath(folder, source)
        copier.make_folder(path)
        for name in found:
            if (path, name) != (".", MANIFEST):
                copier.copy(os.path.join(path, name))
                progress("files restored", copier.files, manifest.files)
    _finish_delivered(data, clock())
    _skip_uids(data)
    _own(data)
    os.sync()
    return manifest


def read_manifest(source: str) -> Manifest:
    """Raises Invalid for what is no backup, or half of one."""
    try:
        with open(os.path.join(source, MANIFEST), "rb") as file:
            manifest = msgspec.json.decode(file.read(), type=Manifest)
    except (FileNotFoundError, NotADirectoryError, msgspec.DecodeError):
        raise Invalid(f"{source} is not a finished backup: there is no good {MANIFEST} in it") from None
    if manifest.version > VERSION:
        raise Invalid(f"{source} was made by a later version of Emailgency")
    return manifest


def _finish_delivered(data: str, now: float) -> None:
    """Delivered between the copy of the spool and that of the Maildirs: tell the journal what the Maildirs show.

    Wherever in the mailbox its person has put the message since, so that it does not come a second time.
    """
    journal = read_journal(data)
    present: dict[str, set[str]] = {}
    lines = []
    for id, live in journal.live.items():
        done = []
        for delivery in deliveries(live.envelope, live.local()):
            if delivery.folder not in present:
                messages = list_once(os.path.join(data, delivery.folder)).messages
                shown = (name for subfolder, name in messages if not subfolder.endswith("tmp"))
                present[delivery.folder] = {maildir.parse(name).id for name in shown}
            if token_of(id, delivery) in present[delivery.folder]:
                done.append(delivery.target)
        if done:
            lines.append(spool_records.encode(Finished(id, tuple(done), now, DELIVERED)))
    if lines:
        with open(os.path.join(data, layout.segment(journal.segment + 1)), "wb", opener=private) as file:
            file.writelines(lines)


def _skip_uids(data: str) -> None:
    for path in walk(data, "customers"):
        if not is_maildir(os.path.join(data, path)):
            continue
        for name in ["", *(name for name in names(os.path.join(data, path)) if name.startswith("."))]:
            skip_uids(os.path.join(data, path, name))


def skip_uids(folder: str) -> None:
    """A folder without good UIDs, or at the end of them, gets a new UIDVALIDITY when it is opened."""
    descriptor = os.open(folder, files.FOLDER)
    try:
        uids = Uids.load(descriptor)
        if uids is None:
            return
        if uids.next + SKIPPED_UIDS > HIGHEST_UID:
            os.unlink("uids", dir_fd=descriptor)
        else:
            uids.reserve(uids.next + SKIPPED_UIDS)
    finally:
        os.close(descriptor)


def _own(data: str) -> None:
    """Restored by root, it belongs to whom the data folder belongs."""
    if os.geteuid() != 0:
        return
    owner = os.stat(data)
    for folder, _, found in os.walk(data):
        for name in [".", *found]:
            os.chown(os.path.join(folder, name), owner.st_uid, owner.st_gid, follow_symlinks=False)
