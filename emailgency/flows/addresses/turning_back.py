"""The way back of one address that a deed on many has changed: the row of the directory as it was before (row F1).

It is gone as soon as anybody has changed the address again: then undoing says so and leaves it alone. An undo that was
broken off may be done again, and goes on where it was.
"""

from typing import TYPE_CHECKING

import msgspec

from emailgency.flows.addresses.deciding import check_plan, entry_edits
from emailgency.model.bulk import Step
from emailgency.model.directory import Alias, DistributionList, Entry, Mailbox
from emailgency.model.errors import Invalid
from emailgency.model.words import Words

if TYPE_CHECKING:
    from emailgency.flows.addresses.mail_back import MailBack
    from emailgency.store.directory.changes import Author
    from emailgency.store.directory.directory import Directory

OUTRUN = Words("It was changed again since, and stays as it is.")


class TurningBack:
    """Raises Invalid, with why it stays as it is, and Temporary."""

    def __init__(self, directory: "Directory", mail: "MailBack") -> None:
        self._directory = directory
        self._mail = mail

    async def undo(self, author: "Author", step: Step) -> None:
        """Mail goes back first: until the directory follows, the next tidying would move it on again."""
        if await self.is_back(step):
            await self._follow(step)
            return
        await self._before(step)
        await self._mail.bring(step)
        async with self._directory.deciding:
            now, before = await self._before(step)
            entry = before or now
            assert entry is not None
            what = f"undone: {entry.address} is as it was"
            await self._directory.change(author, what, entry_edits(now, before), step.customer)
        await self._follow(step)

    async def is_back(self, step: Step) -> bool:
        """Whether the directory has the row of before; trouble, or a kill, may have kept the mail from following."""
        known = await self._directory.entry(step.customer, step.local)
        if known != _later(step.before, step.after):
            return False
        return not isinstance(step.after, Mailbox) or bool(known) or not await self._directory.mailbox(step.after.id)

    async def _follow(self, step: Step) -> None:
        if step.before is None and isinstance(step.after, Mailbox):
            await self._mail.take_away(step)

    async def _before(self, step: Step) -> tuple[Entry | None, Entry | None]:
        """What the address is, and what it would be again. Raises Invalid."""
        now = await self._directory.entry(step.customer, step.local)
        if now != step.after:
            raise Invalid(OUTRUN)
        before = _later(step.before, now)
        entries = await self._directory.entries(step.customer)
        mailboxes = {entry.id for entry in entries if isinstance(entry, Mailbox)}
        if not set(_leads_to(before)) <= mailboxes:
            raise Invalid("A mailbox that it leads to is no longer there.")
        if before is not None and _takes_more(now, before):
            plan = await self._directory.plan((await self._directory.customer(step.customer)).plan)
            check_plan(plan, [before, *(entry for entry in entries if entry != now)])
        if before is None and isinstance(now, Mailbox):
            for entry in entries:
                if now.id in _leads_to(entry):
                    raise Invalid("%(address)s leads to it by now.", address=str(entry.address))
        return now, before


def _takes_more(now: Entry | None, before: Entry) -> bool:
    """Of what the plan has room for: others may have it by now."""
    if isinstance(before, Mailbox) and isinstance(now, Mailbox):
        return before.vip and not now.vip
    return type(before) is not type(now)


def _leads_to(entry: Entry | None) -> tuple[str, ...]:
    """Ids of mailboxes."""
    if isinstance(entry, Alias):
        return (entry.mailbox,)
    return entry.members if isinstance(entry, DistributionList) else ()


def _later(before: Entry | None, now: Entry | None) -> Entry | None:
    """A generation never comes back: whoever was logged in by it would be again."""
    if isinstance(before, Mailbox) and isinstance(now, Mailbox) and before.generation != now.generation:
        return msgspec.structs.replace(before, generation=now.generation + 1)
    return before
