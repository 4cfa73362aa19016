"""The commands of the running server, put together: each room's table, in one."""

from typing import Any, Protocol

from emailgency.assembly.shared_deeds import SharedDeeds
from emailgency.flows.accounts.drop_pending import DropPending
from emailgency.flows.accounts.operators import Operators
from emailgency.flows.accounts.plans import Plans
from emailgency.flows.addresses.import_addresses import ImportAddresses
from emailgency.flows.domains.drift_guard import DriftGuard
from emailgency.flows.learning.learning import RecipientLearning
from emailgency.flows.relaying.flush import Flush
from emailgency.flows.relaying.relay import RelayFlow
from emailgency.flows.trust.signing import Signing
from emailgency.flows.upkeep.reconstruct import Reconstruction
from emailgency.servers.control.address_commands import AddressCommands
from emailgency.servers.control.command import Commands
from emailgency.servers.control.customer_commands import CustomerCommands
from emailgency.servers.control.dkim_commands import DkimCommands
from emailgency.servers.control.dns_commands import DnsCommands
from emailgency.servers.control.domain_commands import DomainCommands
from emailgency.servers.control.hold_commands import HoldCommands
from emailgency.servers.control.login_commands import LoginCommands
from emailgency.servers.control.mailbox_commands import MailboxCommands
from emailgency.servers.control.pending_commands import PendingCommands
from emailgency.servers.control.plan_commands import PlanCommands
from emailgency.servers.control.recipient_commands import RecipientCommands
from emailgency.servers.control.server_commands import ServerCommands
from emailgency.servers.control.token_commands import TokenCommands
from emailgency.servers.control.upkeep_commands import UpkeepCommands
from emailgency.servers.control.where_commands import WhereCommands
from emailgency.settings import Settings
from emailgency.store.directory.directory import Directory
from emailgency.store.mailboxes.folders import Folders
from emailgency.store.storing.line import Storer


class Parts(Protocol):
    """What commands work on."""

    directory: Directory
    drift: DriftGuard | None
    flush: Flush
    folders: Folders
    learning: RecipientLearning | None
    relay: RelayFlow
    signing: Signing
    storer: Storer


def commands(parts: Parts, reactor: Any, settings: Settings, shared: SharedDeeds) -> Commands:
    """What the control socket answers."""
    directory = parts.directory
    assert parts.drift is not None  # awake before the commands
    importing = ImportAddresses(directory, shared.addresses, shared.passwords, settings.operator)
    reconstruction = Reconstruction(reactor, parts.storer, parts.folders)
    return (
        CustomerCommands(
            directory,
            shared.accounts,
            shared.transports,
            shared.view,
            DropPending(parts.relay),
            shared.forget,
            shared.claims,
        ).table()
        | MailboxCommands(directory, shared.addresses, shared.passwords, shared.status, shared.forget).table()
        | AddressCommands(directory, shared.accounts, shared.addresses).table()
        | TokenCommands(directory, shared.tokens).table()
        | LoginCommands(directory, shared.app_passwords, shared.second_factors).table()
        | PendingCommands(
            directory, shared.accounts, shared.view, shared.letters, shared.pending_deeds, parts.flush
        ).table()
        | HoldCommands(shared.accounts, shared.hold_rules, shared.view).table()
        | PlanCommands(directory, Plans(directory), Operators(directory, shared.passwords)).table()
        | RecipientCommands(shared.accounts, lambda: parts.learning).table()
        | ServerCommands(directory, shared.accounts, shared.servers, parts.relay).table()
        | DkimCommands(shared.accounts, parts.signing, settings.host_name).table()
        | DomainCommands(shared.accounts, shared.claims).table()
        | DnsCommands(directory, shared.accounts, parts.drift).table()
        | UpkeepCommands(directory, importing, reconstruction, shared.forget).table()
        | WhereCommands(directory, shared.accounts, shared.where).table()
    )
