"""Who is told what happens at a customer's: each has proven his address by a link in a mail (row E4)."""

from typing import Any

from msgspec import UNSET, Struct, UnsetType

from emailgency.flows.accounts.contacts import Contacts
from emailgency.model.directory import Contact, Customer, Notice
from emailgency.rules.contacts import is_outside, reachable
from emailgency.servers.web.api.operation import Call, Caller, Created, Missing, Operation, Who
from emailgency.store.directory.directory import Directory


class ContactShape(Struct, frozen=True, kw_only=True):
    """`verified_at` null: he has not followed the link yet, and is told nothing. `outside`: his address is in none of
    the customer's own domains, so he hears also when their server is down.
    """

    address: str
    verified_at: float | None
    wants: list[Notice]
    outside: bool


class ContactList(Struct, frozen=True, kw_only=True):
    """`reachable`: somebody outside would hear that the server is down."""

    items: list[ContactShape]
    reachable: bool


class NewContact(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    address: str


class ContactChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    wants: list[Notice] | UnsetType = UNSET


class ContactOperations:
    def __init__(self, directory: Directory, contacts: Contacts) -> None:
        self._directory = directory
        self._contacts = contacts

    def operations(self) -> list[Operation]:
        same: dict[str, Any] = {"who": Who.ADMINISTRATOR, "tag": "Contacts"}
        one, all_ = "/contacts/<address>", "/contacts"
        return [
            Operation(
                method="GET",
                path=all_,
                deed=self.list_contacts,
                summary="Who is told what",
                answer=ContactList,
                **same,
            ),
            Operation(
                method="POST",
                path=all_,
                deed=self.add_contact,
                summary="Mail somebody a link; once he has followed it he is told things",
                answer=ContactShape,
                body=NewContact,
                makes=True,
                **same,
            ),
            Operation(
                method="PATCH",
                path=one,
                deed=self.change_contact,
                summary="Choose what he is told",
                answer=ContactShape,
                body=ContactChange,
                **same,
            ),
            Operation(method="POST", path=f"{one}/link", deed=self.mail_link, summary="Mail him another link", **same),
            Operation(method="DELETE", path=one, deed=self.remove_contact, summary="He is told nothing more", **same),
        ]

    async def list_contacts(self, caller: Caller, call: Call) -> ContactList:
        customer = await self._directory.customer(caller.customer)
        return ContactList(items=[_shape(one, customer) for one in customer.contacts], reachable=reachable(customer))

    async def add_contact(self, caller: Caller, call: Call) -> Created:
        contact = await self._contacts.add(caller.author, caller.customer, call.body.address.strip())
        customer = await self._directory.customer(caller.customer)
        return Created(_shape(contact, customer), f"/contacts/{contact.address}")

    async def change_contact(self, caller: Caller, call: Call) -> ContactShape:
        contact = (await self._contact(caller, call))[1]
        if call.body.wants is not UNSET:
            wants = tuple(notice for notice in Notice if notice in call.body.wants)
            await self._contacts.set(caller.author, caller.customer, contact.address, wants)
        customer, contact = await self._contact(caller, call)
        return _shape(contact, customer)

    async def mail_link(self, caller: Caller, call: Call) -> None:
        contact = (await self._contact(caller, call))[1]
        await self._contacts.mail_again(caller.customer, contact.address)

    async def remove_contact(self, caller: Caller, call: Call) -> None:
        contact = (await self._contact(caller, call))[1]
        await self._contacts.remove(caller.author, caller.customer, contact.address)

    async def _contact(self, caller: Caller, call: Call) -> tuple[Customer, Contact]:
        customer, address = await self._directory.customer(caller.customer), call.path["address"].lower()
        found = next((one for one in customer.contacts if one.address.lower() == address), None)
        if found is None:
            raise Missing
        return customer, found


def _shape(contact: Contact, customer: Customer) -> ContactShape:
    return ContactShape(
        address=contact.address,
        verified_at=contact.verified_at,
        wants=list(contact.wants),
        outside=is_outside(contact, customer),
    )
