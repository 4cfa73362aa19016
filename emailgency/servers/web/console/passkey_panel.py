"""Passkeys: logging in by one, and those of who has logged in (WebAuthn level 2).

The RP ID is the name that the page was served at: by then a name of ours, whoever asked. Each customer has another, and
a page at one can use nothing that was made at another.
"""

from collections.abc import Callable

from emailgency.flows.accounts.holders import Holder, called
from emailgency.flows.accounts.login import Source
from emailgency.flows.accounts.passkeys import Passkeys, Place, why_not
from emailgency.model.directory import Mailbox
from emailgency.model.errors import Invalid, Temporary
from emailgency.model.verdict import Verdict
from emailgency.model.words import Words
from emailgency.servers.web.console.deeds import FRESH, own_holder, seen_mailbox
from emailgency.servers.web.console.entrance import Entrance
from emailgency.servers.web.console.login_panel import LoginPanel
from emailgency.servers.web.console.routes import Answer, Asked, Away, Octets, Page, Route, Visitor, Who
from emailgency.store.directory.directory import Directory

_JSON = "application/json"
USE_PASSKEY = Words("You have a passkey: log out, and log in with it.")


class PasskeyPanel:
    def __init__(
        self,
        directory: Directory,
        passkeys: Passkeys,
        login: LoginPanel,
        entrance: Entrance,
        clock: Callable[[], float],
        https_port: int,
    ) -> None:
        self._directory = directory
        self._passkeys = passkeys
        self._login = login
        self._entrance = entrance
        self._clock = clock
        self._port = https_port

    def routes(self) -> list[Route]:
        others = "/mailboxes/<address>/passkeys"
        return [
            Route("POST", "/login/passkey/options", Who.ANYBODY, self.begin_login),
            Route("POST", "/login/passkey", Who.ANYBODY, self.log_in),
            Route("POST", "/security/passkeys/options", Who.USER, self.begin_adding, unfinished=True),
            Route("POST", "/security/passkeys", Who.USER, self.add, unfinished=True),
            Route("POST", "/security/passkeys/remove", Who.USER, self.remove_own),
            Route("GET", others, Who.USER, self.show),
            Route("POST", f"{others}/remove", Who.USER, self.remove),
        ]

    # ---- the login ---------------------------------------------------------------------------------------

    async def begin_login(self, visitor: Visitor, asked: Asked) -> Answer:
        browser, options = await self._passkeys.begin_login(self._place(visitor), visitor.ip)
        return Octets(_JSON, options, passkey=browser)

    async def log_in(self, visitor: Visitor, asked: Asked) -> Answer:
        source = Source("web", visitor.ip)
        try:
            found = await self._passkeys.log_in(visitor.passkey, self._place(visitor), asked.one("answer"), source)
        except Temporary:
            return await self._login.form(visitor, "", "trouble", 503)
        if isinstance(found, Verdict):
            return await self._login.form(visitor, "", "passkey", 401)
        return Away("/", await self._entrance.let_in(visitor, found, strong=True))

    # ---- one's own ---------------------------------------------------------------------------------------

    async def facts(self, visitor: Visitor) -> dict[str, object]:
        """What `passkey_section` shows on the page of who has logged in."""
        holder = await own_holder(self._directory, visitor)
        return {"passkeys": await self._passkeys.of(holder), "why_no_passkey": self._why_not(visitor, holder)}

    async def begin_adding(self, visitor: Visitor, asked: Asked) -> Answer:
        holder = await own_holder(self._directory, visitor)
        reason = self._why_not(visitor, holder)
        if reason is not None:
            raise Invalid(reason)
        return Octets(_JSON, await self._passkeys.begin_adding(holder, visitor.token, self._place(visitor)))

    async def add(self, visitor: Visitor, asked: Asked) -> Answer:
        holder, name, answer = await own_holder(self._directory, visitor), asked.one("name"), asked.one("answer")
        place = self._place(visitor)
        added = await self._passkeys.add(visitor.author, holder, visitor.token, place, name, answer)
        token = await self._entrance.stay(visitor, holder, strong=True)  # his device has just recognised him
        visitor.tell("success", Words("The passkey “%(name)s” logs you in from now on.", {"name": added.name}))
        return Away("/security", token)

    async def remove_own(self, visitor: Visitor, asked: Asked) -> Answer:
        return await self._remove(visitor, await own_holder(self._directory, visitor), asked.one("passkey"))

    # ---- a mailbox's, for its administrator --------------------------------------------------------------

    async def show(self, visitor: Visitor, asked: Asked) -> Answer:
        mailbox = await seen_mailbox(self._directory, visitor, asked)
        if self._is_own(visitor, mailbox):
            return Away("/security")
        facts = {"mailbox": mailbox, "lines": await self._passkeys.of(mailbox), "why_kept": _why_kept(visitor, mailbox)}
        return Page("passkeys.html", facts)

    async def remove(self, visitor: Visitor, asked: Asked) -> Answer:
        mailbox = await seen_mailbox(self._directory, visitor, asked)
        reason = None if self._is_own(visitor, mailbox) else _why_kept(visitor, mailbox)
        if reason is not None:
            raise Invalid(reason)
        return await self._remove(visitor, mailbox, asked.one("passkey"))

    async def _remove(self, visitor: Visitor, holder: Holder, id: str) -> Answer:
        after = await self._passkeys.remove(visitor.author, holder, id)
        words = Words("The passkey opens nothing any more.")
        if self._is_own(visitor, after):
            token = await self._entrance.stay(visitor, after, strong=visitor.known.strong)
            visitor.tell("success", words)
            return Away("/security", token)
        visitor.tell("success", words)
        return Away(f"/mailboxes/{called(after)}/passkeys")

    # ---- whose, and where --------------------------------------------------------------------------------

    def _is_own(self, visitor: Visitor, holder: Holder) -> bool:
        return holder.id == (visitor.known.operator or visitor.known.mailbox)

    def _why_not(self, visitor: Visitor, holder: Holder) -> Words | None:
        """None: he can add one now."""
        reason = why_not(holder, visitor.host)
        if reason is not None:
            return reason
        if visitor.unfinished and holder.passkeys:  # the password alone makes none: that is what a thief may have
            return USE_PASSKEY
        if self._clock() - visitor.known.begun_at > FRESH:
            return Words("To add a passkey, log out and in again: your login is more than 15 minutes old.")
        return None

    def _place(self, visitor: Visitor) -> Place:
        """Origins of pages of ours at that host: at our port, or at that of a proxy in front."""
        return Place(visitor.host, (f"https://{visitor.host}", f"https://{visitor.host}:{self._port}"))


def _why_kept(visitor: Visitor, mailbox: Mailbox) -> Words | None:
    """A passkey is as good as a second factor: where one is required, another administrator must not make a password
    enough. None: he may remove them.
    """
    if mailbox.administrator and not visitor.known.operator:
        return Words("The second factor of an administrator is removed by whoever runs this service.")
    return None
