"""Learning which addresses a customer's server has, while it is well; knowing it when it is down (product row G5).

What mail and users show is noted as it passes (pupils.py). The rest is asked for, a few addresses now and then,
over one connection at a time (enquiry.py), and only addresses that a message was accepted for here: nobody has a
server asked by a mere RCPT. While an incident is open nothing is learned: the known ones are mailboxes, those that
surely do not exist are refused.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from twisted.logger import Logger

from emailgency.background import background
from emailgency.flows.accounts.chosen_customers import ChosenCustomers
from emailgency.flows.learning.pupils import Pupil, Pupils
from emailgency.model.directory import Customer, RelayMode
from emailgency.model.errors import Temporary
from emailgency.rules import learning as rule
from emailgency.rules.health import State
from emailgency.rules.learning import DAY, HOUR, Known, LearningSettings
from emailgency.rules.routing import POSTMASTER
from emailgency.store.spool.pending import Hop

if TYPE_CHECKING:
    from emailgency.flows.addresses.ready_mailboxes import ReadyMailboxes
    from emailgency.flows.learning.enquiry import Enquiries, Enquiry
    from emailgency.flows.relaying.incidents import Incidents
    from emailgency.flows.relaying.relay import RelayFlow
    from emailgency.store.directory.directory import Directory
    from emailgency.store.experience.learned_recipients import LearnedRecipients, Taught

LOOK = 60.0  # seconds between two looks at who is to be asked
MINUTE = 60.0


class RecipientLearning:
    """`look` now and then. Only customers who want it (`Customer.learn_recipients`) take part."""

    _log = Logger()

    def __init__(
        self,
        customers: ChosenCustomers,
        pupils: Pupils,
        directory: "Directory",
        learned: "LearnedRecipients",
        incidents: "Incidents",
        relay: "RelayFlow",
        enquiries: "Enquiries",
        ready: "ReadyMailboxes",
        clock: Callable[[], float],
        settings: LearningSettings,
    ) -> None:
        self._customers = customers
        self._pupils = pupils
        self._directory = directory
        self._learned = learned
        self._incidents = incidents
        self._relay = relay
        self._enquiries = enquiries
        self._ready = ready
        self._clock = clock
        self.settings = settings
        self._under_way: set[str] = set()
        customers.listeners.append(self._switched)

    # ---- what is known -------------------------------------------------------------------------------------

    async def is_missing(self, customer: Customer, local: str) -> bool:
        """Whether mail for it is refused: the server is down, and has said that it does not have this address."""
        if not customer.learn_recipients or local == POSTMASTER:
            return False
        if (incident := self._incidents.current(customer.id)) is None:
            return False
        try:
            (known,) = await self._learned.known(customer.id, [local])
        except Temporary:
            return False
        return rule.is_missing(known, incident.began_at, self.settings)

    def _switched(self, id: str) -> None:
        if self._customers.get(id) is None:
            background("forgetting learned recipients", self._learned.forget(id))

    async def state(self, customer: Customer) -> tuple["Taught", Pupil]:
        """For people. Raises Temporary."""
        return await self._learned.taught(customer.id), self._pupils.of(customer.id)

    # ---- now and then --------------------------------------------------------------------------------------

    async def look(self) -> None:
        """Have a lesson with each server that is due, so many at a time."""
        for customer in self._customers:
            if len(self._under_way) >= self.settings.connections:
                return
            self.wake(customer.id)

    def wake(self, id: str) -> None:
        """Look at one of them now: his server may have gone down."""
        customer = self._customers.get(id)
        if customer is not None and id not in self._under_way:
            self._under_way.add(id)
            background("learning recipients", self._attend(customer))

    async def _attend(self, customer: Customer) -> None:
        try:
            if incident := self._incidents.current(customer.id):
                await self._make_ready(customer, incident.id, incident.began_at)
            elif self._is_well(customer):
                await self._learn(customer)
        finally:
            self._under_way.discard(customer.id)

    async def _make_ready(self, customer: Customer, incident: str, began_at: float) -> None:
        pupil = self._pupils.of(customer.id)
        if pupil.readied == incident or await self._learned.readied(customer.id) == incident:
            return
        after = began_at - self.settings.valid * DAY
        existing = await self._learned.existing(customer.id, after, self.settings.remembered)
        await self._ready.make(customer.id, existing)
        await self._learned.ready(customer.id, incident)
        pupil.readied = incident
        pupil.seen, pupil.sought = {}, {}  # what came just before may be the server's trouble already

    def _is_well(self, customer: Customer) -> bool:
        hop = Hop("" if customer.smtp_transport else customer.domain, customer.id)
        if customer.relay is not RelayMode.ON or self._incidents.health(hop).state is not State.UP:
            return False
        own = (lane for lane in self._relay.lanes(customer.id) if not lane.hop.via)
        return all(lane.health.state is State.UP for lane in own)

    async def _learn(self, customer: Customer) -> None:
        pupil, now = self._pupils.of(customer.id), self._clock()
        await self._note_seen(customer, pupil, now)
        if now < pupil.not_before:
            return
        asked = await self._chosen(customer, pupil, now)
        if not asked:
            return
        enquiry = await self._enquiries.ask(customer, asked)
        await self._conclude(customer, pupil, enquiry, len(asked))

    async def _note_seen(self, customer: Customer, pupil: Pupil, now: float) -> None:
        """What was taken exists, if the server is known to tell addresses apart; else each is asked for."""
        seen, pupil.seen = pupil.seen, {}
        fresh = [local for local in seen if await self._directory.entry(customer.id, local) is None]
        if not fresh:
            return
        taught = await self._learned.taught(customer.id)
        if taught.selective is None or taught.at < now - self.settings.valid * DAY:
            pupil.seek(fresh)
        elif taught.selective:
            await self._keep(customer, dict.fromkeys(fresh, Known(existed_at=now)))

    async def _chosen(self, customer: Customer, pupil: Pupil, now: float) -> list[str]:
        """The next addresses to ask for: half of them are to be seen again, if so many are."""
        most = self.settings.at_once
        stale = await self._learned.stale(customer.id, now - self.settings.refreshed * DAY, max(1, most // 2))
        wanted: list[str] = []
        for local in stale:
            if await self._directory.entry(customer.id, local) is None:
                wanted.append(local)
            else:  # somebody has decided what it is: no need to know more
                await self._keep(customer, {local: Known()})
        while pupil.sought and len(wanted) < most:
            some = list(pupil.sought)[:most]
            for local, known in zip(some, await self._learned.known(customer.id, some), strict=True):
                if len(wanted) == most:
                    break
                del pupil.sought[local]
                if local in wanted or not rule.worth_asking(known, now, self.settings):
                    continue
                if await self._directory.entry(customer.id, local) is None:
                    wanted.append(local)
        return wanted

    async def _conclude(self, customer: Customer, pupil: Pupil, enquiry: "Enquiry", count: int) -> None:
        now, settings = self._clock(), self.settings
        if enquiry.trouble:
            longest = settings.longest_pause * HOUR
            pupil.wait = min(longest, 2 * pupil.wait or settings.pause * MINUTE)
            pupil.not_before = now + pupil.wait
        else:
            pupil.wait, pupil.not_before = 0.0, now + count * HOUR / settings.per_hour
        pupil.trouble = enquiry.trouble
        if self._incidents.current(customer.id) or self._customers.get(customer.id) is None:
            return
        lesson = enquiry.lesson
        if lesson.selective is not None:
            await self._learned.shown(customer.id, lesson.selective, now)
        facts = {local: Known(existed_at=now) for local in lesson.existing if local != rule.CONTROL}
        missing = sorted(lesson.missing - {rule.CONTROL})
        if missing:
            before = await self._learned.known(customer.id, missing)
            pairs = zip(missing, before, strict=True)
            facts |= {local: rule.refused(known, now, settings) for local, known in pairs}
        await self._keep(customer, facts)
        self._log.info(
            "{customer}: {existing} addresses exist, {missing} do not{trouble}",
            customer=customer.domain,
            existing=len(lesson.existing),
            missing=len(missing),
            trouble=f"; paused: {enquiry.trouble!a}" if enquiry.trouble else "",
        )
        pupil.seek(enquiry.unanswered)

    async def _keep(self, customer: Customer, facts: dict[str, Known]) -> None:
        if facts:
            now, settings = self._clock(), self.settings
            await self._learned.keep(customer.id, facts, settings.remembered)
            await self._learned.tidy(customer.id, now - settings.valid * DAY, now - settings.invalid * DAY)
