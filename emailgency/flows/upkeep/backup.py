"""Copy a data folder while the server works, so that what is restored has lost nothing and doubled nothing.

Everything accepted before the backup began is in it: on its way (spool) or arrived (Maildirs). The order makes it so:

1. spool journal and messages, then all Maildirs: the bulk, and not yet of one moment;
2. the spool again: its moment, M, is what start-up recovery will continue from;
3. the Maildirs again, so they hold at least all that the spool of M calls delivered (a name still in tmp/ counts:
   recovery renames it on); what was delivered after M is there too, and recovery finds it by its id;
4. the change journal, so that every mailbox mentioned before is known.

The ledgers come after the spool, so that what was forgotten there meanwhile is in them. Redis is not copied: it is
filled again from the change journal. Nor are the caches and the ballast.
"""

import contextlib
import os
from collections.abc import Callable

import msgspec
from msgspec import Struct

from emailgency.flows.progress import Progress
from emailgency.model.errors import Invalid
from emailgency.store import layout
from emailgency.store.backup.files import FILE_MODE, Copier, names
from emailgency.store.backup.ledger import copy_ledgers
from emailgency.store.backup.maildirs import copy_customers
from emailgency.store.backup.spool import copy_spool

MANIFEST = "backup.json"  # written last: a backup without it is half of one
VERSION = 1
CHANGES = "journal"
CERTIFICATES = "certificates"


class Manifest(Struct, frozen=True, kw_only=True):
    """What the file `backup.json` holds."""

    begun_at: float  # seconds since the epoch
    ended_at: float
    files: int
    octets: int
    problems: list[str] = []  # what the data folder itself had lost
    version: int = VERSION


def backup(data: str, target: str, clock: Callable[[], float], progress: Progress) -> Manifest:
    """`target` is made, or empty. Raises Invalid, OSError; then `target` is no backup and may be deleted. Blocks."""
    _check(data, target)
    begun = clock()
    os.makedirs(target, mode=0o700, exist_ok=True)
    copier = Copier(data, target)
    for _ in range(2):
        problems = copy_spool(copier)
        progress("messages in the spool copied", copier.files, 0)
        copy_customers(copier, lambda _: progress("files copied", copier.files, 0))
    problems += copy_ledgers(copier)
    copy_corrupt(copier)
    for folder in (CHANGES, CERTIFICATES, layout.SIGNING):
        copy_flat(copier, folder)
    for name in (layout.UIDVALIDITY, layout.SECRET, layout.HISTORY, layout.DNS_HISTORY, layout.BELIEVED_TIME):
        if os.path.exists(os.path.join(data, name)):
            copier.copy(name)
    progress("files copied; waiting for the disk", copier.files, copier.files)
    os.sync()
    manifest = Manifest(begun_at=begun, ended_at=clock(), files=copier.files, octets=copier.octets, problems=problems)
    _write(os.path.join(target, MANIFEST), msgspec.json.encode(manifest))
    return manifest


def copy_corrupt(copier: Copier) -> None:
    """What recovery put aside is evidence, and goes along."""
    for folder, _, files in os.walk(os.path.join(copier.source, layout.CORRUPT)):
        path = os.path.relpath(folder, copier.source)
        copier.make_folder(path)
        for name in files:
            copier.copy(f"{path}/{name}")


def copy_flat(copier: Copier, folder: str) -> None:
    """A folder of small files that are replaced by rename or only grow, until no file came or went meanwhile."""
    copier.make_folder(folder)
    while True:
        before = _files(copier.source, folder)
        with contextlib.suppress(FileNotFoundError):  # the names say so too
            for name in before:
                (copier.extend if name.endswith(".log") else copier.copy)(f"{folder}/{name}")
        if _files(copier.source, folder) == before:
            return


def _files(root: str, folder: str) -> list[str]:
    found = names(os.path.join(root, folder))
    return [name for name in found if not name.endswith(".tmp") and os.path.isfile(os.path.join(root, folder, name))]


def _check(data: str, target: str) -> None:
    if not os.path.isdir(os.path.join(data, layout.JOURNAL)):
        raise Invalid(f"{data} is not the data folder of a server")
    inside = os.path.commonpath([os.path.realpath(data), os.path.realpath(target)])
    if inside == os.path.realpath(data):
        raise Invalid("the backup must lie outside the data folder")
    if names(target):
        raise Invalid(f"{target} is not empty")


def _write(path: str, octets: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE)
    with open(descriptor, "wb") as file:
        file.write(octets)
        file.flush()
        os.fsync(descriptor)
    folder = os.open(os.path.dirname(os.path.abspath(path)), os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
