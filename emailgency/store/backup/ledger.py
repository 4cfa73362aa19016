"""The ledgers of a data folder, copied while their process writes: each is of one moment, as SQLite sees to it.

How far the process had read the spool journal is not copied: from the restored journal it reads all there is, and what
it has already stays as it is.
"""

import os
import sqlite3
from contextlib import closing
from urllib.parse import quote

from emailgency.store import layout
from emailgency.store.backup.files import Copier, names, private


def copy_ledgers(copier: Copier) -> list[str]:
    """After the spool, or what was forgotten there meanwhile would be in neither. Returns what could not be copied."""
    problems = []
    copier.make_folder(layout.LEDGER)
    for name in names(os.path.join(copier.source, layout.LEDGER)):
        if name.endswith(".sqlite"):
            path = os.path.join(layout.LEDGER, name)
            try:
                _copy(copier, path)
            except sqlite3.Error as error:
                copier.remove(path)
                problems.append(f"{path}: {error}")
    return problems


def _copy(copier: Copier, path: str) -> None:
    source, target = (os.path.join(root, path) for root in (copier.source, copier.target))
    open(target, "wb", opener=private).close()  # ours alone before anything is in it
    with (
        closing(sqlite3.connect(f"file:{quote(source)}?mode=ro", uri=True, timeout=10.0)) as here,
        closing(sqlite3.connect(target)) as there,
    ):
        here.backup(there)
        there.execute("PRAGMA journal_mode = DELETE")  # one file, whole by itself
    copier.files += 1
    copier.octets += os.path.getsize(target)
