"""How mail to the world is protected on its way, and who is told of it, put together."""

from collections.abc import Callable
from typing import Any, Protocol

from emailgency.flows.relaying.outbound import OutboundFlow
from emailgency.flows.trust.protection import Protection
from emailgency.flows.trust.signing import Signing
from emailgency.flows.trust.sts import Sts
from emailgency.flows.trust.tls_reports import TlsReports
from emailgency.net.dns import Dns
from emailgency.net.egress import Egress
from emailgency.settings import Settings
from emailgency.store.experience.sts_policies import StsPolicies
from emailgency.store.redis.redis import Redis
from emailgency.store.spool.spool import Spool


class Parts(Protocol):
    """What it rests on."""

    clock: Callable[[], float]
    dns: Dns
    egress: Egress
    redis: Redis
    spool: Spool
    signing: Signing
    outbound: OutboundFlow


def outward(parts: Parts, reactor: Any, settings: Settings) -> tuple[Protection, TlsReports]:
    async def fetch(domain: str) -> bytes | None:
        from emailgency.net.policy_page import PolicyPages  # a web client, which the first banner need not wait for

        return await PolicyPages(parts.dns, parts.egress, reactor).get(domain)

    sts = Sts(parts.dns, fetch, StsPolicies(parts.redis), parts.clock)
    protection = parts.outbound.protection = Protection(parts.dns, sts, reactor, settings.protection)
    reports = TlsReports(parts.dns, parts.spool, parts.redis, parts.signing, parts.clock, settings.host_name)
    protection.told = reports.note
    return protection, reports
