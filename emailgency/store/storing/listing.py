"""Open and Vanished: what is in a folder, and what was."""

from emailgency.store.storing import keywords
from emailgency.store.storing.maildir import Maildir
from emailgency.store.storing.messages import Vanished
from emailgency.store.storing.replies import Gone, Opened, Unchanged


def opened(number: int, folder: Maildir, token: str = "") -> Opened | Unchanged:
    """List the folder; with the token of the last list only when somebody else changed it meanwhile."""
    if folder.names is None or folder.changed():
        folder.look()
    assert folder.names is not None
    if token and token == folder.token():
        return Unchanged(number)
    folder.date_changes()
    uids = sorted(folder.names)
    return Opened(
        number,
        folder.path,
        folder.uids.validity,
        folder.uids.next,
        folder.token(),
        tuple(folder.names[uid] for uid in uids),
        keywords.read(folder),
        folder.modseqs.column(uids),
        folder.uids.highest,
    )


def vanished(request: Vanished, folder: Maildir) -> Gone:
    """By UID, each once."""
    found = folder.modseqs.vanished(request.since)
    return Gone(request.number, found is not None, tuple(sorted(set(found or ()))))
