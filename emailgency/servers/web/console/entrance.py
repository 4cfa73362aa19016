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
        if visitor.token:
            await self._sessions.end(visitor.token)
        return await self._begun(visitor, who, strong, None)

    async def stay(self, visitor: Visitor, holder: Holder, *, strong: bool, proven: bool = False) -> str:
        """For who has just changed what he logs in with: all his sessions have ended but this one. It has another token
        and is as old as it was, unless he has `proven` anew who he is. "": it has ended meanwhile, too.
        """
        if not await self._sessions.end(visitor.token):
            return ""
        who = holder if isinstance(holder, Operator) else principal(holder)
        return await self._begun(visitor, who, strong, None if proven else visitor.known.begun_at)

    async def _begun(self, visitor: Visitor, who: Principal | Operator, strong: bool, begun_at: float | None) -> str:
        language = visitor.session.language if visitor.session else ""
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
                begun_at=begun_at,
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
                begun_at=begun_at,
            )
        visitor.session = await self._sessions.find(visitor.token)
        return visitor.token
