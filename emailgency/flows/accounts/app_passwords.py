"""Passwords of one mail program each, random and shown once: what IMAP, POP3 and submission take from who has a second
factor, and may take from anybody (attack row 39). They open nothing in the browser.

They live as API tokens do: independent of the account's password, until whoever may change the mailbox removes them,
which cuts what they have opened.
"""

import secrets
from collections.abc import Callable

import msgspec
from msgspec import Struct

from emailgency.flows.addresses.deciding import entry_edits, mailbox_at
from emailgency.model.address import Address
from emailgency.model.directory import AppPassword, Mailbox
from emailgency.model.errors import Invalid
from emailgency.rules import spoken_secrets as spoken
from emailgency.store.directory.changes import Author
from emailgency.store.directory.directory import Directory
from emailgency.store.logins.uses import Use, Uses

MOST = 20  # of a mailbox
_NAME = 60  # characters


class AppPasswordLine(Struct, frozen=True):
    """One for people. `use` None: never, as far as we know."""

    kept: AppPassword
    use: Use | None


class AppPasswords:
    """Raises Invalid (in words for the person) and Temporary."""

    def __init__(self, directory: Directory, uses: Uses, clock: Callable[[], float]) -> None:
        self._directory = directory
        self._uses = uses
        self._clock = clock

    async def make(self, author: Author, address: Address, name: str) -> tuple[str, AppPassword]:
        """The password itself, which nobody can show again, and what is kept of it."""
        name = " ".join(name.split())[:_NAME]
        if not name:
            raise Invalid("Give the app password a name, so that you know it again.")
        secret = spoken.spelled(secrets.token_bytes(spoken.APP_PASSWORD))
        async with self._directory.deciding:
            mailbox = await mailbox_at(self._directory, address)
            if len(mailbox.app_passwords) >= MOST:
                raise Invalid("A mailbox has at most %(count)s app passwords.", count=MOST)
            kept = AppPassword(
                id=secrets.token_hex(4), name=name, hash=spoken.hashed(secret, mailbox.id), made_at=self._clock()
            )
            what = f"app password {kept.id} ({name}) of {mailbox.address} made"
            await self._put(author, mailbox, (*mailbox.app_passwords, kept), what)
        return secret, kept

    async def remove(self, author: Author, address: Address, id: str) -> AppPassword:
        """It opens nothing any more, and what it has opened is cut."""
        async with self._directory.deciding:
            mailbox = await mailbox_at(self._directory, address)
            found = next((one for one in mailbox.app_passwords if one.id == id), None)
            if found is None:
                raise Invalid("There is no such app password.")
            others = tuple(one for one in mailbox.app_passwords if one is not found)
            await self._put(author, mailbox, others, f"app password {id} ({found.name}) of {mailbox.address} removed")
        return found

    async def of(self, mailbox: Mailbox) -> list[AppPasswordLine]:
        """The newest first."""
        kept = mailbox.app_passwords[::-1]
        uses = await self._uses.of(mailbox.id, [one.id for one in kept])
        return [AppPasswordLine(one, use) for one, use in zip(kept, uses, strict=True)]

    async def _put(self, author: Author, before: Mailbox, kept: tuple[AppPassword, ...], what: str) -> None:
        after = msgspec.structs.replace(before, app_passwords=kept)
        await self._directory.change(author, what, entry_edits(before, after), before.customer)
