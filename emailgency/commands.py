"""The commands of the running server, put together: each room's table, in one."""

from typing import TYPE_CHECKING, Any

from emailgency.flows.addresses import Addresses
from emailgency.flows.customer_accounts import CustomerAccounts
from emailgency.flows.drop_pending import DropPending
from emailgency.flows.forget_mail import ForgetMail
from emailgency.flows.import_addresses import ImportAddresses
from emailgency.flows.mailbox_status import MailboxStatus
from emailgency.flows.passwords import Passwords
from emailgency.flows.pending_view import PendingView
from emailgency.flows.reconstruct import Reconstruction
from emailgency.flows.transport_check import TransportCheck
from emailgency.servers.control.address_commands import AddressCommands
from emailgency.servers.control.command import Commands
from emailgency.servers.control.customer_commands import CustomerCommands
from emailgency.servers.control.mailbox_commands import MailboxCommands
from emailgency.servers.control.pending_commands import PendingCommands
from emailgency.servers.control.upkeep_commands import UpkeepCommands
from emailgency.servers.imap import names

if TYPE_CHECKING:
    from emailgency.app import App
    from emailgency.settings import Settings


def commands(app: "App", reactor: Any, settings: "Settings") -> Commands:
    """What the control socket answers."""
    directory = app.directory
    accounts = CustomerAccounts(directory, settings.service_domain, settings.operator)
    addresses = Addresses(directory, settings.operator)
    passwords = Passwords(directory, app.credentials)
    view = PendingView(app.relay, app.outbound)
    new_folders = [names.parse(name, settings.imap.separator) for name in settings.imap.folders]
    forget = ForgetMail(reactor, app.folders, new_folders)
    transports = TransportCheck(app.exchanges, app.egress)
    status = MailboxStatus(directory, app.folders)
    importing = ImportAddresses(directory, addresses, passwords, settings.operator)
    reconstruction = Reconstruction(reactor, app.storer, app.folders)
    return (
        CustomerCommands(directory, accounts, transports, view, DropPending(app.relay, app.spool), forget).table()
        | MailboxCommands(directory, addresses, passwords, status, forget).table()
        | AddressCommands(directory, accounts, addresses).table()
        | PendingCommands(directory, accounts, view, app.flush).table()
        | UpkeepCommands(directory, importing, reconstruction, forget).table()
    )
