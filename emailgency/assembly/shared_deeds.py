"""Deeds that the command line, the console and the API have in common, made once for all of them."""

import os
from collections.abc import Callable
from typing import Any, Protocol

from msgspec import Struct

from emailgency.assembly.in_hand import pending_in_hand
from emailgency.assembly.mailboxes import folders_of_now
from emailgency.flows.accounts.api_tokens import ApiTokens
from emailgency.flows.accounts.app_passwords import AppPasswords
from emailgency.flows.accounts.customer_accounts import CustomerAccounts
from emailgency.flows.accounts.domain_claims import DomainClaims
from emailgency.flows.accounts.domain_settings import DomainSettings
from emailgency.flows.accounts.login import Login
from emailgency.flows.accounts.passwords import Passwords
from emailgency.flows.accounts.second_factors import SecondFactors
from emailgency.flows.addresses.address_deeds import AddressDeeds
from emailgency.flows.addresses.addresses import Addresses
from emailgency.flows.addresses.broken_off import BrokenOff
from emailgency.flows.addresses.bulk import Bulk
from emailgency.flows.addresses.candidates import CandidateFlow
from emailgency.flows.addresses.forget_mail import ForgetMail
from emailgency.flows.addresses.mail_back import MailBack
from emailgency.flows.addresses.mailbox_status import MailboxStatus
from emailgency.flows.addresses.turning_back import TurningBack
from emailgency.flows.pending.hold_rules import HoldRules
from emailgency.flows.pending.pending_deeds import PendingDeeds
from emailgency.flows.pending.pending_letters import PendingLetters
from emailgency.flows.pending.pending_message import PendingMessages
from emailgency.flows.pending.pending_view import PendingView
from emailgency.flows.pending.server_view import ServerView
from emailgency.flows.pending.where import Where
from emailgency.flows.relaying.bounce import Bounces
from emailgency.flows.relaying.exchanges import Exchanges
from emailgency.flows.relaying.incidents import Incidents
from emailgency.flows.relaying.means import Means
from emailgency.flows.relaying.outbound import OutboundFlow
from emailgency.flows.relaying.relay import RelayFlow
from emailgency.flows.relaying.transport_check import TransportCheck
from emailgency.net.dns import Dns
from emailgency.net.egress import Egress
from emailgency.servers.imap.server import ImapServer
from emailgency.settings import Settings
from emailgency.store.directory.audit import Audit
from emailgency.store.directory.directory import Directory
from emailgency.store.disk import room
from emailgency.store.experience.bulk_results import BulkResults
from emailgency.store.keys.sealing import Sealing
from emailgency.store.keys.secret import Secret
from emailgency.store.ledger.ledger import Ledger
from emailgency.store.ledger.search import LedgerSearch
from emailgency.store.logins.credentials import Credentials
from emailgency.store.logins.failures import Failures
from emailgency.store.logins.used_codes import UsedCodes
from emailgency.store.logins.uses import Uses
from emailgency.store.mailboxes.folders import Folders
from emailgency.store.redis.redis import Redis
from emailgency.store.spool.spool import Spool


class Parts(Protocol):
    """What they work on."""

    bounces: Bounces
    candidates: CandidateFlow | None
    clock: Callable[[], float]
    credentials: Credentials
    directory: Directory
    dns: Dns
    egress: Egress
    exchanges: Exchanges
    failures: Failures
    folders: Folders
    imap: ImapServer | None
    incidents: Incidents
    ledger: Ledger
    login: Login
    means: Means
    outbound: OutboundFlow
    redis: Redis
    relay: RelayFlow
    spool: Spool
    uses: Uses


class SharedDeeds(Struct, frozen=True, kw_only=True):
    """Of customers and their addresses, then of pending mail and the server."""

    accounts: CustomerAccounts
    addresses: Addresses
    app_passwords: AppPasswords
    address_deeds: AddressDeeds
    audit: Audit
    bulk: Bulk
    claims: DomainClaims
    domain_settings: DomainSettings
    forget: ForgetMail
    passwords: Passwords
    second_factors: SecondFactors
    status: MailboxStatus
    tokens: ApiTokens
    transports: TransportCheck
    hold_rules: HoldRules
    letters: PendingLetters
    pending: PendingMessages
    pending_deeds: PendingDeeds
    servers: ServerView
    view: PendingView
    where: Where


def shared_deeds(parts: Parts, reactor: Any, settings: Settings) -> SharedDeeds:
    directory, clock = parts.directory, parts.clock
    accounts = CustomerAccounts(directory, settings.service_domain, settings.operator)
    forget = ForgetMail(reactor, parts.folders, folders_of_now(parts, settings))
    transports = TransportCheck(parts.exchanges, parts.egress)
    view = PendingView(parts.relay, parts.outbound)
    letters = PendingLetters(reactor, parts.spool, view)
    audit = Audit(reactor, os.path.join(settings.data, "journal"))
    addresses = Addresses(directory, settings.operator)
    assert parts.candidates is not None  # awake before what is shared
    turning_back = TurningBack(directory, MailBack(directory, parts.folders, forget))
    pending = PendingMessages(parts.relay, parts.outbound, parts.spool, letters)
    return SharedDeeds(
        accounts=accounts,
        addresses=addresses,
        app_passwords=AppPasswords(directory, parts.uses, clock),
        address_deeds=AddressDeeds(directory, addresses, parts.candidates, forget),
        audit=audit,
        bulk=Bulk(reactor, turning_back, BrokenOff(audit, turning_back), BulkResults(parts.redis), clock),
        claims=DomainClaims(accounts, parts.dns, Secret(settings.data).key("domain claims"), reactor),
        domain_settings=DomainSettings(directory, accounts, transports),
        forget=forget,
        passwords=Passwords(directory, parts.credentials),
        second_factors=SecondFactors(
            directory,
            Sealing(Secret(settings.data).key("second factors")),
            UsedCodes(parts.redis),
            parts.failures,
            clock,
            f"Emailgency {settings.service_domain}",
        ),
        status=MailboxStatus(directory, parts.folders),
        tokens=ApiTokens(directory, parts.uses, parts.login, clock),
        transports=transports,
        hold_rules=HoldRules(accounts, clock),
        letters=letters,
        pending=pending,
        pending_deeds=PendingDeeds(directory, pending, pending_in_hand(parts, reactor), transports),
        servers=ServerView(parts.relay, parts.incidents, lambda: room(settings.data, settings.disk), clock),
        view=view,
        where=Where(directory, LedgerSearch(reactor, parts.ledger)),
    )
