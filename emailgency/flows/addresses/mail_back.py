"""Mail of an unknown address that came along when it was promoted goes back to the catchall, when that is undone."""

from emailgency.flows.addresses.forget_mail import ForgetMail
from emailgency.flows.progress import silent
from emailgency.model.bulk import Step
from emailgency.model.directory import Alias, Mailbox
from emailgency.model.errors import Temporary
from emailgency.store import layout
from emailgency.store.directory import Directory
from emailgency.store.folder import Folder
from emailgency.store.folders import Folders


class MailBack:
    """Raises Temporary: some of it may still be where it was. It may be done again."""

    def __init__(self, directory: Directory, folders: Folders, forget: ForgetMail) -> None:
        self._directory = directory
        self._folders = folders
        self._forget = forget

    async def bring(self, step: Step) -> None:
        """All of a mailbox of its own; of an alias what had moved, as far as its user has left it where it was."""
        entry = step.after
        if isinstance(entry, Mailbox):
            await self._bring(entry, entry, None)
        elif isinstance(entry, Alias) and step.moved:
            mailbox = await self._directory.mailbox(entry.mailbox)
            if mailbox is not None:
                await self._bring(entry, mailbox, frozenset(step.moved))

    async def forget(self, mailbox: Mailbox) -> None:
        """Of a mailbox that is no more; its mail has been brought back."""
        await self._forget.of_mailbox(mailbox, silent)

    async def _bring(self, entry: Mailbox | Alias, mailbox: Mailbox, wanted: frozenset[int] | None) -> None:
        inbox = await self._folders.open(layout.mailbox(mailbox.customer, mailbox.id))
        if not isinstance(inbox, Folder):
            return
        uids = [uid for uid in inbox.uids if wanted is None or uid in wanted]
        if not uids:
            return
        place = layout.catchall(entry.customer, entry.address)
        catchall = await self._folders.create(place, quiet=True, address=str(entry.address))
        moved = await self._folders.copy(inbox, uids, catchall, move=True) if isinstance(catchall, Folder) else None
        if not isinstance(moved, list) or len(moved) < len(uids):
            raise Temporary(f"mail of {entry.address} could not be moved back")
