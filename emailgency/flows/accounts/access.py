"""What a mail program is told: the doors of whoever the domain belongs to."""

from collections.abc import Mapping
from typing import Annotated

from msgspec import Meta, Struct

from emailgency.codec.address import parse_domain
from emailgency.model.access import Access
from emailgency.model.errors import Invalid
from emailgency.rules import access as rules
from emailgency.store.directory.directory import Directory

Port = Annotated[int, Meta(ge=1, le=65535)] | None


class AccessSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ports that mail programs are told, where they reach us by others than those we listen on (a proxy, say)."""

    imap: Annotated[Port, Meta(description="Left out: the port we listen on.")] = None
    imaps: Annotated[Port, Meta(description="Left out: the port we listen on.")] = None
    pop3: Annotated[Port, Meta(description="Left out: the port we listen on.")] = None
    pop3s: Annotated[Port, Meta(description="Left out: the port we listen on.")] = None
    submission: Annotated[Port, Meta(description="Left out: the port we listen on.")] = None
    submissions: Annotated[Port, Meta(description="Left out: the port we listen on.")] = None


class MailAccess:
    """Raises Temporary when the directory does not know now."""

    def __init__(self, directory: Directory, listening: Mapping[str, int], settings: AccessSettings) -> None:
        """`listening`: the port of each service that is open."""
        self.settings = settings
        self._directory = directory
        self._listening = listening

    async def of_address(self, text: str) -> Access | None:
        """For whoever says this is his address: only its domain counts, so no answer tells which addresses exist."""
        return await self.of_domain(text.rpartition("@")[2])

    async def of_domain(self, text: str) -> Access | None:
        """None: it is no domain of ours."""
        try:
            name = parse_domain(text)
        except Invalid:
            return None
        domain = await self._directory.domain(name)
        if domain is None:
            return None
        customer = await self._directory.customer(domain.customer)
        return rules.access(name, customer.alternate_domain, self._ports())

    def _ports(self) -> dict[str, int]:
        told = {service: getattr(self.settings, service) for service in rules.SERVICES}
        return {
            service: told[service] or self._listening[service]
            for service in rules.SERVICES
            if told[service] or service in self._listening
        }
