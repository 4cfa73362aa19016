"""The operator's panels Queues and Server: what waits for whom, and how the server itself does (row F7)."""

import os
import shutil
from collections.abc import Callable

from msgspec import Struct

from emailgency.flows.pending.pending_view import HopLine, PendingView
from emailgency.model.errors import Temporary
from emailgency.servers.web.console.listing import listed
from emailgency.servers.web.console.routes import Answer, Asked, Page, Route, Visitor, Who
from emailgency.store.directory.directory import Directory
from emailgency.store.experience.recent_errors import RecentErrors
from emailgency.store.keys.certificates import Certificates
from emailgency.store.redis.redis import Redis
from emailgency.store.spool.spool import Spool

SOON = 21 * 86_400.0  # seconds before its end at which a certificate is worth a look
_ERRORS = 50


class Queue(Struct, frozen=True):
    """`domain` of the customer, "" is mail to the rest of the world."""

    domain: str
    hop: HopLine


class Certificate(Struct, frozen=True):
    """`name` of its file."""

    name: str
    end: float
    soon: bool


class OperatorServerPanel:
    def __init__(
        self,
        directory: Directory,
        view: PendingView,
        spool: Spool,
        redis: Redis,
        certificates: Certificates,
        errors: RecentErrors,
        data: str,
        room: Callable[[], int],
        clock: Callable[[], float],
    ) -> None:
        """`room`: octets that may still come in; `data`: the data folder."""
        self._directory = directory
        self._view = view
        self._spool = spool
        self._redis = redis
        self._certificates = certificates
        self._errors = errors
        self._data = data
        self._room = room
        self._clock = clock

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/operator/queues", Who.OPERATOR, self.show_queues),
            Route("GET", "/operator/server", Who.OPERATOR, self.show),
        ]

    async def show_queues(self, visitor: Visitor, asked: Asked) -> Answer:
        domains = {customer.id: customer.domain for customer in await self._directory.customers()}
        queues = [Queue(domains.get(hop.customer, hop.customer), hop) for hop in self._view.hops()]
        listing = listed(
            queues,
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
        pending = sum(queue.hop.pending + queue.hop.carrying for queue in queues)
        return Page("operator_queues.html", {"listing": listing, "pending": pending})

    async def show(self, visitor: Visitor, asked: Asked) -> Answer:
        now = self._clock()
        disk = shutil.disk_usage(self._data)
        accepting = self._spool.accepting
        facts = {
            "disk": disk,
            "room": self._room(),
            "trouble": accepting.text if accepting else "",
            "live": len(self._spool.live),
            "redis": await self._of_redis(),
            "certificates": [
                Certificate(os.path.basename(path), end, end < now + SOON)
                for path, end in sorted(self._certificates.expire_at.items(), key=lambda pair: pair[1])
            ],
            "errors": list(self._errors.latest())[:_ERRORS],
        }
        return Page("operator_server.html", facts)

    async def _of_redis(self) -> dict[str, str] | None:
        """What it says of itself; None: it does not answer."""
        try:
            told = (await self._redis.execute("INFO")).decode("utf-8", "replace")
        except Temporary:
            return None
        return dict(line.split(":", 1) for line in told.split("\r\n") if ":" in line)
