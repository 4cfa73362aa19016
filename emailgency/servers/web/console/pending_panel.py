"""What waits for the customer's server: each next hop with its health, and the messages behind it (rows D1, G8)."""

from emailgency.flows.pending_view import PendingView
from emailgency.flows.server_view import ServerView
from emailgency.servers.web.console.listing import listed
from emailgency.servers.web.console.routes import Answer, Asked, Page, Route, Visitor, Who

MOST = 10_000  # messages that can be looked through; who has more pending looks at the first of them
_INCIDENTS = 5


class PendingPanel:
    def __init__(self, view: PendingView, servers: ServerView) -> None:
        self._view = view
        self._servers = servers

    def routes(self) -> list[Route]:
        return [Route("GET", "/pending", Who.ADMINISTRATOR, self.show)]

    async def show(self, visitor: Visitor, asked: Asked) -> Answer:
        customer = visitor.known.customer
        listing = listed(
            self._view.messages(customer, MOST),
            asked,
            lambda line: " ".join((line.sender, *line.recipients, line.id)),
            {
                "received": lambda line: line.received_at,
                "sender": lambda line: line.sender,
                "recipient": lambda line: line.recipients,
                "size": lambda line: line.size,
                "due": lambda line: line.due,
            },
        )
        facts = {
            "listing": listing,
            "servers": self._servers.servers(customer),
            "incidents": list(reversed(self._servers.incidents(customer)))[:_INCIDENTS],
            "forecast": self._servers.forecast(customer),
        }
        return Page("pending.html", facts)
