"""The MX assistant (row F4): whoever types a domain sees which records it needs here, and how its live ones do.

Anybody may ask, so an answer is made from what he typed and the public DNS alone: the directory is never asked, and no
answer tells which domains are customers (attack row 8). What it costs is bounded: questions a look, looks a network,
looks altogether (attack rows 15, 16).
"""

from emailgency.codec.address import parse_domain
from emailgency.flows.domains.dns_settings import AssistantSettings
from emailgency.flows.domains.domain_look import DomainLook
from emailgency.model.directory import Role
from emailgency.model.domain_check import Finding
from emailgency.model.errors import Invalid
from emailgency.net.reactor import NetReactor
from emailgency.rules.domain_records import Wish
from emailgency.rules.labels import labels
from emailgency.rules.networks import network
from emailgency.rules.rates import Rates

MOST = 40  # questions a look
ROLES = {"backup": (Role.BACKUP, True), "primary": (Role.PRIMARY, True), "none": (Role.BACKUP, False)}
AT_ONCE = 8  # looks under way, of everybody

# Top-level domains that no public DNS has (RFC 6761, RFC 6762, RFC 8375, and what networks use instead): our resolver
# may know them, and whoever is not in our network need not.
_INNER = {"arpa", "corp", "home", "internal", "intern", "intranet", "invalid", "lan", "local", "localdomain"}
_INNER |= {"localhost", "onion", "private"}


class TooMany(Exception):
    """Nothing was asked; later."""


class DnsAssistant:
    """One for everybody."""

    def __init__(self, look: DomainLook, service_domain: str, reactor: NetReactor, settings: AssistantSettings) -> None:
        self._look = look
        self._service_domain = service_domain
        self._reactor = reactor
        self._networks = Rates(1 / 60, settings.per_network)
        self._all = Rates(settings.per_second, 20)
        self._under_way = 0

    def wish(self, text: str, role: Role, own_server: bool, host: str = "") -> Wish:
        """What a domain should publish. `host`: our name for it, if it has one. Raises Invalid."""
        domain = parse_domain(text.strip().removesuffix("."))
        if domain == self._service_domain or domain.endswith(f".{self._service_domain}"):
            raise Invalid("%(domain)s belongs to the service itself", domain=domain)
        if domain.rpartition(".")[2] in _INNER:
            raise Invalid("%(domain)s is no domain of the public DNS", domain=domain)
        host = host or f"{next(labels(domain))}.{self._service_domain}"
        return Wish(domain=domain, host=host, role=role, own_server=own_server, transport=True)

    async def check(self, ip: str, wish: Wish) -> list[Finding]:
        """The live records. `ip`: who asks. Raises TooMany."""
        now = self._reactor.seconds()
        if self._under_way >= AT_ONCE or not (self._networks.take(network(ip), now) and self._all.take("", now)):
            raise TooMany
        self._under_way += 1
        try:
            return (await self._look.records(wish, stranger=True, most=MOST)).findings
        finally:
            self._under_way -= 1
