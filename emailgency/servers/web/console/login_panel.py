"""Logging in and out (row F3)."""

from emailgency.flows.accounts.login import Login, Principal, Source
from emailgency.model.directory import Operator
from emailgency.model.errors import Temporary
from emailgency.model.verdict import Verdict
from emailgency.servers.web.console.entrance import Entrance
from emailgency.servers.web.console.languages import LANGUAGES
from emailgency.servers.web.console.routes import Answer, Asked, Away, Page, Route, Visitor, Who
from emailgency.store.directory.directory import Directory
from emailgency.store.logins.captchas import Captchas
from emailgency.store.logins.half_logins import HalfLogins
from emailgency.store.logins.web_sessions import WebSessions

LOGIN = "login"  # what digits are typed for


class LoginPanel:
    def __init__(
        self,
        directory: Directory,
        login: Login,
        sessions: WebSessions,
        captchas: Captchas,
        entrance: Entrance,
        half_logins: HalfLogins,
    ) -> None:
        self._directory = directory
        self._login = login
        self._sessions = sessions
        self._captchas = captchas
        self._entrance = entrance
        self._half_logins = half_logins

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/", Who.USER, self.home),
            Route("GET", "/login", Who.ANYBODY, self.show),
            Route("POST", "/login", Who.ANYBODY, self.log_in),
            Route("POST", "/logout", Who.USER, self.log_out, unfinished=True),
            Route("POST", "/language", Who.USER, self.speak, unfinished=True),
        ]

    async def home(self, visitor: Visitor, asked: Asked) -> Answer:
        if visitor.known.administrator:
            return Away("/overview")
        return Away("/operator" if visitor.known.operator else f"/mailboxes/{visitor.address}")

    async def show(self, visitor: Visitor, asked: Asked) -> Answer:
        if visitor.session is not None:
            return Away("/")
        return await self.form(visitor, fault="ended" if visitor.token else "")

    async def log_in(self, visitor: Visitor, asked: Asked) -> Answer:
        name = asked.one("name").strip()
        if await self._captchas.wanted(name, visitor.ip) and not await self._captchas.solved(
            visitor.challenge, LOGIN, asked.one("digits")
        ):
            return await self.form(visitor, name, "digits", 401)
        try:
            found = await self._proven(name, asked.one("password"), Source("web", visitor.ip))
        except Temporary:
            return await self.form(visitor, name, "trouble", 503)
        if isinstance(found, Verdict):
            await self._captchas.failed(name, visitor.ip)
            return await self.form(
                visitor, name, "many" if found.temporary else "wrong", 429 if found.temporary else 401
            )
        if isinstance(found, Operator):
            half, holder = found.second_factor is not None, found.id
        else:
            half, holder = found.half, found.mailbox
        if half:
            operator = isinstance(found, Operator)
            token = await self._half_logins.begin(holder, operator=operator, generation=found.generation)
            return Away("/login/code", half=token)
        return Away("/", await self._entrance.let_in(visitor, found, strong=False))

    async def _proven(self, name: str, password: str, source: Source) -> Principal | Operator | Verdict:
        """A bare name is an operator's, where there is one; else it is a user's of the default domain."""
        if "@" not in name and await self._directory.operator(name) is not None:
            return await self._login.authenticate_operator(name, password, source)
        return await self._login.authenticate(name, password, source)

    async def log_out(self, visitor: Visitor, asked: Asked) -> Answer:
        await self._sessions.end(visitor.token)
        return Away("/login", "")

    async def speak(self, visitor: Visitor, asked: Asked) -> Answer:
        if asked.one("language") in LANGUAGES:
            visitor.known.language = asked.one("language")
            await self._sessions.keep(visitor.token, visitor.known)
        return Away("/")

    async def form(self, visitor: Visitor, name: str = "", fault: str = "", status: int = 200) -> Answer:
        domain = await self._directory.domain(visitor.host) if "." in visitor.host else None
        customer = await self._directory.customer(domain.customer) if domain else None
        challenge = ""
        if await self._captchas.wanted(name, visitor.ip):
            challenge = await self._captchas.pose(LOGIN, visitor.ip)
            if not challenge:
                fault, status = "many", 429
        facts: dict[str, object] = {
            "name": name,
            "fault": fault,
            "customer": customer.domain if customer else "",
            "captcha": bool(challenge),
        }
        return Page("login.html", facts, status, challenge=challenge)
