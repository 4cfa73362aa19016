"""The operator's panels of the console, put together (product row F7)."""

from typing import Any, Protocol

from emailgency.assembly.shared_deeds import SharedDeeds
from emailgency.assembly.web_deeds import WebDeeds
from emailgency.flows.relaying.incidents import Incidents
from emailgency.servers.web.console.operator_customers_panel import OperatorCustomersPanel
from emailgency.servers.web.console.operator_plans_panel import OperatorPlansPanel
from emailgency.servers.web.console.operator_server_panel import OperatorServerPanel
from emailgency.store.directory.directory import Directory
from emailgency.store.logins.web_sessions import WebSessions


class Parts(Protocol):
    """What they show and change."""

    directory: Directory
    incidents: Incidents


def operator_panels(parts: Parts, shared: SharedDeeds, deeds: WebDeeds, sessions: WebSessions) -> tuple[Any, ...]:
    directory = parts.directory
    return (
        OperatorCustomersPanel(directory, shared.accounts, shared.transports, shared.view, parts.incidents, sessions),
        OperatorPlansPanel(directory, deeds.plans),
        OperatorServerPanel(directory, shared.view, deeds.server),
    )
