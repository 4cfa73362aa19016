"""Mail of mailboxes and of Undelivered goes when it is old, or when there is no room (product rows B5, B12, A7).

What goes is decided by rules.expiry from file names; it goes as by EXPUNGE, so open sessions are told. A mailbox is
looked at each hour, and soon after mail has brought it near its quota. Pending copies lie in the spool and stay.
"""

from collections.abc import Callable, Coroutine, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta, Struct
from twisted.internet.task import deferLater
from twisted.logger import Logger

from emailgency.background import in_thread
from emailgency.flows.upkeep.trusted_clock import HOUR, TrustedClock
from emailgency.model.directory import OPERATOR, STANDARD, Mailbox, Plan
from emailgency.model.errors import Invalid, Temporary
from emailgency.rules.expiry import DAY, FULL, Sweep, came_before, chosen_delay, delay_of, quota_of, roomy, swept
from emailgency.rules.room import UNLIMITED
from emailgency.store import layout
from emailgency.store.directory.changes import Author
from emailgency.store.directory.directory import Gone
from emailgency.store.mailboxes.by_age import Aged, oldest_first
from emailgency.store.mailboxes.folder import UNKNOWN
from emailgency.store.mailboxes.folders import BATCH
from emailgency.store.storing.replies import Refused

if TYPE_CHECKING:
    from emailgency.flows.addresses.addresses import Addresses
    from emailgency.flows.relaying.incidents import Incidents
    from emailgency.flows.upkeep.overflow import Overflow
    from emailgency.store.directory.directory import Directory
    from emailgency.store.mailboxes.counts import Counts
    from emailgency.store.mailboxes.folder import Folder
    from emailgency.store.mailboxes.folders import Folders

PROMPT = 3.0  # seconds until room is made in a mailbox that mail has filled
_AGAIN = 300.0  # seconds until one in which no room could be made is looked at once more
_PAUSE = 0.05  # seconds between batches and between mailboxes: others work as well
OURSELVES = Author("emailgency", "expiry")

Listener = Callable[[Mailbox, Plan, "Told"], Coroutine[Any, Any, None]]


class ExpirySettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How mail goes that is old, or has no room."""

    every: Annotated[float, Meta(ge=60, le=86_400, description="Seconds between two looks at a mailbox.")] = HOUR
    at_once: Annotated[
        int, Meta(ge=100, description="Messages of one mailbox that go at one look; the rest at the next ones.")
    ] = 20_000


class Told(Struct, frozen=True):
    """What listeners hear of a mailbox. `days` None: it is full, and nothing in it may go yet; else its delay was
    shortened to so many.
    """

    octets: int
    quota: int
    days: int | None


class Expiry:
    """One for all customers; `listeners` are told what its people should know."""

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        clock: Callable[[], float],
        directory: "Directory",
        addresses: "Addresses",
        folders: "Folders",
        counts: "Counts",
        incidents: "Incidents",
        overflow: "Overflow",
        settings: ExpirySettings,
    ) -> None:
        self.listeners: list[Listener] = []
        self.stopping: Callable[[], bool] = bool  # whether the rest should wait for the next start; bool() is no
        self._reactor = reactor
        self._clock = clock
        self._directory = directory
        self._addresses = addresses
        self._folders = folders
        self._counts = counts
        self._incidents = incidents
        self._overflow = overflow
        self._settings = settings
        self._again: dict[str, float] = {}  # mailboxes without anything that may go -> when they are looked at again
        self.trusted = TrustedClock(reactor, clock, folders.root)

    # ---- who is looked at ----------------------------------------------------------------------------------

    async def sweep_all(self) -> None:
        """Every mailbox and every Undelivered; trouble with one customer keeps none of the others."""
        for customer in await self._directory.customers():
            try:
                plan = await self._directory.plan(customer.plan)
                for entry in await self._directory.entries(customer.id):
                    if self.stopping():
                        return
                    if isinstance(entry, Mailbox):
                        await self.sweep(entry, plan)
                        await deferLater(self._reactor, 0)
                await self._undelivered(customer.id, plan)
            except Gone:
                continue  # he has just been removed
            except Temporary as error:
                self._log.warn("mail of {customer} expires later: {error}", customer=customer.id, error=str(error))
        await self._undelivered(OPERATOR, STANDARD)

    async def make_room(self) -> None:
        """In mailboxes that mail has filled since they were looked at."""
        now = self._reactor.seconds()
        self._again = {mailbox: at for mailbox, at in self._again.items() if at > now}
        for id in [id for id in self._overflow.due if id not in self._again]:
            if self.stopping():
                return
            mailbox = await self._directory.mailbox(id)
            if mailbox is None:
                self._overflow.forget(id)
                continue
            plan = await self._directory.plan((await self._directory.customer(mailbox.customer)).plan)
            await self.sweep(mailbox, plan)
            await deferLater(self._reactor, 0)
            if id in self._overflow.due:
                self._again[id] = now + _AGAIN

    # ---- one mailbox ---------------------------------------------------------------------------------------

    async def sweep(self, mailbox: Mailbox, plan: Plan) -> int:
        """How many messages went."""
        added = self._overflow.added(mailbox.id)
        folders = (await self._folders.listing(layout.mailbox(mailbox.customer, mailbox.id))).folders
        holding = await self._counts.holding(folders)
        quota, days, octets = quota_of(mailbox, plan), delay_of(mailbox, plan), holding.count.octets
        self._overflow.counted(mailbox.customer, mailbox.id, octets, quota, added)
        spans, now = self._incidents.spans(mailbox.customer), self._clock()
        old, gone = came_before(now, days * DAY, spans), list[Aged]()
        if old is None or not self.trusted.is_right():
            pass
        elif holding.oldest >= old and octets <= quota * FULL:
            await self._lengthen(mailbox, plan, octets)
        else:
            messages = await in_thread(self._reactor, oldest_first, self._folders.root, folders)
            sweep = swept(messages, days, quota, now, spans)
            gone = await self._remove(messages[: min(sweep.count, self._settings.at_once)])
            await self._shorten(mailbox, plan, sweep, octets)
        octets -= sum(message.octets for message in gone)
        self._overflow.counted(mailbox.customer, mailbox.id, octets, quota, added)
        if octets > quota * FULL:
            self._overflow.due.add(mailbox.id)
        if octets >= quota:
            await self._tell(mailbox, plan, Told(octets, quota, None))
        if gone:
            words = "{address}: {count} messages have expired"
            self._log.info(words, address=str(mailbox.address), count=len(gone))
        return len(gone)

    async def _shorten(self, mailbox: Mailbox, plan: Plan, sweep: Sweep, octets: int) -> None:
        if sweep.days is None:
            return
        try:
            await self._addresses.shorten(OURSELVES, mailbox, sweep.days)
        except Invalid as error:  # somebody else has changed it meanwhile: at the next look
            self._log.info("{address} keeps its delay: {error}", address=str(mailbox.address), error=str(error))
            return
        await self._tell(mailbox, plan, Told(octets, quota_of(mailbox, plan), sweep.days))

    async def _lengthen(self, mailbox: Mailbox, plan: Plan, octets: int) -> None:
        if mailbox.shortened_to is not None and roomy(octets, quota_of(mailbox, plan)):
            await self._addresses.shorten(OURSELVES, mailbox, None)
            days = chosen_delay(mailbox, plan)
            words = "{address}: mail is kept for {days} days again"
            self._log.info(words, address=str(mailbox.address), days=days)

    async def _undelivered(self, customer: str, plan: Plan) -> None:
        """Nobody's in particular: it is kept for as long as the plan lets anybody keep mail."""
        folders = [layout.undelivered(customer)]
        spans, now = self._incidents.spans(customer), self._clock()
        old = came_before(now, plan.expiration_delay_max * DAY, spans)
        if old is not None and (await self._counts.holding(folders)).oldest < old and self.trusted.is_right():
            messages = await in_thread(self._reactor, oldest_first, self._folders.root, folders)
            sweep = swept(messages, plan.expiration_delay_max, UNLIMITED, now, spans)
            await self._remove(messages[: min(sweep.count, self._settings.at_once)])

    # ---- messages ------------------------------------------------------------------------------------------

    async def _remove(self, messages: Sequence[Aged]) -> list[Aged]:
        """Those that went: one that has been moved or removed meanwhile is passed over."""
        gone: list[Aged] = []
        for path, found in groupby(sorted(messages, key=lambda message: message.folder), lambda one: one.folder):
            folder = await self._folders.open(path)
            if isinstance(folder, Refused):
                continue
            some = list(found)
            for start in range(0, len(some), BATCH):
                if self.stopping():
                    return gone
                there = [message for message in some[start : start + BATCH] if _is_there(folder, message)]
                await self._folders.expunge(folder, [message.uid for message in there])
                gone += there
                await deferLater(self._reactor, _PAUSE)
        return gone

    async def _tell(self, mailbox: Mailbox, plan: Plan, told: Told) -> None:
        for listener in self.listeners:
            try:
                await listener(mailbox, plan, told)
            except Exception:  # what has expired has expired
                self._log.failure("nobody is told about {address}", address=str(mailbox.address))


def _is_there(folder: "Folder", message: Aged) -> bool:
    """Under the name it was found by: a folder may have been made anew meanwhile."""
    place = folder.index(message.uid)
    return place != UNKNOWN and folder.names[place][4:].startswith(message.base)
