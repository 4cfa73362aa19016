"""The operator's panels of the console, put together (product row F7)."""

from collections.abc import Callable
from typing import Any, Protocol

from emailgency.flows.accounts.customer_accounts import CustomerAccounts
from emailgency.flows.accounts.plans import Plans
from emailgency.flows.pending.pending_view import PendingView
from emailgency.flows.relaying.incidents import Incidents
from emailgency.flows.relaying.transport_check import TransportCheck
from emailgency.servers.web.console.operator_customers_panel import OperatorCustomersPanel
from emailgency.servers.web.console.operator_plans_panel import OperatorPlansPanel
from emailgency.servers.web.console.operator_server_panel import OperatorServerPanel
from emailgency.settings import Settings
from emailgency.store.directory.directory import Directory
from emailgency.store.disk import room
from emailgency.store.experience.recent_errors import RecentErrors
from emailgency.store.keys.certificates import Certificates
from emailgency.store.logins.web_sessions import WebSessions
from emailgency.store.redis.redis import Redis
from emailgency.store.spool.spool import Spool


class Parts(Protocol):
    """What they show and change."""

    certificates: Certificates
    clock: Callable[[], float]
    directory: Directory
    errors: RecentErrors
    incidents: Incidents
    redis: Redis
    spool: Spool


def operator_panels(
    parts: Parts,
    settings: Settings,
    accounts: CustomerAccounts,
    transports: TransportCheck,
    view: PendingView,
    sessions: WebSessions,
) -> tuple[Any, ...]:
    return (
        OperatorCustomersPanel(parts.directory, accounts, transports, view, parts.incidents, sessions),
        OperatorPlansPanel(parts.directory, Plans(parts.directory)),
        OperatorServerPanel(
            parts.directory,
            view,
            parts.spool,
            parts.redis,
            parts.certificates,
            parts.errors,
            settings.data,
            lambda: room(settings.data, settings.disk),
            parts.clock,
        ),
    )
