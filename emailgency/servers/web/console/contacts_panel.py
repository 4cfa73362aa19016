"""The panel Notification: who is told what happens here, and the page behind the link that proves an address (E4)."""

from emailgency.flows.accounts.contacts import Contacts
from emailgency.model.directory import Notice
from emailgency.model.errors import Invalid
from emailgency.rules.contacts import is_outside, reachable
from emailgency.servers.web.console.routes import Answer, Asked, Away, Page, Route, Visitor, Who
from emailgency.store.directory.directory import Directory


class ContactsPanel:
    def __init__(self, directory: Directory, contacts: Contacts) -> None:
        self._directory = directory
        self._contacts = contacts

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/contacts", Who.ADMINISTRATOR, self.show),
            Route("POST", "/contacts/add", Who.ADMINISTRATOR, self.add),
            Route("POST", "/contacts", Who.ADMINISTRATOR, self.change),
            Route("GET", "/contact", Who.ANYBODY, self.ask),
            Route("POST", "/contact", Who.ANYBODY, self.confirm, proof=True),
        ]

    async def show(self, visitor: Visitor, asked: Asked) -> Answer:
        customer = await self._directory.customer(visitor.known.customer)
        facts = {
            "contacts": [(contact, is_outside(contact, customer)) for contact in customer.contacts],
            "reachable": reachable(customer),
            "notices": list(Notice),
        }
        return Page("contacts.html", facts)

    async def add(self, visitor: Visitor, asked: Asked) -> Answer:
        contact = await self._contacts.add(visitor.author, visitor.known.customer, asked.one("address").strip())
        visitor.tell("success", contact.address)
        return Away("/contacts")

    async def change(self, visitor: Visitor, asked: Asked) -> Answer:
        """One contact: what he is told, another link, or his end."""
        customer, address = visitor.known.customer, asked.one("address")
        match asked.one("deed"):
            case "save":
                wants = tuple(notice for notice in Notice if notice.value in asked.many("wants"))
                await self._contacts.set(visitor.author, customer, address, wants)
            case "mail":
                await self._contacts.mail_again(customer, address)
            case "remove":
                await self._contacts.remove(visitor.author, customer, address)
            case _:
                raise Invalid("Choose what to do.")
        visitor.tell("success", address)
        return Away("/contacts")

    async def ask(self, visitor: Visitor, asked: Asked) -> Answer:
        """Looking uses nothing up: programs that check links in mails do it too."""
        token = asked.given("token")
        found = await self._contacts.find(token)
        if found is None:
            return Page("contact_dead.html", status=410, secret=True)
        facts = {"token": token, "domain": found[0].domain, "address": found[1].address, "done": False}
        return Page("contact.html", facts, secret=True)

    async def confirm(self, visitor: Visitor, asked: Asked) -> Answer:
        found = await self._contacts.confirm(asked.one("token"), visitor.ip)
        if found is None:
            return Page("contact_dead.html", status=410, secret=True)
        facts = {"token": "", "domain": found[0].domain, "address": found[1].address, "done": True}
        return Page("contact.html", facts, secret=True)
