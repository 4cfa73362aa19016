"""What looks after customers' domains in the DNS, put together."""

from collections.abc import Callable
from typing import Any, Protocol

from emailgency.flows.domains.domain_look import DomainLook
from emailgency.flows.domains.drift_guard import TURN, DriftGuard
from emailgency.net.dns import Dns
from emailgency.net.egress import Egress
from emailgency.net.policy_page import PolicyPages
from emailgency.settings import Settings
from emailgency.store.directory.directory import Directory
from emailgency.store.experience.dns_history import DnsHistory

__all__ = ["TURN", "DomainLook", "DriftGuard", "domain_look", "drift_guard"]


class Parts(Protocol):
    """What it rests on."""

    clock: Callable[[], float]
    directory: Directory
    dns: Dns
    egress: Egress

    def is_ours(self, host: str) -> bool: ...


def domain_look(parts: Parts, reactor: Any, settings: Settings) -> DomainLook:
    return DomainLook(
        parts.dns,
        parts.egress,
        parts.is_ours,
        settings.host_name,
        settings.published,
        reactor,
        PolicyPages(parts.dns, parts.egress, reactor).get,
    )


def drift_guard(parts: Parts, look: DomainLook, reactor: Any, settings: Settings) -> DriftGuard:
    history = DnsHistory(reactor, settings.data)
    history.start()
    return DriftGuard(parts.directory, look, history, parts.clock, settings.drift)
