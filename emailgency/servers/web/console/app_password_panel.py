"""How one mailbox is opened: app passwords of its mail programs, and its second factor, which an administrator removes
for who has lost his phone (attack row 39).
"""

from collections.abc import Callable

from emailgency.flows.accounts.app_passwords import AppPasswords
from emailgency.flows.accounts.second_factors import SecondFactors
from emailgency.flows.addresses.deciding import mailbox_at
from emailgency.model.directory import AppPassword, Mailbox
from emailgency.model.errors import Invalid
from emailgency.model.words import Words
from emailgency.servers.web.console.deeds import check_fresh, seen_mailbox
from emailgency.servers.web.console.routes import Answer, Asked, Away, Page, Route, Visitor, Who
from emailgency.store.directory.directory import Directory


class AppPasswordPanel:
    def __init__(
        self, directory: Directory, app_passwords: AppPasswords, factors: SecondFactors, clock: Callable[[], float]
    ) -> None:
        self._directory = directory
        self._clock = clock
        self._app_passwords = app_passwords
        self._factors = factors

    def routes(self) -> list[Route]:
        here = "/mailboxes/<address>/app-passwords"
        return [
            Route("GET", here, Who.USER, self.show),
            Route("POST", here, Who.USER, self.make),
            Route("POST", f"{here}/remove", Who.USER, self.remove),
            Route("POST", "/mailboxes/<address>/second-factor/remove", Who.ADMINISTRATOR, self.remove_second_factor),
        ]

    async def show(self, visitor: Visitor, asked: Asked) -> Answer:
        return await self._page(visitor, await seen_mailbox(self._directory, visitor, asked))

    async def make(self, visitor: Visitor, asked: Asked) -> Answer:
        """It is shown on the answer itself, which is kept nowhere. It is for one's own programs alone."""
        mailbox = await seen_mailbox(self._directory, visitor, asked)
        if mailbox.id != visitor.known.mailbox:
            raise Invalid("An app password reads the mail of its mailbox: its user makes it.")
        check_fresh(visitor, self._clock())
        secret, made = await self._app_passwords.make(visitor.author, mailbox.address, asked.one("name"))
        return await self._page(visitor, await mailbox_at(self._directory, mailbox.address), secret, made)

    async def remove(self, visitor: Visitor, asked: Asked) -> Answer:
        mailbox = await seen_mailbox(self._directory, visitor, asked)
        await self._app_passwords.remove(visitor.author, mailbox.address, asked.one("id"))
        visitor.tell("success", Words("The app password opens nothing any more."))
        return Away(f"/mailboxes/{mailbox.address}/app-passwords")

    async def remove_second_factor(self, visitor: Visitor, asked: Asked) -> Answer:
        """Of who has lost his phone. An administrator's is removed by an operator, so none takes another's place."""
        mailbox = await seen_mailbox(self._directory, visitor, asked)
        if mailbox.id == visitor.known.mailbox:
            raise Invalid("Your own second factor is switched off on the page Security.")
        if mailbox.administrator and not visitor.known.operator:
            raise Invalid("The second factor of an administrator is removed by whoever runs this service.")
        if not asked.one("sure"):
            return Page("second_factor_sure.html", {"mailbox": mailbox})
        await self._factors.forget(visitor.author, mailbox)
        visitor.tell("success", str(mailbox.address))
        return Away(f"/mailboxes/{mailbox.address}")

    async def _page(
        self, visitor: Visitor, mailbox: Mailbox, secret: str = "", made: AppPassword | None = None
    ) -> Page:
        facts: dict[str, object] = {
            "mailbox": mailbox,
            "own": mailbox.id == visitor.known.mailbox,
            "lines": await self._app_passwords.of(mailbox),
            "secret": secret,
            "made": made.name if made else "",
        }
        return Page("app_passwords.html", facts, secret=bool(secret))
