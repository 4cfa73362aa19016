"""Telling the contacts of a customer what happens here, and a user what happens to his mailbox (rows B5, E4, G7)."""

from typing import Protocol

from twisted.logger import Logger

from emailgency.background import background
from emailgency.codec.address import wire
from emailgency.codec.mime.compose import Written
from emailgency.flows.relaying.own_mail import OwnMail
from emailgency.flows.upkeep.expire import Told
from emailgency.model.directory import Customer, Mailbox, Notice, Plan
from emailgency.model.domain_check import DnsChange
from emailgency.model.incident import Incident
from emailgency.rules import contacts
from emailgency.rules.expiry import chosen_delay
from emailgency.store.directory.directory import Directory
from emailgency.store.experience.once import Once

HOUR = 3600.0
WEEK = 604_800  # seconds in which nobody is told the same of the same mailbox again


class Writer(Protocol):
    """Puts it in words, in the customer's language. `facts` are what the template of this notice shows."""

    def __call__(self, customer: Customer, notice: Notice, facts: dict[str, object]) -> Written: ...


class Notices:
    """Raises Temporary."""

    _log = Logger()

    def __init__(self, directory: Directory, own_mail: OwnMail, once: Once, write: Writer) -> None:
        self._directory = directory
        self._own_mail = own_mail
        self._once = once
        self._write = write

    async def tell(self, customer: Customer, notice: Notice, facts: dict[str, object], *besides: str) -> int:
        """Mail every contact who wants to know, and `besides` (addresses in wire form); how many letters went."""
        recipients = dict.fromkeys([*(contact.address for contact in contacts.told(customer, notice)), *besides])
        if not recipients or customer.suspended:
            return 0
        written = self._write(customer, notice, facts)
        for recipient in recipients:
            id = await self._own_mail.send(customer, recipient, written)
            words = "{id} notice ({notice}) of {customer} to {recipient}"
            self._log.info(words, id=id, notice=notice.value, customer=customer.domain, recipient=ascii(recipient))
        return len(recipients)

    def of_incident(self, incident: Incident) -> None:
        """The customer's server does not answer, or what waited for it is given back."""
        background("telling of an incident", self._of_incident(incident))

    async def _of_incident(self, incident: Incident) -> None:
        """A server that comes and goes all the time is told of once an hour."""
        down = incident.ended_at is None
        if not await self._once.first(f"server:{incident.customer}:{'down' if down else 'back'}", int(HOUR)):
            return
        facts: dict[str, object] = {
            "down": down,
            "reason": incident.reason,
            "began_at": incident.began_at,
            "ended_at": incident.ended_at,
        }
        await self.tell(await self._directory.customer(incident.customer), Notice.SERVER, facts)

    def of_drift(self, change: DnsChange) -> None:
        """What the DNS says of one of his domains is no longer in order (row G7)."""
        if change.worse:
            background("telling of a change in the DNS", self._of_drift(change))

    async def _of_drift(self, change: DnsChange) -> None:
        """A record that comes and goes all the time is told of once an hour."""
        if not await self._once.first(f"dns:{change.customer}:{change.domain}:{change.kind}", int(HOUR)):
            return
        facts: dict[str, object] = {
            "name": change.domain,
            "kind": change.kind,
            "at": change.at,
            "words": change.words,
            "before": change.before or (),
            "after": change.after,
        }
        await self.tell(await self._directory.customer(change.customer), Notice.DNS, facts)

    async def of_mailbox(self, mailbox: Mailbox, plan: Plan, told: Told) -> None:
        """It is full, or its delay was shortened: once a week is enough."""
        notice = Notice.QUOTA if told.days is None else Notice.SHORTENED
        if not await self._once.first(f"{notice.value}:{mailbox.id}", WEEK):
            return
        customer = await self._directory.customer(mailbox.customer)
        facts: dict[str, object] = {
            "address": str(mailbox.address),
            "octets": told.octets,
            "quota": told.quota,
            "days": told.days,
            "chosen": chosen_delay(mailbox, plan),
        }
        await self.tell(customer, notice, facts, wire(mailbox.address))
