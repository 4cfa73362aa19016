"""Setting a password by a link in a mail (row B2, attack row 19).

The administrator invites, or somebody says that he has forgotten his password. The mail goes to the mailbox's usual
address as the directory has it, whatever was typed, and only to the customer's own server. The link leads to the
alternate domain of the directory. Whether an address exists is told to nobody.
"""

import secrets
from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct
from twisted.logger import Logger

from emailgency.codec.address import parse, wire
from emailgency.codec.mime.compose import Letterhead, Written, compose
from emailgency.flows.accounts.passwords import Passwords
from emailgency.flows.addresses.deciding import mailbox_at
from emailgency.flows.relaying.hand_over import HandOver, Letter
from emailgency.model.address import Address
from emailgency.model.directory import Alias, Customer, Mailbox
from emailgency.model.errors import Invalid
from emailgency.rules.networks import network
from emailgency.rules.rates import Rates
from emailgency.rules.routing import POSTMASTER
from emailgency.store.directory.changes import Author
from emailgency.store.directory.directory import Directory
from emailgency.store.logins.password_links import PasswordLink, PasswordLinks, PasswordLinkSettings

HOUR = 3600.0


class Writer(Protocol):
    """Puts it in words."""

    def __call__(self, customer: Customer, address: Address, token: str, purpose: str, seconds: int) -> Written: ...


class Sent(Struct, frozen=True):
    """What became of one invitation. `fault` "": the customer's server has it."""

    address: str
    fault: str


class Invitations:
    """Raises Invalid (in words for the person) and Temporary."""

    _log = Logger()

    def __init__(
        self,
        directory: Directory,
        passwords: Passwords,
        links: PasswordLinks,
        hand_over: HandOver,
        write: Writer,
        host_name: str,
        settings: PasswordLinkSettings,
    ) -> None:
        self._directory = directory
        self._passwords = passwords
        self._links = links
        self._hand_over = hand_over
        self._write = write
        self._host_name = host_name
        self._by_address, self._by_mailbox, self._by_network, self._all = (Rates(0, 0) for _ in range(4))
        self.adopt(settings)

    def adopt(self, settings: PasswordLinkSettings) -> None:
        """These settings from now on; links that were mailed are good for as long as they were told."""
        self._settings = settings
        for rates, count in (
            (self._by_address, settings.per_address),
            (self._by_mailbox, settings.per_address),
            (self._by_network, settings.per_network),
            (self._all, settings.total),
        ):
            rates.per_second, rates.at_once = count / HOUR, count

    async def invite(self, author: Author, customer: str, addresses: Sequence[Address], now: float) -> list[Sent]:
        """One result an address. Invalid: one of them is no mailbox, and nobody was invited."""
        mailboxes = [await mailbox_at(self._directory, address) for address in addresses]
        results = await self._mail(await self._directory.customer(customer), mailboxes, "invitation", now)
        invited = [one.address for one in results if not one.fault]
        if invited:
            what = f"invitation to set a password mailed to {', '.join(invited)}"
            await self._directory.change(author, what, (), customer)
        return results

    def may_ask(self, name: str, ip: str, now: float) -> bool:
        """Whether this request is heard, whoever it is for. Known and unknown addresses count the same."""
        limits = ((self._by_network, network(ip)), (self._by_address, name.lower()), (self._all, ""))
        return all(rates.take(key, now) for rates, key in limits)

    async def reset(self, name: str, ip: str, now: float) -> None:
        """Mail a link, if `name` is a mailbox or an alias of one. Nobody who asked waits for this."""
        mailbox = await self._named(name)
        if mailbox is None or not self._by_mailbox.take(mailbox.id, now):
            self._log.info("password link refused: {name} from {ip}", name=repr(name[:200]), ip=ip)
            return
        customer = await self._directory.customer(mailbox.customer)
        [sent] = await self._mail(customer, [mailbox], "reset", now)
        if not sent.fault:
            who = Author(f"a request for {mailbox.address}", f"console {ip}")
            what = f"link to set a new password mailed to {mailbox.address}"
            await self._directory.change(who, what, (), customer.id)

    async def find(self, token: str) -> Mailbox | None:
        """Whose password a link would set; None: it is worth nothing. It is worth as much afterwards."""
        return await self._mailbox(await self._links.find(token))

    async def redeem(self, token: str, password: str, ip: str) -> Mailbox | None:
        """Set the password and end all sessions of the mailbox. None: the link is worth nothing (any more).

        Invalid: the password is not good enough, and the link is as good as before.
        """
        mailbox = await self.find(token)
        if mailbox is None:
            return None
        encoded = await self._passwords.hashed(password)
        link = await self._links.take(token)
        if link is None or link.mailbox != mailbox.id:
            return None
        author = Author(str(mailbox.address), f"mailed link, console {ip}")
        return await self._passwords.put(author, mailbox.address, encoded, link.generation)

    async def _mail(self, customer: Customer, mailboxes: Sequence[Mailbox], purpose: str, now: float) -> list[Sent]:
        seconds = self._settings.invitation if purpose == "invitation" else self._settings.reset
        tokens = [await self._links.make(mailbox.id, mailbox.generation, seconds) for mailbox in mailboxes]
        letters = [
            self._letter(customer, mailbox, token, purpose, seconds, now)
            for mailbox, token in zip(mailboxes, tokens, strict=True)
        ]
        faults = await self._hand_over.give(customer, letters)
        for mailbox, token, fault in zip(mailboxes, tokens, faults, strict=True):
            if fault:
                await self._links.forget(token)
            self._log.info(
                "password link ({purpose}) for {recipient}: {result}",
                purpose=purpose,
                recipient=str(mailbox.address),
                result=repr(fault) if fault else "relayed",
            )
        return [Sent(str(mailbox.address), fault) for mailbox, fault in zip(mailboxes, faults, strict=True)]

    def _letter(
        self, customer: Customer, mailbox: Mailbox, token: str, purpose: str, seconds: int, now: float
    ) -> Letter:
        def write() -> bytes:
            head = Letterhead(
                author=customer.domain,
                sender=f"{POSTMASTER}@{customer.alternate_domain}",
                recipient=wire(mailbox.address),
                message_id=f"{secrets.token_hex(16)}@{self._host_name}",
                at=now,
            )
            return compose(head, self._write(customer, mailbox.address, token, purpose, seconds))

        return Letter(wire(mailbox.address), write)

    async def _mailbox(self, link: PasswordLink | None) -> Mailbox | None:
        """Of a link whose mailbox has had no other password since."""
        mailbox = await self._directory.mailbox(link.mailbox) if link else None
        return mailbox if mailbox is not None and link is not None and mailbox.generation == link.generation else None

    async def _named(self, name: str) -> Mailbox | None:
        try:
            address = parse(name)
        except Invalid:
            return None
        domain = await self._directory.domain(address.domain)
        entry = await self._directory.entry(domain.customer, address.local) if domain else None
        if isinstance(entry, Alias):
            entry = await self._directory.mailbox(entry.mailbox)
        return entry if isinstance(entry, Mailbox) else None
