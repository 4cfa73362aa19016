"""The spool journal and its messages, copied while the storer appends, ends and unlinks.

A pass ends with a journal as it was at one moment, and with the octets of every message that was live at that moment.
It works because segments only grow, are unlinked oldest first, and a message's Ended is written before its .msg goes:
a .msg that is missing after we read the journal has ended since, and reading the journal again says so.
"""

import os

from emailgency.codec import records
from emailgency.store import layout, spool_records
from emailgency.store.backup_files import Copier, names

MOST_ROUNDS = 100  # each round copies what came during the last; a round without news takes milliseconds


def copy_spool(copier: Copier) -> list[str]:
    """One pass; a second one copies only what is new. Gives problems in words: messages the source itself has lost."""
    copier.make_folder(layout.JOURNAL)
    lost: set[str] = set()
    for _ in range(MOST_ROUNDS):
        _copy_journal(copier)
        missing = _copy_messages(copier, live(copier.target))
        if missing <= lost:  # two moments of the journal want them, and they are not there
            break
        lost = missing
    _drop_ended(copier)
    return [f"spool: the octets of message {id} are lost" for id in sorted(missing)]


def live(root: str) -> set[str]:
    """Ids of the messages of a spool journal that have not ended. Raises records.Corrupt, msgspec.ValidationError."""
    ids: set[str] = set()
    for name in names(os.path.join(root, layout.JOURNAL)):
        reader = records.Reader()
        with open(os.path.join(root, layout.JOURNAL, name), "rb") as file:
            for line in reader.feed(file.read()):
                record = spool_records.decode(line)
                if isinstance(record, spool_records.Accepted):
                    ids.add(record.envelope.id)
                elif isinstance(record, spool_records.Ended | spool_records.Void):
                    ids.difference_update(record.ids)
    return ids


def _copy_journal(copier: Copier) -> None:
    """Until the segments stay the same ones during a reading of all of them."""
    source = os.path.join(copier.source, layout.JOURNAL)
    target = os.path.join(copier.target, layout.JOURNAL)
    for _ in range(MOST_ROUNDS):
        segments = names(source)
        for name in names(target):
            if name not in segments:
                copier.remove(f"{layout.JOURNAL}/{name}")
        try:
            for name in segments:
                copier.extend(f"{layout.JOURNAL}/{name}")
        except FileNotFoundError:
            continue
        if names(source) == segments:
            return


def _copy_messages(copier: Copier, ids: set[str]) -> set[str]:
    """Gives the ids whose file has gone."""
    missing = set()
    for id in ids:
        path = layout.message(id)
        if os.path.exists(os.path.join(copier.target, path)):
            continue
        copier.make_folder(os.path.dirname(path))
        try:
            copier.copy(path)
        except FileNotFoundError:
            missing.add(id)
    return missing


def _drop_ended(copier: Copier) -> None:
    """An earlier pass may have copied messages that have ended since."""
    wanted = {layout.message(id) for id in live(copier.target)}
    spool = os.path.join(copier.target, layout.SPOOL)
    for hour in names(spool):
        for name in names(os.path.join(spool, hour)):
            path = f"{layout.SPOOL}/{hour}/{name}"
            if name.endswith(".msg") and path not in wanted:
                copier.remove(path)
