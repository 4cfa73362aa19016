"""The console, put together: each panel's routes, in one."""

from collections.abc import Callable
from typing import Any, Protocol

from emailgency.assembly.live_web import SERVICE, LiveWeb
from emailgency.assembly.operator_panels import operator_panels
from emailgency.assembly.shared_deeds import SharedDeeds
from emailgency.assembly.web_deeds import WebDeeds
from emailgency.flows.accounts.access import MailAccess
from emailgency.flows.accounts.login import Login
from emailgency.flows.accounts.operators import Operators
from emailgency.flows.accounts.passkeys import Passkeys
from emailgency.flows.addresses.candidates import CandidateFlow
from emailgency.flows.domains.domain_look import DomainLook
from emailgency.flows.domains.drift_guard import DriftGuard
from emailgency.flows.relaying.exchanges import Exchanges
from emailgency.flows.relaying.flush import Flush
from emailgency.flows.relaying.incidents import Incidents
from emailgency.flows.relaying.means import Means
from emailgency.flows.relaying.relay import RelayFlow
from emailgency.flows.trust.signing import Signing
from emailgency.servers.web.console.app_password_panel import AppPasswordPanel
from emailgency.servers.web.console.assistant_panel import AssistantPanel
from emailgency.servers.web.console.audit_panel import AuditPanel
from emailgency.servers.web.console.candidate_panel import CandidatePanel
from emailgency.servers.web.console.captcha_panel import CaptchaPanel
from emailgency.servers.web.console.console import Console
from emailgency.servers.web.console.contacts_panel import ContactsPanel
from emailgency.servers.web.console.dns_panel import DnsPanel
from emailgency.servers.web.console.domain_names_panel import DomainNamesPanel
from emailgency.servers.web.console.domain_panel import DomainPanel
from emailgency.servers.web.console.entrance import Entrance
from emailgency.servers.web.console.help_panel import HelpPanel
from emailgency.servers.web.console.login_panel import LoginPanel
from emailgency.servers.web.console.mailbox_panel import MailboxPanel
from emailgency.servers.web.console.mailboxes_panel import MailboxesPanel
from emailgency.servers.web.console.names_panel import NamesPanel
from emailgency.servers.web.console.overview_panel import OverviewPanel
from emailgency.servers.web.console.pages import Pages
from emailgency.servers.web.console.passkey_panel import PasskeyPanel
from emailgency.servers.web.console.password_panel import PasswordPanel
from emailgency.servers.web.console.pending_panel import PendingPanel
from emailgency.servers.web.console.results_panel import ResultsPanel
from emailgency.servers.web.console.second_step_panel import SecondStepPanel
from emailgency.servers.web.console.security_panel import SecurityPanel
from emailgency.servers.web.console.token_panel import TokenPanel
from emailgency.servers.web.console.trust_panel import TrustPanel
from emailgency.servers.web.console.where_panel import OperatorWherePanel, WherePanel
from emailgency.settings import Settings
from emailgency.store.directory.directory import Directory
from emailgency.store.experience.recent_errors import RecentErrors
from emailgency.store.experience.tallies import Tallies
from emailgency.store.keys.certificates import Certificates
from emailgency.store.logins.half_logins import HalfLogins
from emailgency.store.logins.uses import Uses
from emailgency.store.redis.redis import Redis
from emailgency.store.spool.spool import Spool


class ConsoleParts(Protocol):
    """What panels work on."""

    candidates: CandidateFlow | None
    certificates: Certificates
    clock: Callable[[], float]
    directory: Directory
    drift: DriftGuard | None
    errors: RecentErrors
    exchanges: Exchanges
    flush: Flush
    incidents: Incidents
    login: Login
    look: DomainLook | None
    means: Means
    redis: Redis
    relay: RelayFlow
    signing: Signing
    spool: Spool
    tallies: Tallies
    uses: Uses


def console(
    parts: ConsoleParts,
    reactor: Any,
    settings: Settings,
    shared: SharedDeeds,
    deeds: WebDeeds,
    live: LiveWeb,
    access: MailAccess,
    https_port: int,
) -> Console:
    """What HTTPS answers below /eg/."""
    directory, login = parts.directory, parts.login
    assert parts.candidates is not None  # awake before the web
    sessions, captchas, invitations = live.sessions, live.captchas, live.invitations
    pages = Pages(SERVICE, reactor)
    entrance, half_logins = Entrance(sessions), HalfLogins(parts.redis, parts.clock)
    login_panel = LoginPanel(directory, login, sessions, captchas, entrance, half_logins)
    passkeys = Passkeys(directory, login, live.challenges, parts.uses, reactor, parts.clock, SERVICE)
    passkey_panel = PasskeyPanel(directory, passkeys, login_panel, entrance, parts.clock, https_port)
    panels = (
        WherePanel(reactor, directory, shared.where, parts.clock),
        OperatorWherePanel(reactor, directory, shared.where, parts.clock),
        HelpPanel(),
        login_panel,
        passkey_panel,
        CaptchaPanel(captchas, reactor),
        OverviewPanel(deeds.glance),
        CandidatePanel(parts.candidates, shared.address_deeds, shared.bulk),
        MailboxesPanel(directory, shared.addresses, invitations, shared.address_deeds, shared.bulk, parts.clock),
        MailboxPanel(directory, shared.addresses, shared.passwords, shared.status, access, login, entrance),
        SecondStepPanel(directory, login, shared.second_factors, half_logins, captchas, entrance),
        SecurityPanel(
            directory,
            login,
            shared.second_factors,
            Operators(directory, shared.passwords),
            sessions,
            entrance,
            passkey_panel,
        ),
        AppPasswordPanel(directory, shared.app_passwords, shared.second_factors, parts.clock),
        TokenPanel(directory, shared.tokens, parts.clock),
        PasswordPanel(invitations, captchas, parts.clock),
        NamesPanel(directory, shared.addresses, shared.address_deeds, shared.bulk),
        ResultsPanel(shared.bulk),
        DomainPanel(directory, shared.domain_settings, parts.flush, shared.view),
        PendingPanel(
            directory,
            shared.servers,
            shared.letters,
            shared.pending,
            shared.pending_deeds,
            shared.hold_rules,
            shared.bulk,
        ),
        TrustPanel(directory, deeds.trust, parts.relay),
        DomainNamesPanel(directory, shared.claims),
        DnsPanel(directory, deeds.records),
        AssistantPanel(directory, deeds.assistant, access, SERVICE, https_port),
        ContactsPanel(directory, deeds.contacts),
        *operator_panels(parts, shared, deeds, sessions),
        AuditPanel(shared.audit, directory),
    )
    routes = [route for panel in panels for route in panel.routes()]
    own = {settings.host_name, settings.service_domain, "localhost"}
    return Console(directory, login, sessions, pages, own.__contains__, routes, https_port)
