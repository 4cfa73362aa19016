"""The first folders of a mailbox, all at once: who logs in for the first time waits for no disk.

Subscriptions come last and say that all is there. What a kill or a loss of power takes away of it, or leaves half made,
is made again at the next login, as long as there are none.
"""

from emailgency.store.storing.listings import Listings
from emailgency.store.storing.maildir import Subfolder
from emailgency.store.storing.maildirs import Maildirs
from emailgency.store.storing.messages import Folders, Furnish
from emailgency.store.storing.replies import FolderList, Furnished
from emailgency.store.storing.tree import subscribe


def furnish(request: Furnish, maildirs: Maildirs, listings: Listings) -> tuple[Furnished, tuple[Subfolder, ...]]:
    """What was made, and what is to be synced soon. INBOX is made, and synced, in any case."""
    new = maildirs.get(request.mailbox) is None
    inbox = maildirs.make(request.mailbox)
    there = listings.answer(Folders(0, request.mailbox))
    assert isinstance(there, FolderList)
    if there.subscriptions or not {request.mailbox, *request.folders}.issuperset(there.folders):
        return Furnished(request.number, (request.mailbox,) if new else ()), ()
    folders = [maildirs.make(path, sync=False) for path in request.folders]
    subscribe(inbox.subfolder(""), sorted(request.subscriptions), sync=False)
    made = tuple(path for path in request.folders if path not in there.folders)
    return (
        Furnished(request.number, (request.mailbox, *made) if new else made),
        tuple((folder, "") for folder in (*folders, inbox)),
    )
