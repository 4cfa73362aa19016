"""Open: what is in a folder."""

from emailgency.store.storing import keywords
from emailgency.store.storing.maildir import Maildir
from emailgency.store.storing.messages import Opened, Unchanged


def opened(number: int, folder: Maildir, token: str = "") -> Opened | Unchanged:
    """List the folder; with the token of the last list only when somebody else changed it meanwhile."""
    if folder.names is None or folder.changed():
        folder.look()
    assert folder.names is not None
    if token and token == folder.token():
        return Unchanged(number)
    return Opened(
        number,
        folder.path,
        folder.uids.validity,
        folder.uids.next,
        folder.token(),
        tuple(folder.names[uid] for uid in sorted(folder.names)),
        keywords.read(folder),
    )
