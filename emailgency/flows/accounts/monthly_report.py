"""The monthly report of a customer's domain to his contacts, from what was counted (product row E4)."""

import time
from collections.abc import Callable

from twisted.logger import Logger

from emailgency.flows.accounts.notices import Notices
from emailgency.flows.relaying.incidents import Incidents
from emailgency.model.directory import Customer, Notice
from emailgency.model.errors import Temporary
from emailgency.rules import contacts
from emailgency.store.directory.directory import Directory
from emailgency.store.experience.once import Once
from emailgency.store.experience.tallies import DAY, Tallies, Tally

_LATEST = 5  # day of the month: who was down until then writes no report any more
_REMEMBERED = 40 * DAY  # seconds
_BACK = 36  # days that surely hold the month before, on its fifth day


class MonthlyReport:
    """One for all customers; `turn` is called now and then."""

    _log = Logger()

    def __init__(
        self,
        directory: Directory,
        tallies: Tallies,
        incidents: Incidents,
        notices: Notices,
        once: Once,
        clock: Callable[[], float],
    ) -> None:
        self._directory = directory
        self._tallies = tallies
        self._incidents = incidents
        self._notices = notices
        self._once = once
        self._clock = clock

    async def turn(self) -> None:
        """In the first days of a month, to whoever has not got it."""
        now = time.gmtime(self._clock())
        if now.tm_mday > _LATEST:
            return
        year, month = (now.tm_year, now.tm_mon - 1) if now.tm_mon > 1 else (now.tm_year - 1, 12)
        for customer in await self._directory.customers():
            if not any(contacts.told(customer, Notice.REPORT)):
                continue
            try:
                if await self._once.first(f"report:{customer.id}:{year}-{month:02}", _REMEMBERED):
                    await self._notices.tell(customer, Notice.REPORT, await self.facts(customer, year, month))
            except Temporary as error:
                self._log.warn("no report for {customer} now: {error}", customer=customer.domain, error=str(error))

    async def facts(self, customer: Customer, year: int, month: int) -> dict[str, object]:
        """What the letter shows. Days and hours are UTC."""
        numbers: dict[str, list[int]] = {}
        for what in Tally:
            series = await self._tallies.series(customer.id, what, DAY, _BACK)
            numbers[what.value] = [bucket.number for bucket in series if _month_of(bucket.at) == (year, month)]
        incidents = [
            one for one in self._incidents.history.incidents(customer.id) if _month_of(one.began_at) == (year, month)
        ]
        return {
            "month": f"{year}-{month:02}",
            "received": sum(numbers[Tally.RECEIVED.value]),
            "sent": sum(numbers[Tally.SENT.value]),
            "refused": sum(numbers[Tally.REFUSED.value]),
            "pending": max(numbers[Tally.PENDING.value], default=0),
            "incidents": len(incidents),
        }


def _month_of(at: float) -> tuple[int, int]:
    moment = time.gmtime(at)
    return moment.tm_year, moment.tm_mon
