"""The web for everybody, put together; loaded last, since Klein takes 0.13 s of CPU to import."""

from collections.abc import Callable
from typing import Any, Protocol

from twisted.protocols.tls import TLSMemoryBIOFactory

from emailgency.assembly.api import api
from emailgency.assembly.console import ConsoleParts, console
from emailgency.assembly.live_web import SERVICE, live_web
from emailgency.assembly.shared_deeds import SharedDeeds
from emailgency.assembly.web_deeds import web_deeds
from emailgency.flows.accounts.access import MailAccess
from emailgency.listening import Bound
from emailgency.servers.web.console.compiled import Preparation
from emailgency.servers.web.console.pages import Pages
from emailgency.servers.web.limits import Web
from emailgency.servers.web.mail_programs import MailPrograms
from emailgency.servers.web.public import Public
from emailgency.servers.web.site import PublicSite
from emailgency.settings import Settings
from emailgency.store.keys.certificates import Certificates

__all__ = ["PublicSite", "preparation", "public_site", "under_tls"]


class Parts(ConsoleParts, Protocol):
    """What it rests on."""

    certificates: Certificates


def public_site(
    parts: Parts, reactor: Any, settings: Settings, shared: SharedDeeds, bound: dict[str, Bound]
) -> PublicSite:
    listening = {service: one.addresses[0][1] for service, one in bound.items() if one.addresses}
    access = MailAccess(parts.directory, listening, settings.access)
    public = Public(access)
    followers: list[Callable[[Web], None]] = []
    MailPrograms(access, listening.get("https", 443)).put_on(public.app)
    if "https" in listening:
        live = live_web(parts, settings, shared.passwords, listening["https"])
        deeds = web_deeds(parts, reactor, settings, shared, listening["https"])
        programs = api(parts, settings, shared, deeds, live, access)
        programs.put_on(public.app)
        console(parts, reactor, settings, shared, deeds, live, access, listening["https"]).put_on(public.app)
        followers += [live.adopt, lambda web: programs.adopt(web.api)]
    return PublicSite(public.app.resource(), reactor, settings.web, followers)


def preparation(reactor: Any) -> Preparation:
    return Preparation(reactor, Pages(SERVICE))


def under_tls(site: PublicSite, certificates: Certificates) -> TLSMemoryBIOFactory:
    return TLSMemoryBIOFactory(certificates, False, site)
