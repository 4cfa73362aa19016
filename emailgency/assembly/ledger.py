"""The ledger, put together: who tells it what, and what waits for it (product row G3)."""

from collections.abc import Callable
from typing import Any, Protocol

from emailgency.flows.receiving.receive import Reception
from emailgency.model.directory import OPERATOR
from emailgency.settings import Settings
from emailgency.store.directory.changes import Change, row
from emailgency.store.directory.directory import Directory
from emailgency.store.ledger.ledger import Ledger
from emailgency.store.mailboxes.folders import Folders
from emailgency.store.spool.spool import Spool


class LedgerParts(Protocol):
    """What it hears from."""

    clock: Callable[[], float]
    directory: Directory
    folders: Folders
    reception: Reception
    spool: Spool
    submission: Any


def ledger(parts: LedgerParts, reactor: Any, settings: Settings) -> Ledger:
    """To be started when the spool is awake; made before it, so that nothing it has not read goes."""

    async def known() -> frozenset[str]:
        return frozenset((OPERATOR, *(one.id for one in await parts.directory.customers())))

    made = Ledger(reactor, settings.data, parts.clock, settings.ledger, known)
    parts.spool.needed = made.needed
    parts.folders.touched = made.touched
    parts.reception.dropped = parts.submission.dropped = made.dropped

    def changed(change: Change) -> None:
        for edit in change.edits:
            if edit.table == "customer" and row(edit.after) is None:
                made.forget(edit.key)

    parts.directory.listeners.append(changed)
    return made
