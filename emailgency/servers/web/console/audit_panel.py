"""The audit log: every change of the customer, the newest first (rows F2, F7)."""

from emailgency.flows.accounts.audit_lines import line
from emailgency.flows.accounts.main_domains import main_domains
from emailgency.servers.web.console.routes import Answer, Asked, Page, Route, Visitor, Who
from emailgency.store.directory.audit import Audit
from emailgency.store.directory.directory import Directory

_PAGE = 50  # changes


class AuditPanel:
    def __init__(self, audit: Audit, directory: Directory) -> None:
        self._audit = audit
        self._directory = directory

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/audit", Who.ADMINISTRATOR, self.show),
            Route("GET", "/operator/audit", Who.OPERATOR, self.show_all),
        ]

    async def show(self, visitor: Visitor, asked: Asked) -> Answer:
        return await self._page(visitor.known.customer, asked, {})

    async def show_all(self, visitor: Visitor, asked: Asked) -> Answer:
        """Across customers, and what belongs to none of them."""
        return await self._page(None, asked, await main_domains(self._directory))

    async def _page(self, customer: str | None, asked: Asked, domains: dict[str, str]) -> Answer:
        given = asked.given("before")
        before = int(given) if given.isdecimal() and len(given) < 16 else None
        page = await self._audit.page(customer, before, _PAGE)
        lines = [line(change, domains) for change in page.changes]
        facts: dict[str, object] = {
            "lines": lines,
            "older": page.older,
            "newest": before is None,
            "everybody": customer is None,
        }
        return Page("audit.html", facts)
