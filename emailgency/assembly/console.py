"""The console, put together: each panel's routes, in one."""

import os
from collections.abc import Callable
from typing import Any, Protocol

from emailgency.assembly.in_hand import pending_in_hand
from emailgency.assembly.live_web import SERVICE, LiveWeb
from emailgency.assembly.mailboxes import folders_of_now
from emailgency.assembly.notices import contacts
from emailgency.assembly.operator_panels import operator_panels
from emailgency.flows.accounts.access import MailAccess
from emailgency.flows.accounts.api_tokens import ApiTokens
from emailgency.flows.accounts.customer_accounts import CustomerAccounts
from emailgency.flows.accounts.domain_claims import DomainClaims
from emailgency.flows.accounts.domain_settings import DomainSettings
from emailgency.flows.accounts.login import Login
from emailgency.flows.accounts.passwords import Passwords
from emailgency.flows.addresses.address_deeds import AddressDeeds
from emailgency.flows.addresses.addresses import Addresses
from emailgency.flows.addresses.bulk import Bulk
from emailgency.flows.addresses.candidates import CandidateFlow
from emailgency.flows.addresses.forget_mail import ForgetMail
from emailgency.flows.addresses.mail_back import MailBack
from emailgency.flows.addresses.mailbox_status import MailboxStatus
from emailgency.flows.domains.dns_assistant import DnsAssistant
from emailgency.flows.domains.domain_look import DomainLook
from emailgency.flows.domains.drift_guard import DriftGuard
from emailgency.flows.pending.hold_rules import HoldRules
from emailgency.flows.pending.pending_deeds import PendingDeeds
from emailgency.flows.pending.pending_letters import PendingLetters
from emailgency.flows.pending.pending_message import PendingMessages
from emailgency.flows.pending.pending_view import PendingView
from emailgency.flows.pending.server_view import ServerView
from emailgency.flows.pending.where import Where
from emailgency.flows.relaying.bounce import Bounces
from emailgency.flows.relaying.exchanges import Exchanges
from emailgency.flows.relaying.flush import Flush
from emailgency.flows.relaying.hand_over import HandOver
from emailgency.flows.relaying.incidents import Incidents
from emailgency.flows.relaying.means import Means
from emailgency.flows.relaying.outbound import OutboundFlow
from emailgency.flows.relaying.relay import RelayFlow
from emailgency.flows.relaying.transport_check import TransportCheck
from emailgency.flows.trust.signing import Signing
from emailgency.flows.trust.trust_test import TrustTest
from emailgency.net.dns import Dns
from emailgency.net.egress import Egress
from emailgency.servers.imap.server import ImapServer
from emailgency.servers.web.console.assistant_panel import AssistantPanel
from emailgency.servers.web.console.audit_panel import AuditPanel
from emailgency.servers.web.console.candidate_panel import CandidatePanel
from emailgency.servers.web.console.captcha_panel import CaptchaPanel
from emailgency.servers.web.console.console import Console
from emailgency.servers.web.console.contacts_panel import ContactsPanel
from emailgency.servers.web.console.dns_panel import DnsPanel
from emailgency.servers.web.console.domain_names_panel import DomainNamesPanel
from emailgency.servers.web.console.domain_panel import DomainPanel
from emailgency.servers.web.console.login_panel import LoginPanel
from emailgency.servers.web.console.mailbox_panel import MailboxPanel
from emailgency.servers.web.console.mailboxes_panel import MailboxesPanel
from emailgency.servers.web.console.names_panel import NamesPanel
from emailgency.servers.web.console.overview_panel import OverviewPanel
from emailgency.servers.web.console.pages import Pages
from emailgency.servers.web.console.password_panel import PasswordPanel
from emailgency.servers.web.console.pending_panel import PendingPanel
from emailgency.servers.web.console.results_panel import ResultsPanel
from emailgency.servers.web.console.token_panel import TokenPanel
from emailgency.servers.web.console.trust_panel import TrustPanel
from emailgency.servers.web.console.where_panel import OperatorWherePanel, WherePanel
from emailgency.settings import Settings
from emailgency.store.audit import Audit
from emailgency.store.bulk_results import BulkResults
from emailgency.store.certificates import Certificates
from emailgency.store.credentials import Credentials
from emailgency.store.directory import Directory
from emailgency.store.disk import room
from emailgency.store.folders import Folders
from emailgency.store.ledger.ledger import Ledger
from emailgency.store.ledger.search import LedgerSearch
from emailgency.store.recent_errors import RecentErrors
from emailgency.store.redis import Redis
from emailgency.store.secret import Secret
from emailgency.store.spool import Spool
from emailgency.store.tallies import Tallies
from emailgency.store.token_uses import TokenUses


class ConsoleParts(Protocol):
    """What panels work on."""

    bounces: Bounces
    candidates: CandidateFlow | None
    certificates: Certificates
    clock: Callable[[], float]
    credentials: Credentials
    directory: Directory
    dns: Dns
    drift: DriftGuard | None
    egress: Egress
    errors: RecentErrors
    exchanges: Exchanges
    flush: Flush
    folders: Folders
    imap: ImapServer | None
    incidents: Incidents
    ledger: Ledger
    login: Login
    look: DomainLook | None
    means: Means
    outbound: OutboundFlow
    redis: Redis
    relay: RelayFlow
    signing: Signing
    spool: Spool
    tallies: Tallies


def console(
    parts: ConsoleParts, reactor: Any, settings: Settings, live: LiveWeb, access: MailAccess, https_port: int
) -> Console:
    """What HTTPS answers below /eg/."""
    directory, login = parts.directory, parts.login
    assert parts.drift is not None
    assert parts.look is not None
    assert parts.candidates is not None  # awake before the web
    addresses = Addresses(directory, settings.operator)
    passwords = Passwords(directory, parts.credentials)
    status = MailboxStatus(directory, parts.folders)
    sessions, captchas, invitations = live.sessions, live.captchas, live.invitations
    forget = ForgetMail(reactor, parts.folders, folders_of_now(parts, settings))
    deeds = AddressDeeds(directory, addresses, parts.candidates, forget)
    bulk = Bulk(directory, MailBack(directory, parts.folders, forget), BulkResults(parts.redis), parts.clock)
    view = PendingView(parts.relay, parts.outbound)
    letters = PendingLetters(reactor, parts.spool, view)
    pending = PendingMessages(parts.relay, parts.outbound, parts.spool, letters)
    hand = pending_in_hand(parts, reactor)
    accounts = CustomerAccounts(directory, settings.service_domain, settings.operator)
    transports = TransportCheck(parts.exchanges, parts.egress)
    own_settings = DomainSettings(directory, accounts, transports)
    pending_deeds = PendingDeeds(directory, pending, hand, transports)
    hold_rules = HoldRules(accounts, parts.clock)
    servers = ServerView(parts.relay, parts.incidents, lambda: room(settings.data, settings.disk), parts.clock)
    claims = DomainClaims(accounts, parts.dns, Secret(settings.data).key("domain claims"), reactor)
    assistant = DnsAssistant(parts.look, settings.service_domain, reactor, settings.assistant)
    pages = Pages(SERVICE)
    hand_over = HandOver(parts.exchanges, parts.relay, parts.means, parts.signing)
    trust = TrustTest(parts.look, hand_over, parts.signing, parts.clock, reactor)
    where = Where(directory, LedgerSearch(reactor, parts.ledger))
    panels = (
        WherePanel(reactor, directory, where, parts.clock),
        OperatorWherePanel(reactor, directory, where, parts.clock),
        LoginPanel(directory, login, sessions, captchas),
        CaptchaPanel(captchas, reactor),
        OverviewPanel(directory, view, parts.drift, parts.tallies),
        CandidatePanel(parts.candidates, deeds, bulk),
        MailboxesPanel(directory, addresses, invitations, deeds, bulk, parts.clock),
        MailboxPanel(directory, addresses, passwords, status, access, login, sessions),
        TokenPanel(directory, ApiTokens(directory, TokenUses(parts.redis, parts.clock), login, parts.clock)),
        PasswordPanel(invitations, captchas, parts.clock),
        NamesPanel(directory, addresses, deeds, bulk),
        ResultsPanel(bulk),
        DomainPanel(directory, own_settings, parts.flush, view),
        PendingPanel(directory, servers, letters, pending, pending_deeds, hold_rules, bulk),
        TrustPanel(directory, trust, parts.relay),
        DomainNamesPanel(directory, claims),
        DnsPanel(directory, parts.drift, parts.signing),
        AssistantPanel(directory, assistant, access, SERVICE, https_port),
        ContactsPanel(directory, contacts(parts, accounts, pages, settings, https_port)),
        *operator_panels(parts, settings, accounts, transports, view, sessions),
        AuditPanel(Audit(reactor, os.path.join(settings.data, "journal")), directory),
    )
    routes = [route for panel in panels for route in panel.routes()]
    own = {settings.host_name, settings.service_domain, "localhost"}
    return Console(directory, login, sessions, pages, own.__contains__, routes, https_port)
