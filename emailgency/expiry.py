"""The flow that lets old mail go, put together."""

from collections.abc import Callable
from typing import Any, Protocol

from emailgency.flows.addresses import Addresses
from emailgency.flows.expire import PROMPT, Expiry
from emailgency.flows.incidents import Incidents
from emailgency.flows.overflow import Overflow
from emailgency.settings import Settings
from emailgency.store.counts import Counts
from emailgency.store.directory import Directory
from emailgency.store.folders import Folders

__all__ = ["PROMPT", "Expiry", "expiry_flow"]


class Parts(Protocol):
    """What it rests on."""

    clock: Callable[[], float]
    counts: Counts
    directory: Directory
    folders: Folders
    incidents: Incidents
    overflow: Overflow


def expiry_flow(parts: Parts, reactor: Any, settings: Settings) -> Expiry:
    return Expiry(
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
