"""Candidates: unknown addresses that have had mail, until somebody decides what they are (product rows A4 to A6).

Tidying, every two minutes and at once by a button, finds them, moves the mail of those that have become something
meanwhile, and drops the old ones. Promotion changes the directory first, so that from then on new mail goes the new
way, and moves what was received afterwards; what races in between is moved by the next tidying.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from twisted.internet.task import deferLater
from twisted.logger import Logger

from emailgency.background import in_thread
from emailgency.codec.mime.letter import READ, Letter, letter, sender
from emailgency.flows.addresses.deciding import owner
from emailgency.flows.addresses.new_mailbox import furnish
from emailgency.model.address import Address
from emailgency.model.bulk import Step
from emailgency.model.directory import Alias, Banished, Entry, Mailbox
from emailgency.model.errors import Temporary
from emailgency.rules.candidates import too_old
from emailgency.store import layout
from emailgency.store.directory.directory import Gone
from emailgency.store.mailboxes.catchall import Candidate, beginnings, candidates, customers_with_catchall
from emailgency.store.mailboxes.folder import Folder

if TYPE_CHECKING:
    from emailgency.flows.addresses.addresses import Addresses
    from emailgency.flows.addresses.drop_for_address import DropForAddress
    from emailgency.flows.relaying.incidents import Incidents
    from emailgency.store.directory.changes import Author
    from emailgency.store.directory.directory import Directory
    from emailgency.store.mailboxes.folders import Folders

Moved = tuple[int, tuple[int, ...]]  # UIDVALIDITY of an INBOX, and the UIDs of what came into it
TIDY = 120.0  # seconds between two looks, row A6
_HEADER = 8192  # octets of a message in which its From is looked for
_AT_ONCE = 500  # candidates, or pending recipients, looked at before others have their turn
_LETTERS = 20  # messages of one address that are shown
_NOTHING: Moved = (0, ())


class CandidateFlow:
    """One for all customers. Raises Invalid (in words for who asked) and Temporary."""

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        clock: Callable[[], float],
        directory: "Directory",
        addresses: "Addresses",
        folders: "Folders",
        incidents: "Incidents",
        drop: "DropForAddress",
        names: Callable[[], Sequence[tuple[str, ...]]],
    ) -> None:
        """`names` gives the folders of a new mailbox, by the settings of now."""
        self._reactor = reactor
        self._clock = clock
        self._directory = directory
        self._addresses = addresses
        self._folders = folders
        self._incidents = incidents
        self._drop = drop
        self._names = names
        self._known: dict[str, dict[Address, Candidate]] = {}

    async def of(self, customer: str) -> list[Candidate]:
        """As of the last tidying, by address."""
        known = self._known.get(customer)
        return await self.tidy(customer) if known is None else list(known.values())

    async def senders(self, some: Sequence[Candidate]) -> list[str]:
        """Who wrote the newest message of each, as far as can be told."""
        return await in_thread(self._reactor, _senders, self._folders.root, [one.folder for one in some])

    async def letters(self, customer: str, address: Address) -> list[tuple[int, Letter]]:
        """The newest messages of an unknown address (or of one that became a list), with the second they came."""
        return await in_thread(self._reactor, _letters, self._folders.root, layout.catchall(customer, address))

    # ---- tidying -------------------------------------------------------------------------------------------

    async def tidy_all(self) -> None:
        """Every customer; trouble with one keeps none of the others."""
        for customer in await in_thread(self._reactor, customers_with_catchall, self._folders.root):
            try:
                await self.tidy(customer)
            except Gone:
                continue  # he has just been removed
            except Temporary as error:
                self._log.warn("catchall of {customer} not tidied: {error}", customer=customer, error=str(error))

    async def tidy(self, customer: str) -> list[Candidate]:
        """Find, sweep and drop; who is a candidate now, by address."""
        await self._directory.customer(customer)
        stay = []
        listed = await in_thread(self._reactor, _listed, self._folders.root, customer)
        known = {entry.address.local for entry in await self._directory.entries(customer)}
        waiting = set()
        for number, local in enumerate(self._drop.waiting(customer)):
            if number % _AT_ONCE == 0:
                await deferLater(self._reactor, 0)
            waiting.add(local)
        incident = self._incidents.current(customer) is not None
        for number, one in enumerate(listed):
            if number % _AT_ONCE == 0:
                await deferLater(self._reactor, 0)
            local = one.address.local
            entry = await self._directory.entry(customer, local) if local in known else None
            if isinstance(entry, Mailbox | Alias):
                await self._sweep(customer, one, entry)
            elif isinstance(entry, Banished):
                await self._folders.delete(one.folder)
            else:  # a candidate, or mail from before its address became a list (row A4)
                protected = incident or local in waiting  # row A4
                if too_old(one.last_at, self._clock(), protected):
                    if await self._folders.delete(one.folder, at_most=one.messages) is None:  # none has come since
                        self._log.info("candidate {address} dropped: no mail for long", address=str(one.address))
                elif one.messages and entry is None:
                    stay.append(one)
        self._known[customer] = {one.address: one for one in stay}
        return stay

    async def _sweep(self, customer: str, one: Candidate, entry: Mailbox | Alias) -> None:
        mailbox = entry if isinstance(entry, Mailbox) else await self._directory.mailbox(entry.mailbox)
        if mailbox is not None:
            await self._move(one.folder, mailbox)

    async def _move(self, source: str, mailbox: Mailbox) -> Moved:
        """All mail of a catchall folder into an INBOX, and the folder away, unless something has just come."""
        folder = await self._folders.open(source)
        if not isinstance(folder, Folder):
            return _NOTHING
        path = layout.mailbox(mailbox.customer, mailbox.id)
        await furnish(self._folders, path, self._names())
        inbox = await self._folders.create(path, quiet=True)
        if not isinstance(inbox, Folder):
            raise Temporary(f"the mailbox {mailbox.address} cannot be opened")
        uids = list(folder.uids)
        moved = await self._folders.copy(folder, uids, inbox, move=True)
        if not isinstance(moved, list) or len(moved) < len(uids):
            raise Temporary(f"mail of {mailbox.address} could not be moved")
        await self._folders.delete(source, at_most=0)
        self._log.info("{count} messages moved to {address}", count=len(moved), address=str(mailbox.address))
        return inbox.uidvalidity, tuple(uid for _, uid in moved)

    # ---- decisions -----------------------------------------------------------------------------------------

    async def to_mailbox(self, author: "Author", address: Address) -> Step:
        """A mailbox of its own; what has moved into it."""
        mailbox = await self._addresses.add_mailbox(author, address)
        return _step(mailbox, await self._moved(mailbox, mailbox))

    async def to_alias(self, author: "Author", address: Address, mailbox: Address) -> Step:
        """Another name of a mailbox; what has moved there."""
        alias = await self._addresses.add_alias(author, address, mailbox)
        target = await self._directory.mailbox(alias.mailbox)
        return _step(alias, await self._moved(alias, target) if target else _NOTHING)

    async def to_list(self, author: "Author", address: Address, members: list[Address]) -> Step:
        """Row A4: mail already received does not move; it stays readable until it expires."""
        entry = await self._addresses.add_list(author, address, members)
        self._forget(entry.customer, entry.address)
        return _step(entry)

    async def banish(self, author: "Author", address: Address) -> Step | None:
        """Its stored and pending mail is dropped, for good. None: it was something else than unknown before."""
        unknown = await self._directory.entry((await owner(self._directory, address))[0].id, address.local) is None
        entry = await self._addresses.banish(author, address)
        await self._folders.delete(layout.catchall(entry.customer, entry.address))
        await self._drop.drop(entry.customer, entry.address)
        self._forget(entry.customer, entry.address)
        return _step(entry, lost=True) if unknown else None

    async def _moved(self, entry: Mailbox | Alias, mailbox: Mailbox) -> Moved:
        self._forget(entry.customer, entry.address)
        try:
            return await self._move(layout.catchall(entry.customer, entry.address), mailbox)
        except Temporary as error:  # the decision stands: the next tidying moves the mail
            self._log.warn("mail of {address} moves later: {error}", address=str(entry.address), error=str(error))
            return _NOTHING

    def _forget(self, customer: str, address: Address) -> None:
        self._known.get(customer, {}).pop(address, None)


def _step(entry: Entry, moved: Moved = _NOTHING, lost: bool = False) -> Step:
    """From an unknown address."""
    return Step(entry.customer, entry.address.local, None, entry, moved[1], lost, moved[0])


def _listed(root: str, customer: str) -> list[Candidate]:
    # by text: comparing addresses themselves holds every other thread up until all of them are in order
    return sorted(candidates(root, customer), key=lambda one: str(one.address))


def _senders(root: str, folders: list[str]) -> list[str]:
    newest = (beginnings(root, folder, 1, _HEADER) for folder in folders)
    return [sender(found[0][1]) if found else "" for found in newest]


def _letters(root: str, folder: str) -> list[tuple[int, Letter]]:
    return [(at, letter(octets)) for at, octets in beginnings(root, folder, _LETTERS, READ)]
