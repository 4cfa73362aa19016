"""The operator's panels Queues and Server: what waits for whom, and how the server itself does (row F7)."""

from msgspec.structs import asdict

from emailgency.flows.pending.pending_view import PendingView
from emailgency.flows.pending.queues import queues
from emailgency.flows.upkeep.server_state import ServerState
from emailgency.servers.web.console.listing import listed
from emailgency.servers.web.console.routes import Answer, Asked, Page, Route, Visitor, Who
from emailgency.store.directory.directory import Directory


class OperatorServerPanel:
    def __init__(self, directory: Directory, view: PendingView, server: ServerState) -> None:
        self._directory = directory
        self._view = view
        self._server = server

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/operator/queues", Who.OPERATOR, self.show_queues),
            Route("GET", "/operator/server", Who.OPERATOR, self.show),
        ]

    async def show_queues(self, visitor: Visitor, asked: Asked) -> Answer:
        found = await queues(self._directory, self._view)
        listing = listed(
            found,
            asked,
            lambda queue: f"{queue.domain} {queue.hop.domain or ''}",
            {
                "oldest": lambda queue: queue.hop.oldest or float("inf"),
                "customer": lambda queue: queue.domain,
                "hop": lambda queue: queue.hop.domain or "",
                "pending": lambda queue: queue.hop.pending + queue.hop.carrying,
                "state": lambda queue: queue.hop.state,
            },
        )
        pending = sum(queue.hop.pending + queue.hop.carrying for queue in found)
        return Page("operator_queues.html", {"listing": listing, "pending": pending})

    async def show(self, visitor: Visitor, asked: Asked) -> Answer:
        return Page("operator_server.html", asdict(await self._server.now()))
