"""Reconstruct (row B9): the numbers of a folder made again from its files, keeping every UID that can be kept.

What a person or another program did to the files, and what a damaged `uids` would cost, is put right:
UIDs above the ceiling are taken as given (the ceiling rises), UIDVALIDITY is saved when one good line of it is left,
sizes in names are those of the files, and keyword letters that nobody named get a name.
"""

import contextlib
import os

import msgspec

from emailgency.codec import maildir, records
from emailgency.store.layout import SUBFOLDERS
from emailgency.store.storing import files, keywords
from emailgency.store.storing.listing import opened
from emailgency.store.storing.maildir import Maildir
from emailgency.store.storing.maildirs import Maildirs
from emailgency.store.storing.messages import Reconstruct
from emailgency.store.storing.replies import Opened, Refused, Unchanged
from emailgency.store.storing.uids import NAME, Known, Reserved, Uids, Validity

_HIGHEST = 0xFFFFFFFE  # the ceiling is a UID too (RFC 3501 section 2.3.1.1: 32 bits)
_decode = msgspec.json.Decoder(Known).decode


def reconstruct(maildirs: Maildirs, request: Reconstruct) -> Opened | Unchanged | Refused:
    """The folder as it is afterwards."""
    known = maildirs.known(request.folder)
    if known is not None:
        known.uids.write()  # what we have in memory is better than what may lie on the disk
        maildirs.forget(request.folder)
    try:
        descriptor = files.open_folder(maildirs.root, request.folder)
    except (FileNotFoundError, NotADirectoryError):
        return Refused(request.number, "nonexistent")
    try:
        for subfolder in SUBFOLDERS:
            with contextlib.suppress(FileExistsError):
                os.mkdir(subfolder, 0o700, dir_fd=descriptor)
        _set_sizes(descriptor)
        _save_uids(descriptor)
    finally:
        os.close(descriptor)
    folder = maildirs.get(request.folder)
    if folder is None:
        return Refused(request.number, "nonexistent")
    folder.look()
    _name_keywords(folder)
    return opened(request.number, folder)


def _set_sizes(folder: int) -> None:
    for subfolder in ("new", "cur"):
        with files.folder_at(folder, subfolder) as directory:
            for name in os.listdir(directory):
                taken = maildir.parse(name)
                with contextlib.suppress(FileNotFoundError):
                    size = os.stat(name, dir_fd=directory, follow_symlinks=False).st_size
                    if taken.size >= 0 and taken.size != size:
                        renamed = maildir.compose(msgspec.structs.replace(taken, size=size), info=":" in name)
                        os.rename(name, renamed, src_dir_fd=directory, dst_dir_fd=directory)


def _save_uids(folder: int) -> None:
    """Write `uids` anew from its good lines and the names; without a UIDVALIDITY left the folder gets a new one."""
    validity, below, modseq = 0, 1, 0
    for line in (files.read_all(folder, NAME) or b"").split(b"\n"):
        record = records.decode(line)
        with contextlib.suppress(msgspec.DecodeError):
            known = _decode(record or b"")
            if isinstance(known, Validity):
                validity = known.value
            elif isinstance(known, Reserved):
                below, modseq = max(below, known.below), max(modseq, known.modseq)
    if validity:
        below = max(below, min(_highest(folder), _HIGHEST) + 1)
        Uids(folder, validity, below, modseq).write()


def _highest(folder: int) -> int:
    highest = 0
    for subfolder in ("new", "cur"):
        with files.folder_at(folder, subfolder) as directory:
            highest = max([highest, *map(maildir.uid_of, os.listdir(directory))])
    return highest


def _name_keywords(folder: Maildir) -> None:
    words = list(keywords.read(folder))
    letters = {letter for _, name in (folder.names or {}).values() for letter in maildir.flags_of(name)}
    unnamed = [at for at in range(26) if chr(97 + at) in letters and not "".join(words[at : at + 1])]
    if unnamed:
        words += [""] * (unnamed[-1] + 1 - len(words))
        for at in unnamed:
            words[at] = f"Keyword-{chr(97 + at)}"
        keywords.write(folder, tuple(words))
