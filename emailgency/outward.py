"""How mail to the world is protected on its way, put together."""

from collections.abc import Callable
from typing import Any

from emailgency.flows.protection import Protection
from emailgency.flows.sts import Sts
from emailgency.net.dns import Dns
from emailgency.net.egress import Egress
from emailgency.settings import Settings
from emailgency.store.redis import Redis
from emailgency.store.sts_policies import StsPolicies


def protection(
    reactor: Any, clock: Callable[[], float], settings: Settings, dns: Dns, egress: Egress, redis: Redis
) -> Protection:
    async def fetch(domain: str) -> bytes | None:
        from emailgency.net.policy_page import PolicyPages  # a web client, which the first banner need not wait for

        return await PolicyPages(dns, egress, reactor).get(domain)

    return Protection(dns, Sts(dns, fetch, StsPolicies(redis), clock), reactor, settings.protection)
