"""A real spool with the ledger behind it, its process and its files: what tests of it begin with."""

from twisted.internet import reactor
from twisted.internet.defer import Deferred

from emailgency.model.envelope import Client, Envelope, Recipient
from emailgency.rules.whereabouts import whereabouts
from emailgency.store.ledger import line
from emailgency.store.ledger.ledger import Ledger, LedgerSettings
from emailgency.store.ledger.search import LedgerSearch, Query
from tests.support.spool_case import SpoolCase


class LedgerCase(SpoolCase):
    timeout = 60
    segment_size = 8192  # many segments
    ledger: Ledger | None = None

    async def begin(self, **settings: int) -> LedgerSearch:
        """The spool, and the ledger behind it."""
        await self.start()
        self.ledger = Ledger(reactor, self.data, lambda: self.now, LedgerSettings(**settings))
        self.spool.needed = self.ledger.needed
        self.patch(line, "PATIENCE", 50.0)
        self.ledger.start()
        self.search = LedgerSearch(reactor, self.ledger)
        return self.search

    async def stop(self) -> None:
        await super().stop()
        if self.ledger is not None:
            ledger, self.ledger = self.ledger, None
            await ledger.stop()

    async def kill(self) -> None:
        """Everything, at once."""
        ledger, self.ledger = self.ledger, None
        ended: Deferred[None] = Deferred()
        ledger._line.ended = lambda reason: ended.callback(None)
        ledger._line._process.signalProcess("KILL")
        await self.crash()
        await ended

    def letter(self, arrival, plan, fingerprint=None, **more):
        fields = {
            "id": arrival.id,
            "customer": "c",
            "sender": "Anna@Example.org",
            "received_at": self.now,
            "size": arrival.size,
            "return_path": 0,
            "recipients": (Recipient(as_given="Paul@mydomain.zz"), Recipient(as_given="ringo@mydomain.zz")),
            "plan": plan,
            "client": Client(ip="192.0.2.1", helo="far.example", tls="TLSv1.3"),
            "fingerprint": fingerprint,
            "subject": "=?utf-8?q?Caf=C3=A9?= at noon",
            "message_id": "1@far.example",
        }
        return Envelope(**{**fields, **more})

    async def take(self, *plan, **more) -> str:
        arrival = self.spool.begin(self.now)
        arrival.write(b"x")
        await self.spool.commit(arrival, self.letter(arrival, plan, **more))
        return arrival.id

    async def found(self, customer="c", **query):
        await self.ledger.caught_up()
        return await self.search.find(customer, Query(**query))

    async def states(self, id, customer="c"):
        (story,) = await self.found(customer, id=id)
        return [one.state for one in whereabouts(story)]
