"""The way in, for who has proven who he is: a new session, whatever he was before (attack row 39)."""

from emailgency.flows.accounts.holders import Holder
from emailgency.flows.accounts.login import Principal, principal
from emailgency.model.address import Address
from emailgency.model.directory import OPERATOR, Operator
from emailgency.servers.web.console.routes import Visitor
from emailgency.store.logins.web_sessions import WebSessions


class Entrance:
    """Raises Temporary."""

    def __init__(self, sessions: WebSessions) -> None:
        self._sessions = sessions

    async def let_in(self, visitor: Visitor, who: Principal | Operator, *, strong: bool) -> str:
        """What his browser keeps from now on; the session he came with ends, and he has the new one.

        `strong`: he has given more than a password, a second factor or a passkey.
        """
        language = visitor.session.language if visitor.session else ""
        if visitor.token:
            await self._sessions.end(visitor.token)
        if isinstance(who, Operator):
            visitor.token = await self._sessions.begin(
                customer=OPERATOR,
                mailbox="",
                address=Address(who.id, OPERATOR),
                administrator=False,
                generation=who.generation,
                language=language,
                operator=who.id,
                strong=strong,
            )
        else:
            visitor.token = await self._sessions.begin(
                customer=who.customer,
                mailbox=who.mailbox,
                address=who.address,
                administrator=who.administrator,
                generation=who.generation,
                language=language,
                strong=strong,
            )
        visitor.session = await self._sessions.find(visitor.token)
        return visitor.token

    async def stay(self, visitor: Visitor, holder: Holder, *, strong: bool) -> str:
        """As `let_in`, for who has just changed what he logs in with: all his sessions have ended but this one."""
        who = holder if isinstance(holder, Operator) else principal(holder)
        return await self.let_in(visitor, who, strong=strong)
