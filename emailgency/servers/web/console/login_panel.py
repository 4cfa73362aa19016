"""Logging in and out (row F3)."""

from emailgency.flows.accounts.login import Login, Principal, Source
from emailgency.model.address import Address
from emailgency.model.directory import OPERATOR, Operator
from emailgency.model.errors import Temporary
from emailgency.model.verdict import Verdict
from emailgency.servers.web.console.languages import LANGUAGES
from emailgency.servers.web.console.routes import Answer, Asked, Away, Page, Route, Visitor, Who
from emailgency.store.directory.directory import Directory
from emailgency.store.logins.captchas import Captchas
from emailgency.store.logins.web_sessions import WebSessions

LOGIN = "login"  # what digits are typed for


class LoginPanel:
    def __init__(self, directory: Directory, login: Login, sessions: WebSessions, captchas: Captchas) -> None:
        self._directory = directory
        self._login = login
        self._sessions = sessions
        self._captchas = captchas

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/", Who.USER, self.home),
            Route("GET", "/login", Who.ANYBODY, self.show),
            Route("POST", "/login", Who.ANYBODY, self.log_in),
            Route("POST", "/logout", Who.USER, self.log_out),
            Route("POST", "/language", Who.USER, self.speak),
        ]

    async def home(self, visitor: Visitor, asked: Asked) -> Answer:
        if visitor.known.administrator:
            return Away("/overview")
        return Away("/operator" if visitor.known.operator else f"/mailboxes/{visitor.address}")

    async def show(self, visitor: Visitor, asked: Asked) -> Answer:
        if visitor.session is not None:
            return Away("/")
        return await self.form(visitor)

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
        if visitor.token:
            await self._sessions.end(visitor.token)  # a new one for whoever logs in (attack row 39)
        return Away("/", await self.begin(found))

    async def _proven(self, name: str, password: str, source: Source) -> Principal | Operator | Verdict:
        """A bare name is an operator's, where there is one; else it is a user's of the default domain."""
        if "@" not in name and await self._directory.operator(name) is not None:
            return await self._login.authenticate_operator(name, password, source)
        return await self._login.authenticate(name, password, source)

    async def begin(self, found: Principal | Operator, language: str = "") -> str:
        """A new session; what the browser keeps."""
        if isinstance(found, Operator):
            return await self._sessions.begin(
                customer=OPERATOR,
                mailbox="",
                address=Address(found.id, OPERATOR),
                administrator=False,
                generation=found.generation,
                language=language,
                operator=found.id,
            )
        return await self._sessions.begin(
            customer=found.customer,
            mailbox=found.mailbox,
            address=found.address,
            administrator=found.administrator,
            generation=found.generation,
            language=language,
        )

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
