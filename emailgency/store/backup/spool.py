"""The spool journal and its messages, copied while the storer appends, ends and unlinks.

A pass ends with a journal as it was at one moment, and with the octets of every message that was live at that moment.
It works because segments only grow, are unlinked oldest first, and a message's Ended is written before its .msg goes:
a .msg that is missing after we read the journal has ended since, and reading the journal again says so.
"""

import os

from emailgency.store import layout
from emailgency.store.backup.files import Copier, names
from emailgency.store.spool import replay

MOST_ROUNDS = 100  # each round copies what came during the last; a round without news takes milliseconds


def copy_spool(copier: Copier) -> list[str]:
    """One pass; a second one copies only what is new. Gives problems in words: what the source itself has lost."""
    copier.make_folder(layout.JOURNAL)
    lost: set[str] = set()
    for _ in range(MOST_ROUNDS):
        _copy_journal(copier)
        journal = read_journal(copier.target)
        missing = _copy_messages(copier, set(journal.live))
        if missing <= lost:  # two moments of the journal want them, and they are not there
            break
        lost = missing
    _drop_ended(copier, set(journal.live))
    return journal.complaints + [f"the octets of message {id} are lost" for id in sorted(missing)]


def read_journal(root: str) -> replay.Replayed:
    """What the spool journal says is live. What cannot be read is put into the corrupt folder of `root`."""
    state = replay.Replayed({}, 0, [])
    for name in names(os.path.join(root, layout.JOURNAL)):
        state.segment = int(name.partition(".")[0])
        for record in replay.read_segment(root, name, state.complaints):
            replay.apply(record, state)
    return state


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


def _drop_ended(copier: Copier, ids: set[str]) -> None:
    """An earlier pass may have copied messages that have ended since."""
    wanted = {layout.message(id) for id in ids}
    spool = os.path.join(copier.target, layout.SPOOL)
    for hour in names(spool):
        for name in names(os.path.join(spool, hour)):
            path = f"{layout.SPOOL}/{hour}/{name}"
            if name.endswith(".msg") and path not in wanted:
                copier.remove(path)
