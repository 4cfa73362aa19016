"""The web for everybody, put together; loaded last, since Klein takes 0.13 s of CPU to import."""

from typing import Any, Protocol

from twisted.protocols.tls import TLSMemoryBIOFactory

from emailgency.assembly.api import api
from emailgency.assembly.console import ConsoleParts, console
from emailgency.flows.accounts.access import MailAccess
from emailgency.listening import Bound
from emailgency.servers.web.mail_programs import MailPrograms
from emailgency.servers.web.public import Public
from emailgency.servers.web.site import PublicSite
from emailgency.settings import Settings
from emailgency.store.certificates import Certificates

__all__ = ["PublicSite", "public_site", "under_tls"]


class Parts(ConsoleParts, Protocol):
    """What it rests on."""

    certificates: Certificates


def public_site(parts: Parts, reactor: Any, settings: Settings, bound: dict[str, Bound]) -> PublicSite:
    listening = {service: one.addresses[0][1] for service, one in bound.items() if one.addresses}
    access = MailAccess(parts.directory, listening, settings.access)
    public = Public(access)
    MailPrograms(access, listening.get("https", 443)).put_on(public.app)
    if "https" in listening:
        api(parts, reactor, settings, listening["https"]).put_on(public.app)
        console(parts, reactor, settings, access, listening["https"]).put_on(public.app)
    return PublicSite(public.app.resource(), reactor, settings.web)


def under_tls(site: PublicSite, certificates: Certificates) -> TLSMemoryBIOFactory:
    return TLSMemoryBIOFactory(certificates, False, site)
