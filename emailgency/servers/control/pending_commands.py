"""`pending list|show|flush`: what waits for customers' servers (rows D1, D2)."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from emailgency.flows.customer_accounts import CustomerAccounts
from emailgency.flows.flush import Flush
from emailgency.flows.pending_view import HopLine, MessageLine, PendingView
from emailgency.model.errors import Invalid, Temporary
from emailgency.model.verdict import Verdict
from emailgency.servers.control.command import Asker, Command, Commands
from emailgency.store.directory import Directory, Gone

MOST_LISTED = 100_000


class ListPending(Struct, frozen=True, forbid_unknown_fields=True):
    customer: str | None = None
    limit: Annotated[int, Meta(ge=0, le=MOST_LISTED)] = 100


class ShowPending(Struct, frozen=True, forbid_unknown_fields=True):
    id: str


class FlushPending(Struct, frozen=True, forbid_unknown_fields=True):
    customer: str


class PendingCommands:
    def __init__(self, directory: Directory, accounts: CustomerAccounts, view: PendingView, flush: Flush) -> None:
        self._directory = directory
        self._accounts = accounts
        self._view = view
        self._flush = flush

    def table(self) -> Commands:
        return {
            "pending list": Command(ListPending, self.list),
            "pending show": Command(ShowPending, self.show),
            "pending flush": Command(FlushPending, self.flush),
        }

    async def list(self, asked: ListPending, asker: Asker) -> object:
        customer = (await self._accounts.find(asked.customer)).id if asked.customer else None
        hops = [await self._hop(hop) for hop in self._view.hops(customer)]
        messages = [_message(line) for line in self._view.messages(customer, asked.limit)]
        return {"hops": hops, "messages": messages}

    async def show(self, asked: ShowPending, asker: Asker) -> object:
        lines = self._view.show(asked.id)
        if not lines:
            raise Invalid(f"no message {asked.id} is pending")
        return [_message(line) for line in lines]

    async def flush(self, asked: FlushPending, asker: Asker) -> object:
        customer = await self._accounts.find(asked.customer)
        due = self._flush.flush(customer.id, asker.user)
        if isinstance(due, Verdict):
            raise Invalid(due.text)
        return {"customer": customer.domain, "messages": due}

    async def _hop(self, hop: HopLine) -> dict[str, Any]:
        try:
            customer = (await self._directory.customer(hop.customer)).domain if hop.customer else None
        except (Gone, Temporary):  # mail of his that waits for the directory is listed above all then
            customer = hop.customer
        return {
            "customer": customer,
            "next_hop": "unknown" if hop.domain is None else hop.domain or "SMTP transport",
            "state": hop.state,
            "pending": hop.pending,
            "carrying": hop.carrying,
            "oldest_at": hop.oldest,
            "next_probe_at": hop.next_probe,
            "reason": hop.reason,
            "expires_at": hop.expires_at,
        }


def _message(line: MessageLine) -> dict[str, Any]:
    return {
        "id": line.id,
        "received_at": line.received_at,
        "size": line.size,
        "sender": line.sender or "<>",
        "recipients": msgspec.to_builtins(line.recipients),
        "due_at": line.due or None,  # None: as soon as its server answers
        "last": line.last,
        "expires_at": line.expires_at,
    }
