"""Tokens of one mailbox, by which programs use the API: made, shown once, revoked."""

from collections.abc import Callable

from emailgency.flows.accounts.api_tokens import ApiTokens
from emailgency.flows.addresses.deciding import mailbox_at
from emailgency.model.directory import Mailbox
from emailgency.model.errors import Invalid
from emailgency.model.words import Words
from emailgency.servers.web.console.deeds import check_fresh, seen_mailbox
from emailgency.servers.web.console.routes import Answer, Asked, Away, Page, Route, Visitor, Who
from emailgency.store.directory.directory import Directory

DAYS = ("30", "90", "365")


class TokenPanel:
    def __init__(self, directory: Directory, tokens: ApiTokens, clock: Callable[[], float]) -> None:
        self._directory = directory
        self._clock = clock
        self._tokens = tokens

    def routes(self) -> list[Route]:
        here = "/mailboxes/<address>/tokens"
        return [
            Route("GET", here, Who.USER, self.show),
            Route("POST", here, Who.USER, self.make),
            Route("POST", f"{here}/revoke", Who.USER, self.revoke),
        ]

    async def show(self, visitor: Visitor, asked: Asked) -> Answer:
        return await self._page(visitor, await seen_mailbox(self._directory, visitor, asked))

    async def make(self, visitor: Visitor, asked: Asked) -> Answer:
        """It is shown on the answer itself, which is kept nowhere. One acts for himself, so makes his own alone."""
        mailbox = await seen_mailbox(self._directory, visitor, asked)
        if mailbox.id != visitor.known.mailbox:
            raise Invalid("A token acts in the name of its mailbox: its user makes it.")
        check_fresh(visitor, self._clock())
        days = asked.one("days")
        if days not in DAYS:
            raise Invalid("Choose how long the token lives.")
        token, _ = await self._tokens.make(
            visitor.author, mailbox.address, asked.one("name"), int(days), read_only=asked.one("read_only") == "yes"
        )
        return await self._page(visitor, await mailbox_at(self._directory, mailbox.address), token)

    async def revoke(self, visitor: Visitor, asked: Asked) -> Answer:
        mailbox = await seen_mailbox(self._directory, visitor, asked)
        await self._tokens.revoke(visitor.author, mailbox.address, asked.one("token"))
        visitor.tell("success", Words("The token opens nothing any more."))
        return Away(f"/mailboxes/{mailbox.address}/tokens")

    async def _page(self, visitor: Visitor, mailbox: Mailbox, token: str = "") -> Page:
        facts: dict[str, object] = {
            "mailbox": mailbox,
            "own": mailbox.id == visitor.known.mailbox,
            "lines": await self._tokens.of(mailbox),
            "token": token,
            "days": DAYS,
        }
        return Page("tokens.html", facts, secret=bool(token))
