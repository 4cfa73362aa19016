"""The file `annotations` of a folder: what mail programs have noted about it (METADATA, RFC 5464).

One line of `codec.records`, replaced whole. It lies in the folder's own directory, so it is renamed, deleted and copied
with it. Notes about the server, which are one user's too, stand in the file of his INBOX.
"""

import contextlib
import os

import msgspec
from msgspec import Struct

from emailgency.codec import records
from emailgency.store.storing import files
from emailgency.store.storing.maildir import Maildir
from emailgency.store.storing.messages import Annotate, ReadAnnotations
from emailgency.store.storing.replies import Annotations, Done, Refused

NAME = "annotations"
SPECIAL_USE = "/private/specialuse"  # RFC 6154 section 4


class Damaged(Exception):
    """The file is not what we have written."""


class Notes(Struct, frozen=True, omit_defaults=True):
    """The record. Keys are entry names in lower case."""

    folder: dict[str, bytes] = {}
    server: dict[str, bytes] = {}


_decode = msgspec.json.Decoder(Notes).decode
_encode = msgspec.json.Encoder().encode


def read(folder: Maildir, request: ReadAnnotations) -> Annotations:
    """Raises what `load` raises."""
    notes = load(folder.subfolder(""))
    return Annotations(request.number, tuple(sorted((notes.server if request.server else notes.folder).items())))


def annotate(folder: Maildir, request: Annotate) -> Done | Refused:
    """All of the entries or none; synced. Refused("limit") when they would be too many, or too many octets."""
    before = load(folder.subfolder(""))
    entries = dict(before.server if request.server else before.folder)
    for name, value in request.entries:
        if value is None:
            entries.pop(name, None)
        else:
            entries[name] = value
    after = Notes(before.folder, entries) if request.server else Notes(entries, before.server)
    grown = any(value is not None for _, value in request.entries)
    if grown and (len(entries) > request.most or _octets(entries) > request.octets):
        return Refused(request.number, "limit")
    if after != before:
        files.replace(folder.subfolder(""), NAME, records.encode(_encode(after)))
    return Done(request.number)


def load(folder: int) -> Notes:
    """Of a folder's descriptor. Raises Damaged."""
    octets = files.read_all(folder, NAME)
    return Notes() if octets is None else parse(octets)


def parse(octets: bytes) -> Notes:
    """It is replaced whole and so never torn. Raises Damaged."""
    record = records.decode(octets.removesuffix(b"\n"))
    try:
        if record is not None:
            return _decode(record)
    except msgspec.DecodeError:
        pass
    raise Damaged(f"{NAME} is damaged")


def special_use(mailbox: int, name: str) -> str | None:
    """What a folder below the mailbox (a descriptor) is for, by its file; None: nobody has said, or it is damaged."""
    path = f"{name}/{NAME}" if name else NAME
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        os.stat(path, dir_fd=mailbox, follow_symlinks=False)  # few folders have one
        folder = os.open(name or ".", files.FOLDER, dir_fd=mailbox)
        try:
            value = load(folder).folder.get(SPECIAL_USE)
        except (OSError, Damaged):
            return None  # who reads or writes it hears of it
        finally:
            os.close(folder)
        return None if value is None else value.decode("ascii", "replace")
    return None


def _octets(entries: dict[str, bytes]) -> int:
    return sum(len(name) + len(value) for name, value in entries.items())
