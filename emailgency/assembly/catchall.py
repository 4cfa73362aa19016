"""The flow that keeps the catchall tidy, put together."""

from collections.abc import Callable
from typing import Any, Protocol

from emailgency.assembly.mailboxes import folders_of_now
from emailgency.flows.addresses.addresses import Addresses
from emailgency.flows.addresses.candidates import TIDY, CandidateFlow
from emailgency.flows.addresses.drop_for_address import DropForAddress
from emailgency.flows.relaying.incidents import Incidents
from emailgency.flows.relaying.relay import RelayFlow
from emailgency.servers.imap.server import ImapServer
from emailgency.settings import Settings
from emailgency.store.directory.directory import Directory
from emailgency.store.mailboxes.folders import Folders
from emailgency.store.spool.spool import Spool

__all__ = ["TIDY", "CandidateFlow", "candidate_flow"]


class Parts(Protocol):
    """What it rests on."""

    clock: Callable[[], float]
    directory: Directory
    folders: Folders
    imap: ImapServer | None
    incidents: Incidents
    relay: RelayFlow
    spool: Spool


def candidate_flow(parts: Parts, reactor: Any, settings: Settings) -> CandidateFlow:
    return CandidateFlow(
        reactor,
        parts.clock,
        parts.directory,
        Addresses(parts.directory, settings.operator),
        parts.folders,
        parts.incidents,
        DropForAddress(parts.relay, parts.spool),
        folders_of_now(parts, settings),
    )
