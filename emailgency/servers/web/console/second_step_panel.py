"""The second step of a login: a code of the phone, or a recovery code (attack row 39)."""

from emailgency.flows.accounts.holders import Holder, called, find
from emailgency.flows.accounts.login import Login, Source
from emailgency.flows.accounts.second_factors import SecondFactors
from emailgency.model.directory import Operator
from emailgency.model.verdict import Verdict
from emailgency.model.words import Words
from emailgency.servers.web.console.entrance import Entrance
from emailgency.servers.web.console.routes import Answer, Asked, Away, Page, Route, Visitor, Who
from emailgency.store.directory.directory import Directory
from emailgency.store.logins.captchas import Captchas
from emailgency.store.logins.half_logins import HalfLogin, HalfLogins


class SecondStepPanel:
    def __init__(
        self,
        directory: Directory,
        login: Login,
        factors: SecondFactors,
        half_logins: HalfLogins,
        captchas: Captchas,
        entrance: Entrance,
    ) -> None:
        self._directory = directory
        self._login = login
        self._factors = factors
        self._half_logins = half_logins
        self._captchas = captchas
        self._entrance = entrance

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/login/code", Who.ANYBODY, self.show),
            Route("POST", "/login/code", Who.ANYBODY, self.prove),
        ]

    async def show(self, visitor: Visitor, asked: Asked) -> Answer:
        half = await self._half_logins.find(visitor.half)
        holder = await self._holder(half) if half else None
        return _ended() if holder is None else _form(holder)

    async def prove(self, visitor: Visitor, asked: Asked) -> Answer:
        """A try is taken before the code is looked at, so no more than five are, however many come at once."""
        attempt = await self._half_logins.attempt(visitor.half)
        holder = await self._holder(attempt[0]) if attempt else None
        if attempt is None or holder is None:
            return _ended()
        source = Source("web", visitor.ip)
        refusal = await self._factors.check(holder, asked.one("code"), source)
        if refusal is not None:
            return await self._refused(visitor, holder, refusal, attempt[1])
        if await self._half_logins.take(visitor.half) is None:
            return _ended()
        who = holder if isinstance(holder, Operator) else await self._login.welcome(holder, source)
        if isinstance(who, Verdict):  # suspended since
            return _ended()
        token = await self._entrance.let_in(visitor, who, strong=True)
        await self._tell_left(visitor, holder)
        return Away("/", token, half="")

    async def _refused(self, visitor: Visitor, holder: Holder, refusal: Verdict, left: int) -> Page:
        await self._captchas.failed(called(holder), visitor.ip)
        if not left:
            await self._half_logins.forget(visitor.half)
            return _ended(tries=True)
        return _form(holder, "many" if refusal.temporary else "wrong", left)

    async def _holder(self, half: HalfLogin) -> Holder | None:
        """None: he has gone, or has another password or another second factor since."""
        found = await find(self._directory, half.holder, operator=half.operator)
        return found if found is not None and found.generation == half.generation else None

    async def _tell_left(self, visitor: Visitor, before: Holder) -> None:
        """Whoever has used a recovery code hears how many are left."""
        after = await find(self._directory, before.id, operator=isinstance(before, Operator))
        if before.second_factor and after and after.second_factor and before.second_factor != after.second_factor:
            left = len(after.second_factor.recovery)
            visitor.tell("warning", Words("Recovery codes that are left: %(count)s", {"count": left}))


def _form(holder: Holder, fault: str = "", left: int = 0) -> Page:
    operator = isinstance(holder, Operator)
    name = holder.id if operator else called(holder)
    status = {"": 200, "many": 429}.get(fault, 401)
    return Page("login_code.html", {"name": name, "operator": operator, "fault": fault, "left": left}, status)


def _ended(tries: bool = False) -> Page:
    return Page("login_ended.html", {"tries": tries}, 400)
