"""Somebody without a password: asks for a link by mail, and sets his password behind such a link (rows B2, F3).

Asking has one answer, whoever it was for. The address of the form behind a link is a secret, which no other page
learns; looking at it uses nothing up.
"""

from collections.abc import Callable

from emailgency.background import background
from emailgency.flows.accounts.invitations import Invitations
from emailgency.model.directory import Mailbox
from emailgency.model.errors import Invalid
from emailgency.servers.web.console.routes import Answer, Asked, Page, Route, Visitor, Who
from emailgency.store.logins.captchas import Captchas

RESET = "reset"  # what digits are typed for
_NAME = 320  # characters of an address


class PasswordPanel:
    def __init__(self, invitations: Invitations, captchas: Captchas, clock: Callable[[], float]) -> None:
        self._invitations = invitations
        self._captchas = captchas
        self._clock = clock

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/forgotten", Who.ANYBODY, self.ask),
            Route("POST", "/forgotten", Who.ANYBODY, self.mail),
            Route("GET", "/password", Who.ANYBODY, self.show),
            Route("POST", "/password", Who.ANYBODY, self.set, proof=True),
        ]

    async def ask(self, visitor: Visitor, asked: Asked) -> Answer:
        return await self._asking(visitor)

    async def mail(self, visitor: Visitor, asked: Asked) -> Answer:
        """The answer says nothing about the address, nor does the time it takes: the work begins behind it."""
        name, now = asked.one("name").strip()[:_NAME], self._clock()
        if "@" not in name:
            return await self._asking(visitor, name, "address", 400)
        if not await self._captchas.solved(visitor.challenge, RESET, asked.one("digits")):
            return await self._asking(visitor, name, "digits", 401)
        if not self._invitations.may_ask(name, visitor.ip, now):
            return await self._asking(visitor, name, "many", 429)
        background("mailing a password link", self._invitations.reset(name, visitor.ip, now))
        return Page("forgotten.html", {"name": name, "fault": "", "asked": True})

    async def _asking(self, visitor: Visitor, name: str = "", fault: str = "", status: int = 200) -> Page:
        challenge = await self._captchas.pose(RESET, visitor.ip)
        if not challenge:
            fault, status = "many", 429
        facts: dict[str, object] = {"name": name, "fault": fault, "captcha": bool(challenge)}
        return Page("forgotten.html", facts, status, challenge=challenge)

    async def show(self, visitor: Visitor, asked: Asked) -> Answer:
        token = asked.given("token")
        return _form(await self._invitations.find(token), token)

    async def set(self, visitor: Visitor, asked: Asked) -> Answer:
        token, new = asked.one("token"), asked.one("new")
        if new != asked.one("again"):
            return _form(await self._invitations.find(token), token, "differ")
        try:
            mailbox = await self._invitations.redeem(token, new, visitor.ip)
        except Invalid:
            return _form(await self._invitations.find(token), token, "policy")
        if mailbox is None:
            return _form(None, token)
        return Page("password_set.html", {"address": str(mailbox.address)}, secret=True)


def _form(mailbox: Mailbox | None, token: str, fault: str = "") -> Page:
    """`mailbox` None: the link is worth nothing."""
    if mailbox is None:
        return Page("link_dead.html", status=410, secret=True)
    facts: dict[str, object] = {"address": str(mailbox.address), "token": token, "fault": fault}
    return Page("password.html", facts, 400 if fault else 200, secret=True)
