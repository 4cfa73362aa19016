"""The page Security of whoever is logged in: his second factor, and an operator's password (attack row 39)."""

from collections.abc import Sequence

from emailgency.flows.accounts.holders import Holder, called
from emailgency.flows.accounts.login import Login, Source
from emailgency.flows.accounts.operators import Operators
from emailgency.flows.accounts.second_factors import SecondFactors
from emailgency.model.directory import Mailbox, Operator
from emailgency.model.errors import Invalid
from emailgency.model.words import Words
from emailgency.servers.web.console.deeds import own_holder
from emailgency.servers.web.console.entrance import Entrance
from emailgency.servers.web.console.passkey_panel import USE_PASSKEY, PasskeyPanel
from emailgency.servers.web.console.qr_code import qr_code
from emailgency.servers.web.console.routes import Answer, Asked, Away, Page, Route, Visitor, Who
from emailgency.store.directory.directory import Directory
from emailgency.store.logins.web_sessions import WebSessions


class SecurityPanel:
    def __init__(
        self,
        directory: Directory,
        login: Login,
        factors: SecondFactors,
        operators: Operators,
        sessions: WebSessions,
        entrance: Entrance,
        passkeys: PasskeyPanel,
    ) -> None:
        self._directory = directory
        self._login = login
        self._factors = factors
        self._operators = operators
        self._sessions = sessions
        self._entrance = entrance
        self._passkeys = passkeys

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/security", Who.USER, self.show, unfinished=True),
            Route("POST", "/security/phone/new", Who.USER, self.propose, unfinished=True),
            Route("GET", "/security/phone", Who.USER, self.show_phone, unfinished=True),
            Route("POST", "/security/phone", Who.USER, self.switch_on, unfinished=True),
            Route("POST", "/security/codes", Who.USER, self.renew_codes),
            Route("POST", "/security/off", Who.USER, self.switch_off),
            Route("POST", "/security/password", Who.USER, self.set_password),
        ]

    async def show(self, visitor: Visitor, asked: Asked) -> Answer:
        holder = await own_holder(self._directory, visitor)
        factor = holder.second_factor
        facts: dict[str, object] = {
            **_whose(holder),
            "factor": factor,
            "left": len(factor.recovery) if factor else 0,
            "required": await self._is_required(visitor),
            **await self._passkeys.facts(visitor),
        }
        return Page("security.html", facts)

    # ---- on ----------------------------------------------------------------------------------------------

    async def propose(self, visitor: Visitor, asked: Asked) -> Answer:
        """Who finds a window open must not be able to lock its owner out: the password is asked for."""
        holder = await own_holder(self._directory, visitor)
        if visitor.unfinished and holder.passkeys:  # a thief of his password has none
            raise Invalid(USE_PASSKEY)
        await self._check_password(visitor, holder, asked.one("password"))
        visitor.known.proposed = self._factors.propose(holder)
        await self._sessions.keep(visitor.token, visitor.known)
        return Away("/security/phone")

    async def show_phone(self, visitor: Visitor, asked: Asked) -> Answer:
        return self._phone(visitor, await own_holder(self._directory, visitor)) or await self.show(visitor, asked)

    async def switch_on(self, visitor: Visitor, asked: Asked) -> Answer:
        holder, proposed = await own_holder(self._directory, visitor), visitor.known.proposed
        if not proposed:
            return Away("/security")
        try:
            after, codes = await self._factors.switch_on(visitor.author, holder, proposed, asked.one("code"))
        except Invalid as error:
            return self._phone(visitor, holder, error.words) or Away("/security")
        token = await self._entrance.stay(visitor, after, strong=True, proven=True)
        return _codes(after, codes, new=True, token=token)

    def _phone(self, visitor: Visitor, holder: Holder, fault: Words | None = None) -> Page | None:
        """None: nothing was proposed to him."""
        proposed = visitor.known.proposed
        offer = self._factors.offer(holder, proposed) if proposed else None
        if offer is None:
            return None
        facts: dict[str, object] = {
            **_whose(holder),
            "fault": fault,
            "text": offer.text,
            "code": qr_code(offer.uri),
        }
        return Page("security_phone.html", facts, 400 if fault else 200)

    # ---- afterwards --------------------------------------------------------------------------------------

    async def renew_codes(self, visitor: Visitor, asked: Asked) -> Answer:
        holder = await own_holder(self._directory, visitor)
        await self._check_code(visitor, holder, asked.one("code"))
        after, codes = await self._factors.renew_recovery(visitor.author, holder)
        return _codes(after, codes, new=False)

    async def switch_off(self, visitor: Visitor, asked: Asked) -> Answer:
        holder = await own_holder(self._directory, visitor)
        if await self._is_required(visitor):
            raise Invalid("Administrators here need a second factor.")
        await self._check_password(visitor, holder, asked.one("password"))
        await self._check_code(visitor, holder, asked.one("code"))
        after = await self._factors.switch_off(visitor.author, holder)
        token = await self._entrance.stay(visitor, after, strong=False, proven=True)
        visitor.tell("success", Words("The second factor is off."))
        return Away("/security", token)

    async def set_password(self, visitor: Visitor, asked: Asked) -> Answer:
        """An operator's own; a mailbox's is set in its own panel."""
        holder = await own_holder(self._directory, visitor)
        if not isinstance(holder, Operator):
            raise Invalid("The password of a mailbox is set in its own panel.")
        if asked.one("new") != asked.one("again"):
            raise Invalid("The two new passwords differ.")
        await self._check_password(visitor, holder, asked.one("old"))
        after = await self._operators.set_password(visitor.author, holder.id, asked.one("new"))
        token = await self._entrance.stay(visitor, after, strong=visitor.known.strong, proven=True)
        visitor.tell("success", Words("You have a new password. All your other sessions have ended."))
        return Away("/security", token)

    # ---- who ---------------------------------------------------------------------------------------------

    async def _is_required(self, visitor: Visitor) -> bool:
        session = visitor.known
        return await self._login.needs_second_factor(
            session.customer, administrator=session.administrator, operator=bool(session.operator)
        )

    async def _check_password(self, visitor: Visitor, holder: Holder, password: str) -> None:
        await self._login.check_present(holder, password, Source("web", visitor.ip))

    async def _check_code(self, visitor: Visitor, holder: Holder, code: str) -> None:
        refusal = await self._factors.check(holder, code, Source("web", visitor.ip))
        if refusal is not None and refusal.temporary:
            raise Invalid("Too many wrong codes. Try again later.")
        if refusal is not None:
            raise Invalid("That is no code that counts now. Each code is good once: wait for the next one.")


def _whose(holder: Holder) -> dict[str, object]:
    """`mailbox` None: it is an operator's page."""
    mailbox = holder if isinstance(holder, Mailbox) else None
    return {"mailbox": mailbox, "name": holder.id if isinstance(holder, Operator) else called(holder)}


def _codes(holder: Holder, codes: Sequence[str], *, new: bool, token: str = "") -> Page:
    """Shown on the answer itself, which is kept nowhere."""
    facts = {**_whose(holder), "codes": codes, "new": new}
    return Page("recovery_codes.html", facts, secret=True, token=token)
