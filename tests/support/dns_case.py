"""Customers whose domains a scripted DNS server publishes, and a look at them: for tests of what watches the DNS."""

import tempfile

from twisted.internet import reactor

from emailgency.flows.domains.dns_settings import Published
from emailgency.flows.domains.domain_look import DomainLook
from emailgency.model.errors import Temporary
from emailgency.net.dns import Dns, DnsSettings
from emailgency.net.egress import Egress, EgressSettings
from tests.support.customers import RealCustomers
from tests.support.dns_server import DnsServer, servfail

HOST = "mx.emailgency.example"
OURS = "198.51.100.7"
THEIRS = "203.0.113.5"


class DnsCase(RealCustomers):
    """`await begin()`. `zone` is what the DNS knows; `now` what the clock says; `policies` by domain."""

    async def begin(self, ttl: int = 0, **published) -> None:
        await super().begin()
        self.data = tempfile.mkdtemp()
        self.server = DnsServer(ttl=ttl)
        self.zone = self.server.zone
        self.zone[HOST, "A"] = [OURS]
        self.policies: dict[str, bytes | None] = {}
        self.dns = Dns(DnsSettings(addresses=(self.server.address,), timeout=20, ipv6=False), reactor)
        egress = Egress(EgressSettings(networks=("198.51.100.0/24", "203.0.113.0/24")), list)
        self.look = DomainLook(self.dns, egress, self.is_ours, HOST, Published(**published), reactor, self.policy)

    async def stop(self) -> None:
        await self.server.stop()
        await super().stop()

    def is_ours(self, host: str) -> bool:
        return host.endswith("emailgency.example")

    async def policy(self, domain: str) -> bytes | None:
        if domain not in self.policies:
            raise Temporary("nobody answers")
        return self.policies[domain]

    def publish(self, domain: str = "mydomain.zz", **records) -> None:
        """MX, SPF and the address of a customer's own server, all in order for a backup; `records` go before."""
        alternate = f"{domain.replace('.', '')}.emailgency.example"
        self.zone |= {
            (f"mail.{domain}", "A"): [THEIRS],
            (alternate, "A"): [OURS],
            (domain, "MX"): records.get("mx", [f"10 mail.{domain}.", f"20 {alternate}."]),
            (domain, "TXT"): [f'"{text}"' for text in records.get("txt", [f"v=spf1 mx a:{HOST} ~all"])],
        }

    def silent(self, name: str = "") -> None:
        """From now on nobody knows about names that end so; no name: all is well again."""

        def vice(query, honest, udp):
            asked = query.question[0].name.to_text(omit_final_dot=True)
            return servfail(query, honest) if asked.endswith(name) else [honest.to_wire()]

        self.server.vice = vice if name else None
