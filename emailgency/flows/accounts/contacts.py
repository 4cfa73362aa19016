"""Contact addresses of a customer: added, proven by a link in a mail, changed and removed (product row E4).

Until somebody at the address has used the link nothing else is mailed there, and an administrator can have only so many
links mailed: nobody's address is a target because somebody typed it (attack row 19).
"""

from collections.abc import Callable
from typing import Protocol

import msgspec
from msgspec import Struct

from emailgency.codec.address import as_addressed, parse
from emailgency.codec.mime.compose import Written
from emailgency.flows.accounts.customer_accounts import CustomerAccounts
from emailgency.flows.relaying.own_mail import OwnMail
from emailgency.model.directory import Contact, Customer, Notice
from emailgency.model.errors import Invalid
from emailgency.rules.rates import Rates
from emailgency.store.directory.changes import Author
from emailgency.store.logins.tickets import Tickets

MOST = 10  # contacts of a customer
LIFETIME = 604_800  # seconds a link is good
HOUR = 3600.0
_PER_ADDRESS, _PER_CUSTOMER = 3, 20  # links in an hour


class ContactLink(Struct, frozen=True):
    """What a token proves: that somebody reads this address, as a contact of this customer."""

    customer: str
    address: str
    until: float


class Writer(Protocol):
    """Puts the mail with the link in words."""

    def __call__(self, customer: Customer, address: str, token: str, days: int) -> Written: ...


class Contacts:
    """Raises Invalid (in words for the person) and Temporary."""

    def __init__(
        self,
        accounts: CustomerAccounts,
        links: Tickets[ContactLink],
        own_mail: OwnMail,
        write: Writer,
        clock: Callable[[], float],
    ) -> None:
        self._accounts = accounts
        self._links = links
        self._own_mail = own_mail
        self._write = write
        self._clock = clock
        self._by_address = Rates(_PER_ADDRESS / HOUR, _PER_ADDRESS)
        self._by_customer = Rates(_PER_CUSTOMER / HOUR, _PER_CUSTOMER)

    async def add(self, author: Author, customer: str, text: str) -> Contact:
        """A link is mailed to him."""
        before = await self._accounts.get(customer)
        contact = Contact(address=_wire(text))
        if any(_same(one, contact.address) for one in before.contacts):
            raise Invalid("%(address)s is a contact already", address=contact.address)
        if len(before.contacts) >= MOST:
            raise Invalid("There are at most %(count)s contacts.", count=MOST)
        self._check_rates(customer, contact.address)
        after = await self._accounts.set(
            author, customer, contacts=(*before.contacts, contact), what=f"contact {contact.address} added"
        )
        await self._mail(after, contact)
        return contact

    async def mail_again(self, customer: str, address: str) -> None:
        """Another link; the one before is good as well."""
        before = await self._accounts.get(customer)
        contact = _of(before, address)
        if contact.verified_at is not None:
            raise Invalid("%(address)s is verified already", address=contact.address)
        self._check_rates(customer, contact.address)
        await self._mail(before, contact)

    async def set(self, author: Author, customer: str, address: str, wants: tuple[Notice, ...]) -> None:
        """What he is told from now on."""
        before = await self._accounts.get(customer)
        contact = _of(before, address)
        words = ", ".join(notice.value for notice in wants) or "nothing"
        after = msgspec.structs.replace(contact, wants=wants)
        await self._replace(author, before, contact, after, f"contact {contact.address} is told of: {words}")

    async def remove(self, author: Author, customer: str, address: str) -> None:
        before = await self._accounts.get(customer)
        contact = _of(before, address)
        await self._replace(author, before, contact, None, f"contact {contact.address} removed")

    async def find(self, token: str) -> tuple[Customer, Contact] | None:
        """Whose address a link proves; None: it is worth nothing. It is worth as much afterwards."""
        return await self._proven(await self._links.find(token))

    async def confirm(self, token: str, ip: str) -> tuple[Customer, Contact] | None:
        """He is told things from now on. None: the link is worth nothing (any more)."""
        found = await self._proven(await self._links.take(token))
        if found is None:
            return None
        customer, contact = found
        verified = msgspec.structs.replace(contact, verified_at=self._clock())
        author = Author(contact.address, f"mailed link, console {ip}")
        await self._replace(author, customer, contact, verified, f"contact {contact.address} verified")
        return customer, verified

    async def _proven(self, link: ContactLink | None) -> tuple[Customer, Contact] | None:
        if link is None:
            return None
        try:
            customer = await self._accounts.get(link.customer)
            return customer, _of(customer, link.address)
        except Invalid:  # he, or the contact, was removed meanwhile
            return None

    async def _replace(
        self, author: Author, before: Customer, contact: Contact, after: Contact | None, what: str
    ) -> None:
        contacts = tuple(after if one is contact else one for one in before.contacts)
        await self._accounts.set(
            author, before.id, what=what, contacts=tuple(one for one in contacts if one is not None)
        )

    async def _mail(self, customer: Customer, contact: Contact) -> None:
        link = ContactLink(customer.id, contact.address, self._clock() + LIFETIME)
        token = await self._links.put(link, LIFETIME)
        written = self._write(customer, contact.address, token, LIFETIME // 86_400)
        await self._own_mail.send(customer, contact.address, written)

    def _check_rates(self, customer: str, address: str) -> None:
        now = self._clock()
        if not (self._by_customer.take(customer, now) and self._by_address.take(address.lower(), now)):
            raise Invalid("Too many links have been mailed. Try again in an hour.")


def _wire(text: str) -> str:
    """Raises Invalid."""
    parse(text)
    return as_addressed(text)


def _same(contact: Contact, address: str) -> bool:
    return contact.address.lower() == address.lower()


def _of(customer: Customer, address: str) -> Contact:
    found = next((one for one in customer.contacts if _same(one, address)), None)
    if found is None:
        raise Invalid("%(address)s is no contact of yours", address=address)
    return found
