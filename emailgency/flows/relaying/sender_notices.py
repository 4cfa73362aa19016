"""One friendly word to a sender whose message waits for a server that is down, once in an incident (row "Senders").

Without this switched on senders hear nothing of a delay: their mail can be read here. Told are senders of what has
waited for some time, so that a short trouble makes no letters; rules.sender_notice says who is told at all.
"""

from collections import deque
from collections.abc import Callable
from hashlib import sha256
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct
from twisted.logger import Logger

from emailgency.codec.mime import addresses, headers
from emailgency.flows.accounts.chosen_customers import ChosenCustomers
from emailgency.flows.relaying import octets
from emailgency.model.directory import Customer
from emailgency.model.envelope import Deliver, Envelope, Recipient, Relay
from emailgency.model.errors import Temporary
from emailgency.rules.rates import Rates
from emailgency.rules.sender_notice import FIELDS, why_not

if TYPE_CHECKING:
    from emailgency.codec.mime.compose import Written
    from emailgency.flows.relaying.incidents import Incidents
    from emailgency.flows.relaying.own_mail import OwnMail
    from emailgency.model.incident import Incident
    from emailgency.store.experience.once import Once
    from emailgency.store.spool.live import Live
    from emailgency.store.spool.spool import Spool

LOOK = 60.0  # seconds between two looks at who is to be told
MINUTE = 60.0
_REMEMBERED = 90 * 86_400  # seconds; longer than an incident
_YOUNG = 20_000  # messages whose senders may have to be told
_AT_ONCE = 100  # messages in one look
_NAMES = headers.wanted(name.encode() for name in FIELDS)
_PEOPLE = headers.wanted((b"to", b"cc"))

Writer = Callable[[Customer, dict[str, object]], "Written"]


class SenderNoticeSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Notices to senders while a customer's server is down, where that is switched on."""

    after: Annotated[float, Meta(ge=0, description="Minutes a message has waited when its sender is told")] = 15.0
    per_hour: Annotated[int, Meta(ge=1, description="Notices for one customer an hour; the others are not sent")] = 200


class SenderNotices:
    """`look` now and then. Only for customers who want it (`Customer.sender_notices`)."""

    _log = Logger()

    def __init__(
        self,
        customers: ChosenCustomers,
        incidents: "Incidents",
        spool: "Spool",
        own_mail: "OwnMail",
        once: "Once",
        write: Writer,
        clock: Callable[[], float],
        settings: SenderNoticeSettings,
    ) -> None:
        self._customers = customers
        self._incidents = incidents
        self._spool = spool
        self._own_mail = own_mail
        self._once = once
        self._write = write
        self._clock = clock
        self._rates = Rates(0.0, 0)
        self.adopt(settings)
        self._young: deque[Live] = deque()
        self._looked = False

    def adopt(self, settings: SenderNoticeSettings) -> None:
        """These from now on."""
        self._settings = settings
        self._rates.per_second, self._rates.at_once = settings.per_hour / 3600, settings.per_hour

    def arrived(self, live: "Live") -> None:
        """A message was committed (Spool.listeners)."""
        if self._customers.get(live.envelope.customer) and live.envelope.sender and len(self._young) < _YOUNG:
            self._young.append(live)

    async def look(self) -> None:
        """Tell the senders of what has waited long enough; raises Temporary, then it goes on where it stopped."""
        if not self._looked:  # what was here before the start
            self._looked = True
            young = {live.envelope.id for live in self._young}
            old = [live for id, live in self._spool.live.items() if id not in young]
            for live in sorted(old, key=lambda live: live.envelope.received_at):
                self.arrived(live)
        late = self._clock() - self._settings.after * MINUTE
        for _ in range(min(_AT_ONCE, len(self._young))):
            live = self._young[0]
            if live.envelope.received_at > late:
                return
            await self._consider(live)
            self._young.popleft()

    async def _consider(self, live: "Live") -> None:
        envelope = live.envelope
        customer = self._customers.get(envelope.customer)
        incident = self._incidents.current(envelope.customer) if customer else None
        waits = any(isinstance(envelope.plan[index], Relay) for index in live.remaining)
        if customer is None or incident is None or not waits:
            return
        readable = {target.recipient for target in envelope.plan if isinstance(target, Deliver)}
        try:
            header = octets.header(self._spool.path(envelope.id), envelope.return_path)
        except OSError:  # it has just gone
            return
        for index in sorted(readable):
            recipient = envelope.recipients[index]
            if reason := why_not(envelope, recipient, _fields(header), _addressed(header, recipient)):
                self._log.debug("{id}: its sender is not told: {reason}", id=envelope.id, reason=reason)
                continue
            await self._tell(customer, incident, envelope, recipient)
            return

    async def _tell(self, customer: Customer, incident: "Incident", envelope: Envelope, recipient: Recipient) -> None:
        sender = sha256(envelope.sender.casefold().encode()).hexdigest()
        if not self._rates.take(customer.id, self._clock()):
            return
        if not await self._once.first(f"sender:{incident.id}:{sender}", _REMEMBERED):
            return
        facts: dict[str, object] = {"address": recipient.as_given, "domain": customer.domain}
        try:
            id = await self._own_mail.send(
                customer, envelope.sender, self._write(customer, facts), answers=envelope.message_id
            )
        except Temporary:  # once at most: he hears nothing, and his mail waits all the same
            self._log.warn("{id}: its sender is not told: the disk does not take it", id=envelope.id)
            return
        self._log.info(
            "{id} tells {sender} that {original} waits", id=id, sender=ascii(envelope.sender), original=envelope.id
        )


def _fields(header: bytes) -> dict[str, list[str]]:
    found = headers.read(header, 0, len(header), _NAMES)
    return {
        name.decode(): [headers.unfold(value).decode("ascii", "replace") for value in values]
        for name, values in found.items()
    }


def _addressed(header: bytes, recipient: Recipient) -> bool:
    local, _, domain = recipient.as_given.casefold().encode().rpartition(b"@")
    people = headers.read(header, 0, len(header), _PEOPLE)
    found = (one for values in people.values() for value in values for one in addresses.parse(headers.unfold(value)))
    return any(one.local and one.domain and (one.local.lower(), one.domain.lower()) == (local, domain) for one in found)
