"""The messages of a mailbox in the order in which they came, read from file names in a thread."""

import contextlib
import os
from collections.abc import Sequence

from emailgency.codec.maildir import base_of, uid_of
from emailgency.rules.expiry import Arrived
from emailgency.store.mailboxes.counts import NEVER, came_at, octets_of


class Aged(Arrived, frozen=True):
    """Where it lies: a path below the data folder, the UID it has there, and the part of its name that stays."""

    folder: str
    uid: int
    base: str


def oldest_first(root: str, folders: Sequence[str]) -> list[Aged]:
    """Blocks. What has no UID yet, or no time in its name, is not among them: nobody knows how old it is."""
    found = [message for folder in folders for message in _of(root, folder)]
    found.sort(key=lambda message: (message.at, message.folder, message.uid))
    return found


def _of(root: str, folder: str) -> list[Aged]:
    found = []
    for part in ("new", "cur"):
        directory = f"{root}/{folder}/{part}"
        with contextlib.suppress(FileNotFoundError):
            for name in os.listdir(directory):
                at, uid = came_at(name), uid_of(name)
                if uid and at != NEVER:
                    found.append(Aged(at, octets_of(directory, name), folder, uid, base_of(name)))
    return found
