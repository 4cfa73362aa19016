"""What passes by and shows which addresses a customer's server has, until somebody looks at it (learning.py)."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from msgspec import Struct, field

from emailgency.codec.address import parse
from emailgency.flows.accounts.chosen_customers import ChosenCustomers
from emailgency.model.directory import Customer
from emailgency.model.envelope import Relay
from emailgency.model.errors import Invalid

if TYPE_CHECKING:
    from emailgency.flows.relaying.attempts import Attempt
    from emailgency.flows.relaying.incidents import Incidents
    from emailgency.store.spool.live import Live

NOTED = 1000  # addresses of one customer, of each kind; the rest comes by again


class Pupil(Struct):
    """One customer: local parts to be looked at, and when his server may be asked again."""

    seen: dict[str, None] = field(default_factory=dict)  # mail was taken for them, or a user sent from them
    sought: dict[str, None] = field(default_factory=dict)  # mail was accepted for them here
    not_before: float = 0.0  # seconds since the epoch
    wait: float = 0.0  # the last pause, which the next one doubles
    trouble: str = ""  # why there is a pause
    readied: str = ""  # the incident for which mailboxes were made

    def seek(self, locals_: Iterable[str]) -> None:
        """These are to be asked for, as far as there is room."""
        for local in locals_:
            _add(self.sought, local)


class Pupils:
    """Those of customers who want it. In memory: what is lost at a restart shows again."""

    def __init__(self, customers: ChosenCustomers, incidents: "Incidents") -> None:
        self._customers = customers
        self._incidents = incidents
        self._pupils: dict[str, Pupil] = {}
        customers.listeners.append(self._switched)

    def of(self, customer: str) -> Pupil:
        """His; for one who does not want it an empty one that nobody keeps."""
        if self._customers.get(customer) is None:
            return Pupil()
        return self._pupils.setdefault(customer, Pupil())

    def arrived(self, live: "Live") -> None:
        """A message was committed (Spool.listeners)."""
        envelope = live.envelope
        if (customer := self._customers.get(envelope.customer)) is None:
            return
        pupil = self.of(customer.id)
        if envelope.client.mailbox is not None and (local := _local(customer, envelope.sender)):
            _add(pupil.seen, local)
        for target in envelope.plan:
            if isinstance(target, Relay) and (local := _local(customer, target.address)):
                _add(pupil.sought, local)

    def attempted(self, attempt: "Attempt") -> None:
        """What the server said to a message (Attempts.listeners); while it comes back it may be another server."""
        customer = self._customers.get(attempt.hop.customer)
        if customer is None or attempt.outcome.word != "relayed" or self._incidents.current(customer.id):
            return
        pupil = self.of(customer.id)
        for index in attempt.targets:
            target = attempt.live.envelope.plan[index]
            if isinstance(target, Relay) and (local := _local(customer, target.address)):
                _add(pupil.seen, local)

    def _switched(self, id: str) -> None:
        if self._customers.get(id) is None:
            self._pupils.pop(id, None)


def _add(noted: dict[str, None], local: str) -> None:
    if len(noted) < NOTED:
        noted[local] = None


def _local(customer: Customer, address: str) -> str:
    """The local part of an address in his own domains; "" for any other."""
    try:
        found = parse(address)
    except Invalid:
        return ""
    return found.local if found.domain in (customer.domain, *customer.domain_aliases) else ""
