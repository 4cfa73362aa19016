"""Tokens by which programs use the API in the name of a mailbox, or of an operator.

A token names whose it is and holds a secret of 256 bits; the mailbox keeps its hash, so it goes with the mailbox, is in
the change journal and in backups, and may do what its mailbox may at the moment it is used. It outlives a change of
password, as programs must; whoever may change the mailbox revokes it. Those of operators are the same.
"""

import hmac
import re
import secrets
from collections.abc import Callable
from hashlib import sha256

import msgspec
from msgspec import Struct

from emailgency.flows.accounts.holders import Holder, account, called, operator_called, replace
from emailgency.flows.accounts.login import Login, principal
from emailgency.flows.addresses.deciding import mailbox_at
from emailgency.model.address import Address
from emailgency.model.directory import ApiToken, Operator
from emailgency.model.errors import Invalid
from emailgency.store.directory.changes import Author
from emailgency.store.directory.directory import Directory
from emailgency.store.logins.uses import Use, Uses

DAY = 86_400.0
MOST = 20  # tokens of a mailbox
LONGEST = 365  # days
_NAME = 60  # characters
_TOKEN = re.compile(r"eg_([a-z0-9]{1,40})_([A-Za-z0-9_-]{43})")
_OPERATORS = re.compile(r"ego_([a-z][a-z0-9._-]{0,31})_([A-Za-z0-9_-]{43})")


class Line(Struct, frozen=True):
    """A token for people. `use` None: never, as far as we know."""

    token: ApiToken
    use: Use | None


class Bearer(Struct, frozen=True):
    """Who came with a token."""

    holder: Holder
    token: ApiToken


class ApiTokens:
    """Raises Invalid (in words for the person) and Temporary."""

    def __init__(self, directory: Directory, uses: Uses, login: Login, clock: Callable[[], float]) -> None:
        self._directory = directory
        self._uses = uses
        self._login = login
        self._clock = clock

    async def make(
        self, author: Author, address: Address, name: str, days: int, *, read_only: bool = False
    ) -> tuple[str, ApiToken]:
        """The token itself, which nobody can show again, and what is kept of it."""
        async with self._directory.deciding:
            mailbox = await mailbox_at(self._directory, address)
            secret, token = await self._made(author, mailbox, name, days, read_only)
        return f"eg_{mailbox.id}_{secret}", token

    async def make_for_operator(
        self, author: Author, operator: str, name: str, days: int, *, read_only: bool = False
    ) -> tuple[str, ApiToken]:
        """The same for the operations of operators."""
        async with self._directory.deciding:
            holder = await operator_called(self._directory, operator)
            secret, token = await self._made(author, holder, name, days, read_only)
        return f"ego_{holder.id}_{secret}", token

    async def _made(
        self, author: Author, holder: Holder, name: str, days: int, read_only: bool
    ) -> tuple[str, ApiToken]:
        name = " ".join(name.split())[:_NAME]
        if not name:
            raise Invalid("Give the token a name, so that you know it again.")
        if not 1 <= days <= LONGEST:
            raise Invalid("A token lives from 1 to %(count)s days.", count=LONGEST)
        secret, now = secrets.token_urlsafe(32), self._clock()
        token = ApiToken(
            id=secrets.token_hex(4),
            name=name,
            hash=_hash(secret),
            made_at=now,
            made_by=author.who,
            expires_at=now + days * DAY,
            read_only=read_only,
        )
        kept = tuple(one for one in holder.tokens if one.expires_at > now)
        if len(kept) >= MOST:
            raise Invalid("A mailbox has at most %(count)s tokens.", count=MOST)
        await self._put(author, holder, (*kept, token), f"token {token.id} ({name}) for {called(holder)} made")
        return secret, token

    async def revoke(self, author: Author, address: Address, id: str) -> ApiToken:
        """It opens nothing any more, at once."""
        async with self._directory.deciding:
            return await self._revoked(author, await mailbox_at(self._directory, address), id)

    async def revoke_of_operator(self, author: Author, operator: str, id: str) -> ApiToken:
        """The same for one of an operator."""
        async with self._directory.deciding:
            return await self._revoked(author, await operator_called(self._directory, operator), id)

    async def _revoked(self, author: Author, holder: Holder, id: str) -> ApiToken:
        found = next((one for one in holder.tokens if one.id == id), None)
        if found is None:
            raise Invalid("There is no such token.")
        others = tuple(one for one in holder.tokens if one is not found)
        await self._put(author, holder, others, f"token {id} ({found.name}) for {called(holder)} revoked")
        return found

    async def of(self, mailbox: Holder) -> list[Line]:
        """The newest first, without those that have run out."""
        now = self._clock()
        tokens = sorted((one for one in mailbox.tokens if one.expires_at > now), key=lambda one: -one.made_at)
        uses = await self._uses.of(account(mailbox), [one.id for one in tokens])
        return [Line(token, use) for token, use in zip(tokens, uses, strict=True)]

    async def find(self, text: str, ip: str) -> Bearer | None:
        """Whose token it is; None: nobody's, or of somebody who may not log in."""
        holder: Holder | None = None
        if fields := _TOKEN.fullmatch(text):
            holder = await self._directory.mailbox(fields[1])
        elif fields := _OPERATORS.fullmatch(text):
            holder = await self._directory.operator(fields[1])
        if fields is None or holder is None:
            return None
        given, now = _hash(fields[2]), self._clock()
        found = [one for one in holder.tokens if hmac.compare_digest(one.hash, given) and one.expires_at > now]
        if not found or not (isinstance(holder, Operator) or await self._login.still_valid(principal(holder))):
            return None
        self._uses.note(account(holder), found[0].id, ip)
        return Bearer(holder, found[0])

    async def _put(self, author: Author, before: Holder, tokens: tuple[ApiToken, ...], what: str) -> None:
        await replace(self._directory, author, what, before, msgspec.structs.replace(before, tokens=tokens))


def _hash(secret: str) -> str:
    """256 random bits need no slow hash: nobody guesses them."""
    return sha256(secret.encode()).hexdigest()
