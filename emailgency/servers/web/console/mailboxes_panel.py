"""The panel Mailbox: all mailboxes of the customer, and deeds on many of them (rows A1, B3, B6, B8, F1)."""

from collections.abc import Awaitable, Callable
from functools import partial

from msgspec import Struct

from emailgency.flows.addresses import Addresses
from emailgency.flows.bulk import Bulk, step_of
from emailgency.flows.deciding import mailbox_at
from emailgency.flows.forget_mail import ForgetMail
from emailgency.flows.invitations import Invitations
from emailgency.flows.progress import silent
from emailgency.model.address import Address
from emailgency.model.bulk import Step
from emailgency.model.directory import Alias, Mailbox
from emailgency.model.errors import Invalid
from emailgency.model.words import Words
from emailgency.servers.web.console.deeds import named, on_own, on_ticked, own, ticked
from emailgency.servers.web.console.listing import listed
from emailgency.servers.web.console.routes import Answer, Asked, Away, Page, Route, Visitor, Who
from emailgency.store.directory import Directory

CHANGES = {
    "deny": ({"smtp_denied": True}, Words("Mailboxes may not send")),
    "allow": ({"smtp_denied": False}, Words("Mailboxes may send")),
    "vip": ({"vip": True}, Words("Mailboxes are VIP")),
    "no_vip": ({"vip": False}, Words("Mailboxes are no longer VIP")),
    "administrator": ({"administrator": True}, Words("Mailboxes have the administrator right")),
    "no_administrator": ({"administrator": False}, Words("Mailboxes have no administrator right any more")),
}


class Row(Struct, frozen=True):
    mailbox: Mailbox
    aliases: int


class MailboxesPanel:
    def __init__(
        self,
        directory: Directory,
        addresses: Addresses,
        forget_mail: ForgetMail,
        invitations: Invitations,
        bulk: Bulk,
        clock: Callable[[], float],
    ) -> None:
        self._directory = directory
        self._addresses = addresses
        self._forget_mail = forget_mail
        self._invitations = invitations
        self._bulk = bulk
        self._clock = clock

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/mailboxes", Who.ADMINISTRATOR, self.show),
            Route("POST", "/mailboxes", Who.ADMINISTRATOR, self.act),
            Route("POST", "/mailboxes/add", Who.ADMINISTRATOR, self.add),
        ]

    async def show(self, visitor: Visitor, asked: Asked) -> Answer:
        entries = await self._directory.entries(visitor.known.customer)
        aliases: dict[str, int] = {}
        for entry in entries:
            if isinstance(entry, Alias):
                aliases[entry.mailbox] = aliases.get(entry.mailbox, 0) + 1
        rows = [Row(entry, aliases.get(entry.id, 0)) for entry in entries if isinstance(entry, Mailbox)]
        listing = listed(
            rows,
            asked,
            lambda row: str(row.mailbox.address),
            {
                "address": lambda row: str(row.mailbox.address),
                "aliases": lambda row: row.aliases,
                "password": lambda row: row.mailbox.password is not None,
            },
        )
        return Page("mailboxes.html", {"listing": listing})

    async def add(self, visitor: Visitor, asked: Asked) -> Answer:
        mailbox = await self._addresses.add_mailbox(visitor.author, own(visitor, asked.one("local")))
        visitor.tell("success", str(mailbox.address))
        return Away(f"/mailboxes/{mailbox.address}")

    async def act(self, visitor: Visitor, asked: Asked) -> Answer:
        chosen, addresses = asked.one("deed"), ticked(asked)
        if chosen == "password":
            return await self._invite(visitor, addresses)
        if chosen == "remove":
            if not asked.one("sure"):
                return Page("sure.html", {"addresses": addresses, "deed": chosen, "path": "/mailboxes"})
            deed, words = self._remove(visitor), Words("Mailboxes are removed")
        elif chosen in CHANGES:
            changes, words = CHANGES[chosen]
            deed = self._change(visitor, changes)
        else:
            raise Invalid("Choose what to do.")
        return await on_ticked(visitor, addresses, self._bulk, on_own(visitor, deed), words, "/mailboxes")

    def _change(self, visitor: Visitor, changes: dict[str, bool]) -> Callable[[Address], Awaitable[Step | None]]:
        async def change(address: Address) -> Step | None:
            set_mailbox = partial(self._addresses.set_mailbox, visitor.author, address, **changes)
            return await step_of(self._directory, visitor.known.customer, address.local, set_mailbox)

        return change

    def _remove(self, visitor: Visitor) -> Callable[[Address], Awaitable[Step | None]]:
        async def remove(address: Address) -> None:
            mailbox = await mailbox_at(self._directory, address)
            await self._addresses.remove(visitor.author, mailbox.address)
            await self._forget_mail.of_mailbox(mailbox, silent)

        return remove

    async def _invite(self, visitor: Visitor, ticked: list[str]) -> Answer:
        """Row B2: who cannot be reached by mail now is shown with the way to set his password by hand (row B3)."""
        addresses = [own(visitor, text) for text in ticked]
        results = await self._invitations.invite(visitor.author, visitor.known.customer, addresses, self._clock())
        if done := [one.address for one in results if not one.fault]:
            visitor.tell("success", named(done))
        if failed := [one for one in results if one.fault]:
            return Page("by_hand.html", {"failed": failed})
        return Away("/mailboxes")
