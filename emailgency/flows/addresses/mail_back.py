"""Mail of an unknown address that came along when it was promoted goes back to the catchall, when that is undone."""

from emailgency.flows.addresses.forget_mail import ForgetMail
from emailgency.model.bulk import Step
from emailgency.model.directory import Alias, Mailbox
from emailgency.model.errors import Invalid, Temporary
from emailgency.store import layout
from emailgency.store.directory.directory import Directory
from emailgency.store.mailboxes.folder import Folder
from emailgency.store.mailboxes.folders import Folders

_TRIES = 20  # mail on its way when its address became unknown is there with the storer's next turn


class MailBack:
    """Raises Temporary: some of it may still be where it was. It may be done again."""

    def __init__(self, directory: Directory, folders: Folders, forget: ForgetMail) -> None:
        self._directory = directory
        self._folders = folders
        self._forget = forget

    async def bring(self, step: Step) -> None:
        """All of a mailbox of its own; of an alias what had moved, as far as its user has left it where it was.

        Raises Invalid: under the UIDs of what had moved there may be other mail by now, the user's own.
        """
        entry = step.after
        if isinstance(entry, Mailbox):
            await self._bring_all(entry)
        elif isinstance(entry, Alias) and step.moved:
            mailbox = await self._directory.mailbox(entry.mailbox)
            if mailbox is None:
                return
            inbox = await self._folders.open(layout.mailbox(mailbox.customer, mailbox.id))
            if not isinstance(inbox, Folder) or inbox.uidvalidity != step.validity:
                raise Invalid("The mailbox was begun anew since: its mail stays where it is.")
            moved = frozenset(step.moved)
            await self._bring(entry, inbox, [uid for uid in inbox.uids if uid in moved])

    async def take_away(self, step: Step) -> None:
        """The mailbox itself, which the directory does not know any more; what still comes is brought back, too."""
        assert isinstance(step.after, Mailbox)
        path = layout.mailbox(step.after.customer, step.after.id)
        for _ in range(_TRIES):
            await self._bring_all(step.after)
            if await self._forget.of_empty_mailbox(path):
                return
        raise Temporary(f"the mailbox {step.after.address} does not become empty")

    async def _bring_all(self, mailbox: Mailbox) -> None:
        for path in (await self._folders.listing(layout.mailbox(mailbox.customer, mailbox.id))).folders:
            folder = await self._folders.open(path)
            if isinstance(folder, Folder):
                await self._bring(mailbox, folder, list(folder.uids))

    async def _bring(self, entry: Mailbox | Alias, source: Folder, uids: list[int]) -> None:
        if not uids:
            return
        place = layout.catchall(entry.customer, entry.address)
        catchall = await self._folders.create(place, quiet=True, address=str(entry.address))
        moved = await self._folders.copy(source, uids, catchall, move=True) if isinstance(catchall, Folder) else None
        if not isinstance(moved, list) or len(moved) < len(uids):
            raise Temporary(f"mail of {entry.address} could not be moved back")
