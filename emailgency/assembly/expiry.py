"""What lets old mail go, and tells people of that and of other things, put together."""

from collections.abc import Callable
from typing import Any, Protocol

from emailgency.assembly.notices import notices
from emailgency.background import background
from emailgency.flows.accounts.monthly_report import MonthlyReport
from emailgency.flows.addresses.addresses import Addresses
from emailgency.flows.domains.drift_guard import DriftGuard
from emailgency.flows.relaying.incidents import Incidents
from emailgency.flows.upkeep.expire import PROMPT, Expiry
from emailgency.flows.upkeep.overflow import Overflow
from emailgency.flows.upkeep.trusted_clock import HOUR
from emailgency.listening import Bound
from emailgency.servers.periodic import Periodic
from emailgency.settings import Settings
from emailgency.store.directory.directory import Directory
from emailgency.store.experience.once import Once
from emailgency.store.experience.tallies import Tallies
from emailgency.store.mailboxes.counts import Counts
from emailgency.store.mailboxes.folders import Folders
from emailgency.store.redis.redis import Redis
from emailgency.store.spool.spool import Spool


class Parts(Protocol):
    """What it rests on."""

    clock: Callable[[], float]
    counts: Counts
    directory: Directory
    drift: DriftGuard | None
    folders: Folders
    incidents: Incidents
    overflow: Overflow
    redis: Redis
    spool: Spool
    tallies: Tallies

    def stopping(self) -> bool: ...


class UntilTheEnd(Periodic):
    """What is done once more when the server stops."""

    async def stop(self, grace: float) -> None:
        await super().stop(grace)
        await self._guarded()


def expiry_loops(parts: Parts, reactor: Any, settings: Settings, https: Bound) -> list[Periodic]:
    """Its loops; `https` is where the links in its mail lead."""
    expiry = Expiry(
        reactor,
        parts.clock,
        parts.directory,
        Addresses(parts.directory, settings.operator),
        parts.folders,
        parts.counts,
        parts.incidents,
        parts.overflow,
        settings.expiry,
    )
    port = https.addresses[0][1] if https.addresses else 443
    told = notices(parts, settings, port)
    expiry.listeners.append(told.of_mailbox)
    expiry.stopping = parts.stopping
    parts.incidents.watchers.append(told.of_incident)
    assert parts.drift is not None  # awake before
    parts.drift.listeners.append(told.of_drift)
    background("remembering the time", expiry.trusted.remember())
    once = Once(parts.redis)
    report = MonthlyReport(parts.directory, parts.tallies, parts.incidents, told, once, parts.clock)
    return [
        Periodic(reactor, "writing monthly reports", HOUR, report.turn),
        UntilTheEnd(reactor, "remembering the time", HOUR, expiry.trusted.remember),
        Periodic(reactor, "letting old mail go", settings.expiry.every, expiry.sweep_all),
        Periodic(reactor, "making room in full mailboxes", PROMPT, expiry.make_room),
    ]
