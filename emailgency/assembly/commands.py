"""The commands of the running server, put together: each room's table, in one."""

from collections.abc import Callable
from typing import Any, Protocol

from emailgency.assembly.in_hand import pending_in_hand
from emailgency.assembly.mailboxes import folders_of_now
from emailgency.flows.accounts.api_tokens import ApiTokens
from emailgency.flows.accounts.customer_accounts import CustomerAccounts
from emailgency.flows.accounts.domain_claims import DomainClaims
from emailgency.flows.accounts.drop_pending import DropPending
from emailgency.flows.accounts.login import Login
from emailgency.flows.accounts.operators import Operators
from emailgency.flows.accounts.passwords import Passwords
from emailgency.flows.accounts.plans import Plans
from emailgency.flows.addresses.addresses import Addresses
from emailgency.flows.addresses.forget_mail import ForgetMail
from emailgency.flows.addresses.import_addresses import ImportAddresses
from emailgency.flows.addresses.mailbox_status import MailboxStatus
from emailgency.flows.domains.drift_guard import DriftGuard
from emailgency.flows.learning.learning import RecipientLearning
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
from emailgency.flows.relaying.incidents import Incidents
from emailgency.flows.relaying.means import Means
from emailgency.flows.relaying.outbound import OutboundFlow
from emailgency.flows.relaying.relay import RelayFlow
from emailgency.flows.relaying.transport_check import TransportCheck
from emailgency.flows.trust.signing import Signing
from emailgency.flows.upkeep.reconstruct import Reconstruction
from emailgency.net.dns import Dns
from emailgency.net.egress import Egress
from emailgency.servers.control.address_commands import AddressCommands
from emailgency.servers.control.command import Commands
from emailgency.servers.control.customer_commands import CustomerCommands
from emailgency.servers.control.dkim_commands import DkimCommands
from emailgency.servers.control.dns_commands import DnsCommands
from emailgency.servers.control.domain_commands import DomainCommands
from emailgency.servers.control.hold_commands import HoldCommands
from emailgency.servers.control.mailbox_commands import MailboxCommands
from emailgency.servers.control.pending_commands import PendingCommands
from emailgency.servers.control.plan_commands import PlanCommands
from emailgency.servers.control.recipient_commands import RecipientCommands
from emailgency.servers.control.server_commands import ServerCommands
from emailgency.servers.control.token_commands import TokenCommands
from emailgency.servers.control.upkeep_commands import UpkeepCommands
from emailgency.servers.control.where_commands import WhereCommands
from emailgency.servers.imap.server import ImapServer
from emailgency.settings import Settings
from emailgency.store.credentials import Credentials
from emailgency.store.directory import Directory
from emailgency.store.disk import room
from emailgency.store.folders import Folders
from emailgency.store.ledger.ledger import Ledger
from emailgency.store.ledger.search import LedgerSearch
from emailgency.store.redis import Redis
from emailgency.store.secret import Secret
from emailgency.store.spool import Spool
from emailgency.store.storing.line import Storer
from emailgency.store.token_uses import TokenUses


class Parts(Protocol):
    """What commands work on."""

    bounces: Bounces
    credentials: Credentials
    directory: Directory
    dns: Dns
    drift: DriftGuard | None
    egress: Egress
    exchanges: Exchanges
    flush: Flush
    folders: Folders
    clock: Callable[[], float]
    imap: ImapServer | None
    incidents: Incidents
    login: Login
    learning: RecipientLearning | None
    ledger: Ledger
    means: Means
    outbound: OutboundFlow
    redis: Redis
    relay: RelayFlow
    signing: Signing
    spool: Spool
    storer: Storer


def commands(parts: Parts, reactor: Any, settings: Settings) -> Commands:
    """What the control socket answers."""
    directory = parts.directory
    accounts = CustomerAccounts(directory, settings.service_domain, settings.operator)
    claims = DomainClaims(accounts, parts.dns, Secret(settings.data).key("domain claims"), reactor)
    addresses = Addresses(directory, settings.operator)
    passwords = Passwords(directory, parts.credentials)
    tokens = ApiTokens(directory, TokenUses(parts.redis, parts.clock), parts.login, parts.clock)
    view = PendingView(parts.relay, parts.outbound)
    letters = PendingLetters(reactor, parts.spool, view)
    servers = ServerView(parts.relay, parts.incidents, lambda: room(settings.data, settings.disk), parts.clock)
    forget = ForgetMail(reactor, parts.folders, folders_of_now(parts, settings))
    assert parts.drift is not None  # awake before the commands
    transports = TransportCheck(parts.exchanges, parts.egress)
    pending = PendingMessages(parts.relay, parts.outbound, parts.spool, letters)
    deeds = PendingDeeds(directory, pending, pending_in_hand(parts, reactor), transports)
    status = MailboxStatus(directory, parts.folders)
    importing = ImportAddresses(directory, addresses, passwords, settings.operator)
    reconstruction = Reconstruction(reactor, parts.storer, parts.folders)
    return (
        CustomerCommands(directory, accounts, transports, view, DropPending(parts.relay), forget, claims).table()
        | MailboxCommands(directory, addresses, passwords, status, forget).table()
        | AddressCommands(directory, accounts, addresses).table()
        | TokenCommands(directory, tokens).table()
        | PendingCommands(directory, accounts, view, letters, deeds, parts.flush).table()
        | HoldCommands(accounts, HoldRules(accounts, parts.clock), view).table()
        | PlanCommands(directory, Plans(directory), Operators(directory, passwords)).table()
        | RecipientCommands(accounts, lambda: parts.learning).table()
        | ServerCommands(directory, accounts, servers, parts.relay).table()
        | DkimCommands(accounts, parts.signing, settings.host_name).table()
        | DomainCommands(accounts, claims).table()
        | DnsCommands(directory, accounts, parts.drift).table()
        | UpkeepCommands(directory, importing, reconstruction, forget).table()
        | WhereCommands(directory, accounts, Where(directory, LedgerSearch(reactor, parts.ledger))).table()
    )
