"""`server list|show`: how customers' servers do and what they went through (rows D1, G8)."""

from typing import Any

from msgspec import Struct

from emailgency.flows.accounts.customer_accounts import CustomerAccounts
from emailgency.flows.pending.server_view import ServerLine, ServerView
from emailgency.flows.relaying.relay import RelayFlow
from emailgency.servers.control.command import Asker, Command, Commands, Nothing, domain_of
from emailgency.store.directory.directory import Directory


class Named(Struct, frozen=True, forbid_unknown_fields=True):
    customer: str


class ServerCommands:
    def __init__(self, directory: Directory, accounts: CustomerAccounts, view: ServerView, relay: RelayFlow) -> None:
        self._relay = relay
        self._directory = directory
        self._accounts = accounts
        self._view = view

    def table(self) -> Commands:
        return {
            "server list": Command(Nothing, self.list),
            "server show": Command(Named, self.show),
            "server accept": Command(Named, self.accept),
        }

    async def list(self, asked: Nothing, asker: Asker) -> object:
        return [
            {"customer": await domain_of(self._directory, line.customer), **_server(line)}
            for line in self._view.servers()
        ]

    async def show(self, asked: Named, asker: Asker) -> object:
        customer = await self._accounts.find(asked.customer)
        forecast = self._view.forecast(customer.id)
        return {
            "customer": customer.domain,
            "oldest_pending_at": forecast.oldest,
            "oldest_expires_at": forecast.expires_at,  # None while an incident is open: nothing expires
            "disk_full_at": forecast.full_at,
            "servers": [_server(line) for line in self._view.servers(customer.id)],
            "incidents": [
                {"id": one.id, "began_at": one.began_at, "ended_at": one.ended_at, "reason": one.reason}
                for one in reversed(self._view.incidents(customer.id))
            ],
            "history": [
                {"at": turn.at, "next_hop": _name(turn.domain), "state": turn.state, "reason": turn.reason}
                for turn in reversed(self._view.turns(customer.id))
            ],
        }

    async def accept(self, asked: Named, asker: Asker) -> object:
        """Whoever answers now is his server (flows/relaying/impostor.py)."""
        customer = await self._accounts.find(asked.customer)
        await self._relay.accept_server(customer.id)
        return {"customer": customer.domain}


def _server(line: ServerLine) -> dict[str, Any]:
    return {
        "next_hop": _name(line.domain),
        "state": line.state,
        "since_at": line.since,
        "pending": line.pending,
        "connections": line.connections,
        "wave": line.wave,
        "next_probe_at": line.next_probe,
        "reason": line.reason,
    }


def _name(domain: str) -> str:
    return domain or "SMTP transport"
