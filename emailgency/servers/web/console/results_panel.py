"""What a deed on many did, a row for each, and the way back (row F1)."""

from emailgency.flows.addresses.bulk import Bulk
from emailgency.model.words import Words
from emailgency.servers.web.console.routes import Answer, Asked, Away, Page, Route, Visitor, Who
from emailgency.store.directory.directory import Gone


class ResultsPanel:
    def __init__(self, bulk: Bulk) -> None:
        self._bulk = bulk

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/results/<id>", Who.ADMINISTRATOR, self.show),
            Route("POST", "/results/<id>/undo", Who.ADMINISTRATOR, self.undo),
        ]

    async def show(self, visitor: Visitor, asked: Asked) -> Answer:
        results = await self._bulk.find(visitor.known.customer, asked.path["id"])
        if results is None:
            raise Gone("results")
        return Page("results.html", {"results": results, "id": asked.path["id"]})

    async def undo(self, visitor: Visitor, asked: Asked) -> Answer:
        customer, id = visitor.known.customer, asked.path["id"]
        if not await self._bulk.turn_back(visitor.author, customer, id):
            raise Gone("results")
        results = await self._bulk.find(customer, id)
        if results is not None and results.finished:
            if any(row.back is not None and not row.turned_back for row in results.rows):
                visitor.tell("warning", Words("Not everything could be undone: see the rows."))
            else:
                visitor.tell("success", Words("It is as before."))
        return Away(f"/results/{id}")
