"""`pending …`: what waits for customers' servers, and one message of it in somebody's hand (rows D1, D2)."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from emailgency.codec.address import parse
from emailgency.flows.accounts.customer_accounts import CustomerAccounts
from emailgency.flows.pending.pending_deeds import PendingDeeds
from emailgency.flows.pending.pending_letters import PendingLetters, Search
from emailgency.flows.pending.pending_view import HopLine, MessageLine, PendingView
from emailgency.flows.relaying.flush import Flush
from emailgency.model.errors import Invalid, Temporary
from emailgency.model.verdict import Verdict
from emailgency.servers.control.command import Asker, Command, Commands
from emailgency.store.directory.directory import Directory, Gone

MOST_LISTED = 100_000


class ListPending(Struct, frozen=True, forbid_unknown_fields=True):
    customer: str | None = None
    sender: str = ""
    recipient: str = ""
    text: str = ""
    limit: Annotated[int, Meta(ge=0, le=MOST_LISTED)] = 100


class OnePending(Struct, frozen=True, forbid_unknown_fields=True):
    id: str


class KeepPending(Struct, frozen=True, forbid_unknown_fields=True):
    id: str
    mailbox: str | None = None


class ReroutePending(Struct, frozen=True, forbid_unknown_fields=True):
    id: str
    host: str | None = None  # host[:port]; None: its own server


class FlushPending(Struct, frozen=True, forbid_unknown_fields=True):
    customer: str


class PendingCommands:
    def __init__(
        self,
        directory: Directory,
        accounts: CustomerAccounts,
        view: PendingView,
        letters: PendingLetters,
        deeds: PendingDeeds,
        flush: Flush,
    ) -> None:
        self._directory = directory
        self._accounts = accounts
        self._view = view
        self._letters = letters
        self._deeds = deeds
        self._flush = flush

    def table(self) -> Commands:
        return {
            "pending list": Command(ListPending, self.list),
            "pending show": Command(OnePending, self.show),
            "pending look": Command(OnePending, self.look),
            "pending hold": Command(OnePending, self.hold),
            "pending release": Command(OnePending, self.release),
            "pending retry": Command(OnePending, self.retry),
            "pending bounce": Command(OnePending, self.bounce),
            "pending drop": Command(OnePending, self.drop),
            "pending keep": Command(KeepPending, self.keep),
            "pending reroute": Command(ReroutePending, self.reroute),
            "pending flush": Command(FlushPending, self.flush),
        }

    async def list(self, asked: ListPending, asker: Asker) -> object:
        customer = (await self._accounts.find(asked.customer)).id if asked.customer else None
        hops = [await self._hop(hop) for hop in self._view.hops(customer)]
        search = Search(asked.sender, asked.recipient, asked.text)
        lines = await self._letters.search(customer, search, asked.limit, asker.progress)
        return {"hops": hops, "messages": [_message(line) for line in lines]}

    async def show(self, asked: OnePending, asker: Asker) -> object:
        lines = self._view.show(asked.id)
        if not lines:
            raise Invalid(f"no message {asked.id} is pending")
        return [_message(line) for line in lines]

    async def look(self, asked: OnePending, asker: Asker) -> object:
        envelope, letter = await self._letters.look(asked.id)
        return {
            "id": envelope.id,
            "received_at": envelope.received_at,
            "size": envelope.size,
            "from": letter.sender,
            "to": letter.to,
            "subject": letter.subject,
            "date": letter.date,
            "header_lines": letter.head.splitlines(),
            "text_lines": [*letter.text.splitlines(), *(["…"] if letter.cut else [])],
        }

    async def retry(self, asked: OnePending, asker: Asker) -> object:
        return {"state": await self._deeds.retry(asker.author, None, asked.id)}

    async def hold(self, asked: OnePending, asker: Asker) -> object:
        return {"recipients": await self._deeds.hold(asker.author, None, asked.id)}

    async def release(self, asked: OnePending, asker: Asker) -> object:
        return {"recipients": await self._deeds.release(asker.author, None, asked.id)}

    async def bounce(self, asked: OnePending, asker: Asker) -> object:
        return {"recipients": await self._deeds.bounce(asker.author, None, asked.id)}

    async def drop(self, asked: OnePending, asker: Asker) -> object:
        return {"recipients": await self._deeds.drop(asker.author, None, asked.id)}

    async def keep(self, asked: KeepPending, asker: Asker) -> object:
        address = parse(asked.mailbox) if asked.mailbox else None
        recipients = await self._deeds.keep(asker.author, None, asked.id, address)
        return {"recipients": recipients, "kept_in": str(address or "Undelivered")}

    async def reroute(self, asked: ReroutePending, asker: Asker) -> object:
        id = await self._deeds.reroute(asker.author, None, asked.id, asked.host or "")
        return {"new_id": id, "where": asked.host or "its own server"}

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
            "next_hop": hop.via or ("unknown" if hop.domain is None else hop.domain or "SMTP transport"),
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
        "due_at": None if line.held else line.due or None,  # None: as soon as its server answers
        "held": line.held,
        "hold_rule": line.rule or None,
        "last": line.last,
        "expires_at": line.expires_at,
    }
